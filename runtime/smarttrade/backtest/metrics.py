"""Figures of an equity curve, each with the source of its formula.

A curve is a list of (time in ms, equity), oldest first. Returns are those between the last equities of
successive UTC days; a year has 365 of them, as crypto markets never close. No risk-free rate is subtracted.
None says that there is too little to conclude from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

DAYS_A_YEAR = 365
_DAY_MS = 86_400_000
_ZERO = Decimal(0)

Curve = Sequence[tuple[int, Decimal]]


@dataclass(frozen=True, slots=True)
class Drawdown:
    """`depth`: share of the peak; `longest_ms`: longest time below a former peak."""

    depth: float
    longest_ms: int


def daily_returns(curve: Curve) -> list[float]:
    """Simple returns from one UTC day's last equity to the next's; the first from the first equity."""
    last: dict[int, Decimal] = {}
    for time_ms, equity in curve[1:]:
        last[(time_ms - 1) // _DAY_MS] = equity
    levels = [curve[0][1], *last.values()]
    return [float(now / before - 1) for before, now in pairwise(levels) if before > 0]


def cagr(curve: Curve) -> float | None:
    """Compound annual growth rate: (end / start) ** (year / span) - 1.

    Source: CFA Institute, Quantitative Methods, "annualised return". None below a day; -1 after ruin.
    """
    span_ms, start, end = curve[-1][0] - curve[0][0], curve[0][1], curve[-1][1]
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
    peak, since_ms, depth, longest_ms, below = curve[0][1], curve[0][0], _ZERO, 0, False
    for time_ms, equity in curve:
        if equity >= peak:
            longest_ms = max(longest_ms, time_ms - since_ms if below else 0)
            peak, since_ms, below = equity, time_ms, False
        elif peak > 0:
            depth, below = max(depth, (peak - equity) / peak), True
            longest_ms = max(longest_ms, time_ms - since_ms)
    return Drawdown(float(depth), longest_ms)


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


def exposure(invested: Sequence[Decimal]) -> float:
    """Share of the candles at whose end a position worth more than one unit of the quote asset was held, so
    that what is left below a lot does not count."""
    return sum(each > 1 for each in invested) / len(invested)
