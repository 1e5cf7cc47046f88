"""The plots of a sweep: in-sample against out-of-sample scores, and scores over the parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from smarttrade.backtest.report.axes import value_label, value_ticks
from smarttrade.backtest.report.html import Html, element
from smarttrade.sweep.judge import Row, Verdict
from smarttrade.sweep.ranges import Axis, Value
from smarttrade.sweep.table import describe, written

_SIDE = 420
_LEFT, _BOTTOM = 56, 40
_MOST_CELLS = 24

Scorer = Callable[[Row], float | None]


class _Frame(NamedTuple):
    """A square plot; both axes have one scale if `low` and `high` are shared."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float

    def x(self, value: float) -> float:
        return _LEFT + (value - self.low_x) / (self.high_x - self.low_x) * _SIDE

    def y(self, value: float) -> float:
        return 10 + (self.high_y - value) / (self.high_y - self.low_y) * _SIDE


def build_scatter(verdict: Verdict, objective: str) -> Html:
    """One dot a candidate; on the dashed diagonal both samples agree. Chosen ones are filled."""
    dots = [
        (row.in_sample, row.out_of_sample, row)
        for row in verdict.rows
        if row.in_sample is not None and row.out_of_sample is not None
    ]
    if not dots:
        return element("p", "No candidate has a score in both samples.")
    frame = _Frame(*_bounds([x for x, _, _ in dots]), *_bounds([y for _, y, _ in dots]))
    chosen = {id(choice.row) for choice in verdict.choices}
    low, high = max(frame.low_x, frame.low_y), min(frame.high_x, frame.high_y)
    shapes = [*_grid(frame, f"in sample ({objective})", "out of sample")]
    if low < high:
        ends = {"x1": frame.x(low), "y1": frame.y(low), "x2": frame.x(high), "y2": frame.y(high)}
        shapes.append(_shape("line", class_="same", **ends))
    for inside, outside, row in sorted(dots, key=lambda dot: id(dot[2]) in chosen):
        title = f"{describe(row.candidate)}: {written(inside)} in, {written(outside)} out"
        style = "dot chosen" if id(row) in chosen else "dot"
        shapes.append(
            _shape(
                "circle", element("title", title), class_=style, cx=frame.x(inside), cy=frame.y(outside), r=5
            )
        )
    return _figure("Each candidate, by its mean score of all folds; filled: chosen by a fold", shapes)


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _grid(frame: _Frame, below: str, beside: str) -> Iterable[Html]:
    for value in value_ticks(frame.low_x, frame.high_x):
        x = frame.x(value)
        yield _shape("line", class_="grid", x1=x, x2=x, y1=10, y2=10 + _SIDE)
        label = value_label(value, "money", frame.high_x - frame.low_x)
        yield _shape("text", label, x=x, y=28 + _SIDE, text_anchor="middle")
    for value in value_ticks(frame.low_y, frame.high_y):
        y = frame.y(value)
        yield _shape("line", class_="grid", x1=_LEFT, x2=_LEFT + _SIDE, y1=y, y2=y)
        label = value_label(value, "money", frame.high_y - frame.low_y)
        yield _shape("text", label, x=_LEFT - 8, y=y + 4, text_anchor="end")
    yield _shape("text", below, x=_LEFT + _SIDE / 2, y=46 + _SIDE, text_anchor="middle")
    yield _shape("text", beside, x=_LEFT + 4, y=22)


def build_heatmaps(verdict: Verdict, axes: Sequence[Axis]) -> list[Html]:
    """For the two parameters with most values: the mean score of each pair, in sample and out of sample."""
    values = {axis.name: _values(verdict.rows, axis.name) for axis in axes}
    names = sorted(values, key=lambda name: -len(values[name]))[:2]
    if len(names) < 2 or any(not 1 < len(values[name]) <= _MOST_CELLS for name in names):
        return []
    down, across = names
    parts: list[tuple[str, Scorer]] = [
        ("In sample", lambda row: row.in_sample),
        ("Out of sample", lambda row: row.out_of_sample),
    ]
    return [_heatmap(verdict.rows, title, scorer, down, across, values) for title, scorer in parts]


def _values(rows: Sequence[Row], name: str) -> list[Value]:
    found = {row.candidate[name] for row in rows}
    return sorted(
        found, key=lambda value: (0, float(value), "") if _is_number(value) else (1, 0.0, str(value))
    )


def _is_number(value: Value) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _heatmap(
    rows: Sequence[Row], title: str, scorer: Scorer, down: str, across: str, values: dict[str, list[Value]]
) -> Html:
    cells: dict[tuple[Value, Value], list[float]] = {}
    for row in rows:
        score = scorer(row)
        if score is not None:
            cells.setdefault((row.candidate[down], row.candidate[across]), []).append(score)
    means = {key: fmean(scores) for key, scores in cells.items()}
    strongest = max((abs(mean) for mean in means.values()), default=1.0) or 1.0
    head = element(
        "tr", element("th", f"{down} \\ {across}"), *(element("th", str(v)) for v in values[across])
    )
    body = [
        element("tr", element("th", str(d)), *(_cell(means.get((d, a)), strongest) for a in values[across]))
        for d in values[down]
    ]
    return element(
        "figure", element("figcaption", element("b", title)), element("table", head, *body, class_="heat")
    )


def _cell(mean: float | None, strongest: float) -> Html:
    if mean is None:
        return element("td", "", class_="none")
    tone = "gain" if mean > 0 else "loss"
    return element("td", written(mean), class_=tone, style=f"--strength:{abs(mean) / strongest:.0%}")


def _figure(title: str, shapes: Sequence[Html]) -> Html:
    width, height = _LEFT + _SIDE + 14, _SIDE + _BOTTOM + 16
    drawing = element("svg", *shapes, viewBox=f"0 0 {width} {height}", role="img", class_="scatter")
    return element("figure", element("figcaption", element("b", title)), drawing)


def _shape(name: str, *children: str, **attributes: object) -> Html:
    rounded = {
        key: round(value, 1) if isinstance(value, float) else value for key, value in attributes.items()
    }
    return element(name, *children, **rounded)
