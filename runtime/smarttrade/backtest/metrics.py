"""Figures of an equity curve, each with the source of its formula.

A curve is two columns of equal length, times in ms and levels, oldest first; all figures of it are ratios, so
that levels may be counted in any unit. Returns are those between the last levels of successive UTC days; a
year has 365 of them, as crypto markets never close. No risk-free rate is subtracted. None says that there is
too little to conclude from.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

DAYS_A_YEAR = 365
_DAY_MS = 86_400_000
_ZERO = Decimal(0)


class Curve(NamedTuple):
    """`levels` are numbers of one kind: int, float or Decimal."""

    times: Sequence[int]
    levels: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Drawdown:
    """`depth`: share of the peak; `longest_ms`: longest time below a former peak."""

    depth: float
    longest_ms: int


def daily_returns(curve: Curve) -> list[float]:
    """Simple returns from one UTC day's last level to the next's; the first from the first level."""
    return [change for _, change in _returns(curve, lambda time_ms: time_ms // _DAY_MS)]


def monthly_returns(curve: Curve) -> list[tuple[str, float]]:
    """Simple returns of the UTC months, as `2022-01`; the first from the first level."""
    return _returns(curve, lambda time_ms: f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m}")


def _returns(curve: Curve, period: Callable[[int], Any]) -> list[tuple[Any, float]]:
    """A level at the very end of a period still belongs to it. Goes from day to day, not mark to mark."""
    times = curve.times
    last: dict[Any, Any] = {}
    begin = 1
    while begin < len(times):
        end_of_day_ms = ((times[begin] - 1) // _DAY_MS + 1) * _DAY_MS
        begin = bisect_right(times, end_of_day_ms, begin)
        last[period(end_of_day_ms - 1)] = curve.levels[begin - 1]
    levels = [curve.levels[0], *last.values()]
    changes = zip(last, pairwise(levels), strict=True)
    return [(name, float(now / before - 1)) for name, (before, now) in changes if before > 0]


def cagr(curve: Curve) -> float | None:
    """Compound annual growth rate: (end / start) ** (year / span) - 1.

    Source: CFA Institute, Quantitative Methods, "annualised return". None below a day; -1 after ruin.
    """
    span_ms, start, end = curve.times[-1] - curve.times[0], curve.levels[0], curve.levels[-1]
    if span_ms < _DAY_MS or start <= 0:
        return None
    if end <= 0:
        return -1.0
    exponent = DAYS_A_YEAR * _DAY_MS / span_ms * math.log(float(end / start))
    return math.expm1(exponent) if exponent < 700 else None


def sharpe(returns: Sequence[float]) -> float | None:
    """Mean over sample standard deviation of daily returns, times sqrt(365).

    Source: W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994).
    """
    if len(returns) < 2:
        return None
    mean = math.fsum(returns) / len(returns)
    deviation = math.sqrt(math.fsum((each - mean) ** 2 for each in returns) / (len(returns) - 1))
    return mean / deviation * math.sqrt(DAYS_A_YEAR) if deviation else None


def sortino(returns: Sequence[float]) -> float | None:
    """Mean over downside deviation below 0 (root mean square over all days), times sqrt(365).

    Source: F. A. Sortino and L. N. Price, "Performance Measurement in a Downside Risk Framework", Journal of
    Investing 3 (1994).
    """
    if len(returns) < 2:
        return None
    downside = math.sqrt(math.fsum(min(each, 0.0) ** 2 for each in returns) / len(returns))
    return math.fsum(returns) / len(returns) / downside * math.sqrt(DAYS_A_YEAR) if downside else None


def drawdown(curve: Curve) -> Drawdown:
    """Greatest fall from a former peak, and the longest time until it was reached again (or to the end).

    Source: M. Magdon-Ismail and A. Atiya, "Maximum Drawdown", Risk 17 (2004).
    """
    peak = trough = curve.levels[0]
    since_ms, depth, longest_ms = curve.times[0], 0.0, 0
    for time_ms, level in zip(*curve, strict=True):
        if level >= peak:
            if trough < peak:
                depth = max(depth, _fall(peak, trough))
                longest_ms = max(longest_ms, time_ms - since_ms)
            peak = trough = level
            since_ms = time_ms
        elif level < trough:
            trough = level
    if trough < peak:
        depth = max(depth, _fall(peak, trough))
        longest_ms = max(longest_ms, curve.times[-1] - since_ms)
    return Drawdown(depth, longest_ms)


def _fall(peak: Any, trough: Any) -> float:
    return float((peak - trough) / peak) if peak > 0 else 0.0


def calmar(growth: float | None, depth: float) -> float | None:
    """CAGR over maximum drawdown. Source: T. W. Young, "Calmar Ratio", Futures 20 (1991), over the span."""
    return None if growth is None or not depth else growth / depth


def profit_factor(profits: Sequence[Decimal]) -> float | None:
    """Sum of winning trips over sum of losing ones. Source: J. D. Schwager, "Stock Market Wizards"."""
    won = sum((each for each in profits if each > 0), _ZERO)
    lost = -sum((each for each in profits if each < 0), _ZERO)
    return float(won / lost) if lost else None


def expectancy(profits: Sequence[Decimal]) -> Decimal:
    """Mean profit of a trip. Source: V. K. Tharp, "Trade Your Way to Financial Freedom"."""
    return sum(profits, _ZERO) / len(profits)


def turnover(traded: float, levels: Sequence[Any]) -> float:
    """Traded notional, bought and sold, over mean equity, both in one unit.

    Source: the portfolio turnover rate of the SEC's Form N-1A, item 13 (over average assets), but of
    purchases and sales together, as each of them pays fees.
    """
    return traded / (math.fsum(levels) / len(levels))


def exposure(invested: Sequence[Any], dust: float) -> float:
    """Share of the marks at which positions worth more than `dust` were held: what is left below a lot does
    not count. Source: the "Exposure Time [%]" of backtesting.py's statistics."""
    return sum(1 for each in invested if each > dust) / len(invested)
