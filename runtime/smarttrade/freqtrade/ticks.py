"""The price tick of a recording, learned from its candles month by month.

Exchanges change ticks, and a stop rounded to another tick than the one of its time is met by another
candle. A month's tick is the last decimal place that any of its prices uses, as in freqtrade's backtests; a
month of whole prices has that of the month before.
"""

from __future__ import annotations

import bisect
from decimal import Decimal

from pandas import DataFrame

_FINEST = 14


class Ticks:
    """`at` gives the tick in force at a time; `otherwise` where the candles tell none."""

    def __init__(self, candles: DataFrame, otherwise: Decimal) -> None:
        self._otherwise = otherwise
        prices = candles[["open", "high", "low", "close"]]
        places = prices.map(_places).max(axis=1)
        months = candles["date"].dt.strftime("%Y-%m")
        finest = places.groupby(months).max()
        told = [(month, int(count)) for month, count in finest.items() if count]
        self._months = [month for month, _ in told]
        self._ticks = [Decimal(1).scaleb(-count) for _, count in told]

    def at(self, month: str) -> Decimal:
        """`month` as 2022-01."""
        found = bisect.bisect_right(self._months, month)
        return self._ticks[found - 1] if found else self._otherwise


def _places(price: float) -> int:
    """Decimal places that a price uses."""
    text = f"{price:.{_FINEST}g}"
    return len(text.partition(".")[2].rstrip("0")) if "e" not in text else _FINEST
