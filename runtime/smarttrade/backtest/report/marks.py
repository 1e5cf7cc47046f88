"""What a chart shows of single trades: a dot a fill, a line a trade, and how many denials there were when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from smarttrade.backtest.denials import Denial
from smarttrade.backtest.report.charts import Dot, Span
from smarttrade.backtest.report.downsample import Series
from smarttrade.backtest.trips import Trip
from smarttrade.messages import Fill, Side

_COLUMNS = 2_000
_SEGMENTS = 2_000
_BUCKETS = 200


def entries_and_exits(fills: Iterable[Fill], market: str, span: Span) -> dict[str, Sequence[Dot]]:
    """Buys and sells; those of one side that fall into one column of a screen are one dot at their mean."""
    columns: dict[tuple[Side, int], list[Dot]] = {}
    width = max(1, span.end_ms - span.start_ms)
    for fill in fills:
        if fill.market == market:
            column = (fill.time_ms - span.start_ms) * _COLUMNS // width
            columns.setdefault((fill.side, column), []).append(Dot(fill.time_ms, float(fill.price)))
    return {
        name: [_mean(dots) for (of, _), dots in columns.items() if of is side]
        for name, side in (("buy", Side.BUY), ("sell", Side.SELL))
    }


def _mean(dots: list[Dot]) -> Dot:
    return Dot(dots[0].time_ms, sum(dot.value for dot in dots) / len(dots))


def trip_segments(trips: Iterable[Trip], market: str) -> dict[str, Sequence[tuple[Dot, Dot]]]:
    """From mean entry to mean exit of every closed trade; none where they are too many to be told apart."""
    closed = [trip for trip in trips if trip.market == market and trip.closed and trip.bought and trip.sold]
    if len(closed) > _SEGMENTS:
        return {}
    return {
        "won": [_segment(trip) for trip in closed if trip.profit > 0],
        "lost": [_segment(trip) for trip in closed if trip.profit <= 0],
    }


def _segment(trip: Trip) -> tuple[Dot, Dot]:
    entry, exit_ = float(trip.paid / trip.bought), float(trip.received / trip.sold)
    return Dot(trip.entry_ms, entry), Dot(trip.exit_ms, exit_)


def denial_series(denials: Iterable[Denial], span: Span) -> Series:
    """Denials in each of equally long parts of the span, as steps."""
    width = (span.end_ms - span.start_ms) / _BUCKETS
    counts = Counter(min(_BUCKETS - 1, int((each.time_ms - span.start_ms) / width)) for each in denials)
    corners = [
        (span.start_ms + round((number + side) * width), float(counts[number]))
        for number in range(_BUCKETS)
        for side in (0, 1)
    ]
    return Series([time for time, _ in corners], [value for _, value in corners])
