"""Charts as SVG that stretches to the page, with labels in HTML, which do not.

A chart's lines are in plot units: 0 to `WIDTH` from the first to the last instant of the page, 0 to `HEIGHT`
from the highest value to the lowest, and relative to the point before, so that a path is short. Strokes keep
their width whatever the scale, and a dot is a stroke of no length with round ends: it stays round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from smarttrade.backtest.report.axes import time_ticks, value_label, value_ticks
from smarttrade.backtest.report.downsample import Series
from smarttrade.backtest.report.html import Html, element

WIDTH, HEIGHT = 1_000_000, 100_000


class Span(NamedTuple):
    """The time that all charts of a page share, in ms."""

    start_ms: int
    end_ms: int


class Dot(NamedTuple):
    time_ms: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One line over time. `base` is the value that the area under (or over) it reaches to, if it has one;
    `dots` and `segments` by style class; `level` a value to compare with."""

    title: str
    series: Series
    kind: str = "money"
    unit: str = ""
    style: str = "line"
    height: int = 220
    base: float | None = None
    level: float | None = None
    dots: dict[str, Sequence[Dot]] = field(default_factory=dict)
    segments: dict[str, Sequence[tuple[Dot, Dot]]] = field(default_factory=dict)


class _Scale(NamedTuple):
    span: Span
    low: float
    high: float

    def x(self, time_ms: int) -> int:
        return round((time_ms - self.span.start_ms) / (self.span.end_ms - self.span.start_ms) * WIDTH)

    def y(self, value: float) -> int:
        return round((self.high - value) / (self.high - self.low) * HEIGHT)


def build_chart(chart: Chart, span: Span) -> Html:
    """A figure with its labels; `report.js` finds what it needs in the data attributes."""
    scale = _Scale(span, *_range(chart))
    plot = element(
        "svg",
        *_shapes(chart, scale),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
    return element(
        "figure",
        element("figcaption", element("b", chart.title), element("output")),
        element(
            "div",
            element("div", *_value_labels(chart, scale), class_="values"),
            element("div", *_time_labels(span), class_="times"),
            plot,
            element("i", class_="cursor"),
            class_="plot",
            style=f"height:{chart.height}px",
        ),
        class_=f"chart {chart.style}",
        data_kind=chart.kind,
        data_unit=chart.unit,
        data_low=repr(scale.low),
        data_high=repr(scale.high),
        data_base=None if chart.base is None else repr(chart.base),
    )


def _range(chart: Chart) -> tuple[float, float]:
    values = [*chart.series.values, *(each for each in (chart.base, chart.level) if each is not None)]
    for dots in chart.dots.values():
        values.extend(dot.value for dot in dots)
    low, high = min(values), max(values)
    room = (high - low) * 0.04 or abs(high) * 0.01 or 0.01
    held = low < high
    return (low if held and low == chart.base else low - room), (
        high if held and high == chart.base else high + room
    )


def _shapes(chart: Chart, scale: _Scale) -> Iterable[Html]:
    if chart.level is not None:
        yield _path(f"M0 {scale.y(chart.level)}H{WIDTH}", "level")
    yield _path(_line(chart, scale), "series")
    for style, segments in chart.segments.items():
        yield _path("".join(_segment(pair, scale) for pair in segments), style)
    for style, dots in chart.dots.items():
        yield _path("".join(f"M{scale.x(dot.time_ms)} {scale.y(dot.value)}h0" for dot in dots), style)


def _line(chart: Chart, scale: _Scale) -> str:
    """The path of the series; closed to the base where the chart has one."""
    points = [(scale.x(time), scale.y(value)) for time, value in zip(*chart.series, strict=True)]
    steps = [(x - before_x, y - before_y) for (before_x, before_y), (x, y) in pairwise([(0, 0), *points])]
    path = "m" + " ".join(f"{x} {y}" for x, y in steps)
    return path if chart.base is None else f"{path}V{scale.y(chart.base)}H{points[0][0]}Z"


def _segment(ends: tuple[Dot, Dot], scale: _Scale) -> str:
    (x, y), (to_x, to_y) = ((scale.x(dot.time_ms), scale.y(dot.value)) for dot in ends)
    return f"M{x} {y}l{to_x - x} {to_y - y}"


def _path(commands: str, style: str) -> Html:
    return element("path", d=commands, class_=style)


def _value_labels(chart: Chart, scale: _Scale) -> Iterable[Html]:
    for value in value_ticks(scale.low, scale.high, max(2, chart.height // 50)):
        label = value_label(value, chart.kind, scale.high - scale.low)
        yield element("span", element("b", label), style=f"top:{scale.y(value) / HEIGHT:.3%}")


def _time_labels(span: Span) -> Iterable[Html]:
    for time_ms, label in time_ticks(*span):
        share = (time_ms - span.start_ms) / (span.end_ms - span.start_ms)
        yield element("span", label, style=f"left:{share:.3%}")
