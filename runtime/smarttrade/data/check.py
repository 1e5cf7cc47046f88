"""Reads a series with distrust: what is there, what the exchange never had, what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from smarttrade.data.coverage import Span, find_gaps, missing
from smarttrade.data.series import Series, month_of
from smarttrade.data.store import COLUMNS, SeriesStore
from smarttrade.errors import ConfigurationError
from smarttrade.simulator.recorded import RecordedCandle
from smarttrade.timeframe import Timeframe

_SHOWN = 5


@dataclass(slots=True)
class Findings:
    """Of one series. `gaps` the exchange never had, `holes` were not downloaded; `problems` must not be."""

    series: Series
    candles: int = 0
    bytes: int = 0
    span: Span | None = None
    gaps: list[Span] = field(default_factory=list)
    holes: list[Span] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def inspect(root: Path, series: Series) -> Findings:
    """What the files say without a look at the prices."""
    store, found = SeriesStore(root, series), Findings(series)
    found.bytes = sum(file.stat().st_size for file in store.files())
    present = store.read_present()
    found.candles = sum(span.end_ms - span.begin_ms for span in present) // series.length_ms
    if present:
        found.span = Span(present[0].begin_ms, present[-1].end_ms)
        found.holes = missing(store.covered, found.span)
        found.gaps = find_gaps(present, store.covered)
    return found


def check(root: Path, series: Series) -> Findings:
    """`inspect`, and every candle is looked at."""
    try:
        found = inspect(root, series)
    except ConfigurationError as error:
        return Findings(series, problems=[str(error)])
    problems = list(_problems(SeriesStore(root, series)))
    found.problems = problems[:_SHOWN]
    if len(problems) > _SHOWN:
        found.problems.append(f"and {len(problems) - _SHOWN} more")
    return found


def _problems(store: SeriesStore) -> Iterator[str]:
    before_ms = -1
    for candle in store.iterate():
        wrong = _wrong(candle, store.series.timeframe)
        if candle.open_ms <= before_ms:
            wrong = "it is not later than the one before it"
        before_ms = candle.open_ms
        if wrong:
            yield f"the candle at {candle.open_ms} ms in {month_of(candle.open_ms)}.parquet: {wrong}"


def _wrong(candle: RecordedCandle, timeframe: str) -> str:
    if Timeframe(timeframe).start(candle.open_ms) != candle.open_ms:
        return f"no candle of {timeframe} begins then"
    if min(getattr(candle, name) for name in COLUMNS[:4]) <= 0 or candle.volume < 0:
        return "a price is not above zero, or the volume is below it"
    if candle.high < max(candle.open, candle.close) or candle.low > min(candle.open, candle.close):
        return "open or close is outside of low and high"
    return ""
