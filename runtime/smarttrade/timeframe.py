"""The lengths of candles, and when each candle begins: Binance's calendar, in UTC.

Up to a day, candles begin at multiples of their length since 1970, weeks on Monday, months on the first.
Three days are counted so that one began on 17 August 2017, Binance's first day, and hence on 1 January 2024:
a day later than multiples since 1970. What bites: a month has no fixed length, so whoever wants the next
candle or an earlier one asks here and adds nothing up.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "M": 2_678_400_000}
_DAY_MS = _UNITS_MS["d"]


class Timeframe(StrEnum):
    S1 = "1s"
    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"
    D3 = "3d"
    W1 = "1w"
    MONTH = "1M"

    @property
    def milliseconds(self) -> int:
        """The length of a candle; of a month the longest, 31 days."""
        return _LENGTHS_MS[self]

    def start(self, time_ms: int) -> int:
        """When the candle opens in which `time_ms` is."""
        if self is Timeframe.MONTH:
            return _month_ms(time_ms, 0)
        return time_ms - (time_ms - _OFFSETS_MS.get(self, 0)) % _LENGTHS_MS[self]

    def step(self, open_ms: int, count: int = 1) -> int:
        """When the candle opens that is `count` after the one of `open_ms`; negative: before it."""
        if self is Timeframe.MONTH:
            return _month_ms(open_ms, count)
        return open_ms + count * _LENGTHS_MS[self]

    def span_ms(self, count: int) -> int:
        """A time that holds so many whole candles; of those longer than a day wherever it begins, because
        data seldom begins with one of them."""
        return (count + (self.milliseconds > _DAY_MS)) * self.milliseconds


_LENGTHS_MS = {frame: int(frame[:-1]) * _UNITS_MS[frame[-1]] for frame in Timeframe}
_OFFSETS_MS = {Timeframe.D3: _DAY_MS, Timeframe.W1: 4 * _DAY_MS}
"""When the first candle since 1970 begins, which began on a Thursday."""


def _month_ms(time_ms: int, later: int) -> int:
    """The beginning of the month of `time_ms`, or of the one so many `later`."""
    then = datetime.fromtimestamp(time_ms // 1000, UTC)
    year, month = divmod(then.year * 12 + then.month - 1 + later, 12)
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()) * 1000
