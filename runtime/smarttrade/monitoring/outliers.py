"""Prices far from the ones before them: delivered, and said to be outliers, because a crash is real.

Rule: further from the median of the last 50 prices than ten times their median absolute deviation plus half
a per cent of that median. Ten deviations from a rolling median without the price itself are rule T4 (Q4 for
the middle of quotes) of Barndorff-Nielsen, Hansen, Lunde and Shephard, "Realized kernels in practice: trades
and quotes", Econometrics Journal 12 (2009); their median is centred, here only the past is known, and their
deviation is the mean one. The constant part is the granularity of Brownlees and Gallo, "Financial econometric
analysis at ultra-high frequency", Computational Statistics & Data Analysis 51 (2006): without it any tick
after 50 equal prices would be one. What bites: the rule is formed anew once a second, by the ticks' own time,
so that it costs little and pods agree on it; after a jump what follows is flagged until half of the 50 lie
behind it.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import msgspec

from smarttrade.messages import Quote, Trade

WINDOW = 50
DEVIATIONS = 10.0
GRANULARITY = 0.005


class OutlierRule:
    """One stream of prices, in order. `low` and `high` are the bounds of what is none; decimals, so that a
    tick's price need not become a float."""

    __slots__ = ("_prices", "_second", "high", "low")

    def __init__(self) -> None:
        self._prices: deque[Decimal] = deque(maxlen=WINDOW)
        self._second = -1
        self.low, self.high = Decimal("-Infinity"), Decimal("Infinity")

    def judge(self, price: Decimal, time_ms: int) -> bool:
        """Whether a price is an outlier; none is before there were 50."""
        second = time_ms // 1000
        if second != self._second:
            self._second = second
            self._measure()
        self._prices.append(price)
        return not self.low <= price <= self.high

    def _measure(self) -> None:
        if len(self._prices) < WINDOW:
            return
        prices = sorted(map(float, self._prices))
        middle = _median(prices)
        deviation = _median(sorted(abs(price - middle) for price in prices))
        reach = DEVIATIONS * deviation + GRANULARITY * middle
        self.low, self.high = Decimal(middle - reach), Decimal(middle + reach)


def flag_trade(rule: OutlierRule, trade: Trade) -> Trade:
    """Nearly always the same object: a copy costs more than the rule."""
    outlier = rule.judge(trade.price, trade.time_ms)
    return trade if outlier is trade.outlier else msgspec.structs.replace(trade, outlier=outlier)


def flag_quote(rule: OutlierRule, quote: Quote) -> Quote:
    """By bid plus ask, twice the middle: the rule knows no scale."""
    outlier = rule.judge(quote.bid + quote.ask, quote.time_ms)
    return quote if outlier is quote.outlier else msgspec.structs.replace(quote, outlier=outlier)


def _median(ordered: list[float]) -> float:
    return (ordered[WINDOW // 2 - 1] + ordered[WINDOW // 2]) / 2
