"""The columns of a report, taken from what a run recorded and thinned for a screen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from smarttrade.backtest.history import History
from smarttrade.backtest.report.downsample import Series, bucketed, downsample
from smarttrade.backtest.result import Recorded

POINTS = 4_000
_ALL_MARKETS = 40_000
_LEAST = 500


def equity_series(recorded: Recorded) -> Series:
    """Equity in the account's currency."""
    curve = recorded.curve()
    thin = downsample(Series(curve.times, curve.levels), POINTS)
    unit = float(recorded.points.unit)
    return Series(thin.times, [level * unit for level in thin.values])


def drawdown_series(recorded: Recorded) -> Series:
    """Share of the former peak, 0 or below; every trough is kept."""
    curve = recorded.curve()
    peaks = accumulate(curve.levels, max)
    falls = [level / peak - 1 if peak > 0 else 0.0 for level, peak in zip(curve.levels, peaks, strict=True)]
    return bucketed(Series(curve.times, falls), POINTS, min)


def exposure_series(recorded: Recorded) -> Series:
    """What is invested, as a share of equity; means where points are thinned."""
    points = recorded.points
    shares = [
        held / worth if worth > 0 else 0.0 for held, worth in zip(points.invested, points.equity, strict=True)
    ]
    return bucketed(Series(points.times, shares), POINTS, _mean)


def price_series(history: History, market: str, start_ms: int, end_ms: int) -> Series:
    """Closes of the candles in the traded span."""
    span = [each for each in history.candles[market] if start_ms <= each.close_ms <= end_ms]
    closes = Series([each.close_ms for each in span], [float(each.close) for each in span])
    return downsample(closes, max(_LEAST, min(POINTS, _ALL_MARKETS // len(history.candles))))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
