"""Final candles of one market and timeframe: none missing, none twice, none out of order.

A candle is final when the exchange says so; or at the first trade of a later interval, or at its end plus two
seconds, if every trade of it was seen; what is left is fetched. An interval without a trade is flat at the
close before it, with zero volume. What bites: "no trade came" only means "there was none" while the stream
is known to be alive and complete, so both are asked for every interval. And the exchange's flag may come
before the interval's last trade: trades are compared with the flagged candle once a later interval has begun.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from smarttrade.exchange.candle import VenueCandle
from smarttrade.messages import Candle, Trade
from smarttrade.timeframe import Timeframe

SETTLE_MS = 2_000


@dataclass(slots=True)
class _Running:
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    def add(self, trade: Trade) -> None:
        self.high = max(self.high, trade.price)
        self.low = min(self.low, trade.price)
        self.close = trade.price
        self.volume += trade.quantity


class CandleBuilder:
    """Begins after `last`, the newest candle known to be final. `trust_trades`: a gap would be seen."""

    def __init__(self, last: Candle, *, trust_trades: bool) -> None:
        self.market = last.market
        self.timeframe = last.timeframe
        self.next_open_ms = last.close_ms
        self.sources: Counter[str] = Counter()
        self.mismatches = 0
        self._frame = Timeframe(last.timeframe)
        self._current = (last.open_ms, last.close_ms)
        self._trust_trades = trust_trades
        self._last = last
        self._running: dict[int, _Running] = {}
        self._closed: dict[int, VenueCandle] = {}
        self._flagged: tuple[Candle, _Running | None] | None = None
        self._complete_after_ms: int | None = None

    # --- what is known of the trades --------------------------------------------------------------------

    def complete_after(self, time_ms: int) -> None:
        """Every trade after this time has been and will be given to `on_trade`, until `incomplete`."""
        if self._complete_after_ms is None:
            self._complete_after_ms = time_ms

    def incomplete(self) -> None:
        """Trades may be missing from now on, until `complete_after`."""
        self._complete_after_ms = None

    def distrust(self) -> None:
        """Trade ids do not show gaps here after all."""
        self._trust_trades = False

    # --- inputs -----------------------------------------------------------------------------------------

    def on_trade(self, trade: Trade) -> list[Candle]:
        """Candles that this trade made final; they come before it."""
        open_ms = self._interval(trade.time_ms)
        if open_ms < self.next_open_ms:
            self._add_late(trade, open_ms)
            return []
        self._compare_flagged(open_ms)
        final = self._advance(open_ms, "trades")
        running = self._running.get(open_ms)
        if running is None:
            self._running[open_ms] = _Running(
                trade.price, trade.price, trade.price, trade.price, trade.quantity
            )
        else:
            running.add(trade)
        return final

    def on_exchange_candle(self, candle: VenueCandle) -> list[Candle]:
        """The exchange's own candle, running or closed; one that was made final already changes nothing."""
        if not candle.closed or candle.open_ms < self.next_open_ms:
            return []
        self._closed[candle.open_ms] = candle
        return self._advance(self._frame.step(candle.open_ms), "flag")

    def on_time(self, exchange_ms: int, fresh: bool) -> list[Candle]:
        """Intervals that ended two seconds ago, if the stream is alive and nothing of them was missed."""
        settled_ms = exchange_ms - SETTLE_MS
        return self._advance(self._interval(settled_ms), "time") if fresh else []

    def overdue(self, exchange_ms: int) -> bool:
        """Whether the next candle should be final and must be fetched."""
        return exchange_ms >= self._frame.step(self.next_open_ms) + SETTLE_MS

    def on_history(self, candles: Iterable[VenueCandle], settled_ms: int) -> list[Candle]:
        """Candles fetched from `next_open_ms` on; those that ended by `settled_ms` are final, and intervals
        between or after them that the exchange left out had no trade."""
        known = {candle.open_ms: candle for candle in candles}
        final = []
        while self._frame.step(self.next_open_ms) <= settled_ms:
            found = known.get(self.next_open_ms)
            candle = self._from_exchange(found) if found else self._from_trades()
            final.append(self._emit(candle, "rest"))
        return final

    def _interval(self, time_ms: int) -> int:
        """When the interval opens that holds a time, which mostly is the same as the last time."""
        if not self._current[0] <= time_ms < self._current[1]:
            open_ms = self._frame.start(time_ms)
            self._current = (open_ms, self._frame.step(open_ms))
        return self._current[0]

    # --- making them final ------------------------------------------------------------------------------

    def _advance(self, until_open_ms: int, source: str) -> list[Candle]:
        """Finish intervals that open before `until_open_ms`, in order, as far as they are certain."""
        final = []
        while self.next_open_ms < until_open_ms:
            closed = self._closed.get(self.next_open_ms)
            if closed is not None:
                self._remember_flagged(closed)
                final.append(self._emit(self._from_exchange(closed), "flag"))
            elif self._trades_are_complete(self.next_open_ms):
                final.append(self._emit(self._from_trades(), source))
            else:
                break
        return final

    def _trades_are_complete(self, open_ms: int) -> bool:
        after = self._complete_after_ms
        return self._trust_trades and after is not None and after < open_ms

    def _from_trades(self) -> Candle:
        running = self._running.get(self.next_open_ms)
        if running is None:
            return self._flat()
        return self._candle(running.open, running.high, running.low, running.close, running.volume)

    def _from_exchange(self, candle: VenueCandle) -> Candle:
        return self._candle(candle.open, candle.high, candle.low, candle.close, candle.volume)

    def _flat(self) -> Candle:
        close = self._last.close
        return self._candle(close, close, close, close, Decimal(0))

    def _candle(self, open_: Decimal, high: Decimal, low: Decimal, close: Decimal, volume: Decimal) -> Candle:
        return Candle(
            market=self.market,
            timeframe=self.timeframe,
            open_ms=self.next_open_ms,
            close_ms=self._frame.step(self.next_open_ms),
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=volume,
            final=True,
        )

    def _emit(self, candle: Candle, source: str) -> Candle:
        self._running.pop(candle.open_ms, None)
        self._closed.pop(candle.open_ms, None)
        self.sources[source] += 1
        self._last = candle
        self.next_open_ms = candle.close_ms
        return candle

    # --- what the exchange says of it -------------------------------------------------------------------

    def correct(self, candle: Candle) -> None:
        """What is flat from now on is flat at the close of the newest candle as it was corrected."""
        if candle.open_ms == self._last.open_ms:
            self._last = candle

    def _remember_flagged(self, closed: VenueCandle) -> None:
        if self._trades_are_complete(closed.open_ms):
            self._flagged = (self._from_exchange(closed), self._running.get(closed.open_ms))

    def _add_late(self, trade: Trade, open_ms: int) -> None:
        if self._flagged and self._flagged[0].open_ms == open_ms:
            flagged, running = self._flagged
            if running is None:
                running = _Running(trade.price, trade.price, trade.price, trade.price, Decimal(0))
            running.add(trade)
            self._flagged = (flagged, running)

    def _compare_flagged(self, open_ms: int) -> None:
        """Count where the exchange's candle is not the one of its trades, now that these are all there."""
        if self._flagged is None or open_ms <= self._flagged[0].open_ms:
            return
        (candle, running), self._flagged = self._flagged, None
        if not self._trades_are_complete(candle.open_ms):
            return
        made = (running.open, running.high, running.low, running.close, running.volume) if running else None
        self.mismatches += made != shape(candle) if made else bool(candle.volume)


def shape(candle: Candle | VenueCandle) -> tuple[Decimal, ...]:
    """What can be wrong about a candle."""
    return candle.open, candle.high, candle.low, candle.close, candle.volume


def contiguous(candles: Iterable[VenueCandle], market: str, timeframe: str, until_ms: int) -> list[Candle]:
    """Fetched candles as final ones up to `until_ms`, flat ones where the exchange left intervals out. One
    that begins where none should is passed over: the first one's grid would be that of all."""
    frame = Timeframe(timeframe)
    ordered = sorted(candles, key=lambda candle: candle.open_ms)
    ended = [
        candle
        for candle in ordered
        if frame.step(candle.open_ms) <= until_ms and frame.start(candle.open_ms) == candle.open_ms
    ]
    if not ended:
        return []
    first = ended[0]
    before = Candle(
        market=market,
        timeframe=timeframe,
        open_ms=frame.step(first.open_ms, -1),
        close_ms=first.open_ms,
        open=first.open,
        high=first.open,
        low=first.open,
        close=first.open,
        volume=Decimal(0),
        final=True,
    )
    builder = CandleBuilder(before, trust_trades=False)
    return builder.on_history(ended, until_ms)
