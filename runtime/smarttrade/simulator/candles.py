"""Candles of every interval the exchange offers, from trades.

Only the running second is touched by a trade; a finished second is folded into all other intervals. A second
without a trade is a flat candle with no volume, as on the exchange.
"""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from smarttrade.matching.units import notional

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
INTERVALS: Final[dict[str, int]] = {
    "1s": 1000,
    "1m": _MINUTE,
    "3m": 3 * _MINUTE,
    "5m": 5 * _MINUTE,
    "15m": 15 * _MINUTE,
    "30m": 30 * _MINUTE,
    "1h": _HOUR,
    "2h": 2 * _HOUR,
    "4h": 4 * _HOUR,
    "6h": 6 * _HOUR,
    "8h": 8 * _HOUR,
    "12h": 12 * _HOUR,
    "1d": _DAY,
    "3d": 3 * _DAY,
    "1w": 7 * _DAY,
    "1M": 31 * _DAY,  # at most
}
_OFFSETS: Final = {"3d": _DAY, "1w": 4 * _DAY}  # as on Binance; 1970-01-01 was a Thursday
KEPT: Final = 5000


@dataclass(slots=True)
class Candle:
    """One interval; prices and volumes in units, `taker_*` is what buyers took."""

    open_ms: int
    close_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    quote_volume: int = 0
    trades: int = 0
    taker_volume: int = 0
    taker_quote_volume: int = 0
    first_trade_id: int = -1
    last_trade_id: int = -1

    def add_trade(self, price: int, quantity: int, buyer_is_maker: bool, trade_id: int) -> None:
        if not self.trades:
            self.open = self.high = self.low = price
            self.first_trade_id = trade_id
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        paid = notional(price, quantity)
        self.volume += quantity
        self.quote_volume += paid
        self.trades += 1
        self.last_trade_id = trade_id
        if not buyer_is_maker:
            self.taker_volume += quantity
            self.taker_quote_volume += paid

    def fold(self, part: "Candle") -> None:
        """Add a later, shorter candle. Parts without trades count only while all are without."""
        if part.trades and not self.trades:
            self.open = self.high = self.low = part.open
        if not part.trades and self.trades:
            return
        self.high = max(self.high, part.high)
        self.low = min(self.low, part.low)
        self.close = part.close
        self.volume += part.volume
        self.quote_volume += part.quote_volume
        self.trades += part.trades
        self.taker_volume += part.taker_volume
        self.taker_quote_volume += part.taker_quote_volume
        if part.trades:
            self.last_trade_id = part.last_trade_id
            if self.first_trade_id < 0:
                self.first_trade_id = part.first_trade_id

    def copy(self) -> "Candle":
        return Candle(*(getattr(self, name) for name in self.__slots__))


def interval_start(interval: str, time_ms: int) -> int:
    if interval == "1M":
        return _month_ms(time_ms, 0)
    length = INTERVALS[interval]
    offset = _OFFSETS.get(interval, 0)
    return (time_ms - offset) // length * length + offset


def interval_end(interval: str, start_ms: int) -> int:
    """The last millisecond of the interval that begins at `start_ms`."""
    if interval == "1M":
        return _month_ms(start_ms, 1) - 1
    return start_ms + INTERVALS[interval] - 1


def _month_ms(time_ms: int, later: int) -> int:
    """The beginning of the month (UTC) of `time_ms`, or of one `later`."""
    when = datetime.fromtimestamp(time_ms / 1000, UTC)
    year, month = divmod(when.year * 12 + when.month - 1 + later, 12)
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp() * 1000)


class CandleSeries:
    """All intervals of one market. `closed` collects (interval, candle) until `take_closed`."""

    def __init__(self) -> None:
        self._series: dict[str, deque[Candle]] = {name: deque(maxlen=KEPT) for name in INTERVALS}
        self._folded: dict[str, Candle] = {}
        self._second: Candle | None = None
        self._closed: list[tuple[str, Candle]] = []

    def add_trade(self, time_ms: int, price: int, quantity: int, buyer_is_maker: bool, trade_id: int) -> None:
        self.advance(time_ms)
        if self._second is None:
            self._second = _flat(time_ms - time_ms % 1000, 1000, price)
        self._second.add_trade(price, quantity, buyer_is_maker, trade_id)

    def advance(self, time_ms: int) -> None:
        """Close every second that has ended by `time_ms`."""
        while self._second is not None and time_ms > self._second.close_ms:
            finished = self._second
            self._close_second(finished)
            self._second = _flat(finished.close_ms + 1, 1000, finished.close)

    def _close_second(self, second: Candle) -> None:
        self._series["1s"].append(second)
        self._closed.append(("1s", second))
        for name in INTERVALS:
            if name != "1s":
                self._fold(name, second)

    def _fold(self, name: str, second: Candle) -> None:
        running = self._folded.get(name)
        if running is None:
            running = self._folded[name] = second.copy()
            running.open_ms = interval_start(name, second.open_ms)
            running.close_ms = interval_end(name, running.open_ms)
        else:
            running.fold(second)
        if second.close_ms >= running.close_ms:
            self._series[name].append(running)
            self._closed.append((name, running))
            del self._folded[name]

    def take_closed(self) -> list[tuple[str, Candle]]:
        closed, self._closed = self._closed, []
        return closed

    def running(self, name: str) -> Candle | None:
        """The unfinished candle of an interval as it stands."""
        second = self._second
        if name == "1s" or second is None:
            return second
        folded = self._folded.get(name)
        if folded is None:
            start = interval_start(name, second.open_ms)
            running = second.copy()
            running.open_ms, running.close_ms = start, interval_end(name, start)
            return running
        running = folded.copy()
        running.fold(second)
        return running

    def query(self, name: str, start_ms: int | None, end_ms: int | None, limit: int) -> list[Candle]:
        """Oldest first; the first `limit` from `start_ms` on, or the last ones without it."""
        running = self.running(name)
        rows = list(self._series[name]) + ([running] if running else [])
        if end_ms is not None:
            rows = [row for row in rows if row.open_ms <= end_ms]
        if start_ms is not None:
            return [row for row in rows if row.open_ms >= start_ms][:limit]
        return rows[-limit:]


def _flat(open_ms: int, length: int, price: int) -> Candle:
    return Candle(open_ms, open_ms + length - 1, price, price, price, price)
