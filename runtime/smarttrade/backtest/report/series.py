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
    """Closes of the candles that end in the traded span."""
    candles = history.candles[market]
    length_ms, first_ms = candles.length_ms, candles.first_ms + candles.length_ms
    begin = max(0, -(-(start_ms - first_ms) // length_ms))
    end = max(begin, min(len(candles), (end_ms - first_ms) // length_ms + 1))
    times = range(first_ms + begin * length_ms, first_ms + end * length_ms, length_ms)
    count = max(_LEAST, min(POINTS, _ALL_MARKETS // len(history.candles)))
    thin = downsample(Series(times, candles.close.numbers[begin:end]), count)
    return Series(thin.times, [number / 10**candles.close.places for number in thin.values])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
