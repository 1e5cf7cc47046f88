"""Drives the market: applies the tape's events when they are due and closes candles on time.

The path is a function of elapsed market time; only its place on the wall clock differs between runs. The
beginning is aligned so that a recorded minute becomes exactly one candle of the compressed length.
"""

import asyncio
import math
from collections.abc import Callable
from itertools import islice

from smarttrade.matching import PublicTrade
from smarttrade.simulator.clock import ExchangeClock
from smarttrade.simulator.publisher import Publisher
from smarttrade.simulator.tape import Tape, TapeEvent, TapeTrade
from smarttrade.simulator.venue import Venue

HEARTBEAT_MS = 100
_MOST_AT_ONCE = 500


def build_origin(now_ms: int, history_ms: float, unit_ms: float, compress: float) -> float:
    """Exchange time of elapsed market time 0: `history_ms` ago, on a whole compressed `unit_ms`."""
    length = max(1.0, unit_ms / compress)
    return math.floor((now_ms - history_ms / compress) / length) * length


class Pump:
    """One task for all markets."""

    def __init__(
        self,
        venue: Venue,
        publisher: Publisher,
        tape: Tape | None,
        compress: float,
        origin_ms: float,
    ) -> None:
        self.venue = venue
        self.publisher = publisher
        self.clock: ExchangeClock = venue.clock
        self.lag_ms = 0.0
        self._tape = tape
        self._compress = compress
        self._origin_ms = origin_ms
        self._pending: TapeEvent | None = None
        self._skew_at_start_ms = self.clock.skew_ms
        self._beats = 0
        self.on_beat: list[Callable[[], None]] = []

    def due_ms(self, event: TapeEvent) -> int:
        return int(self._origin_ms + event.elapsed_ms / self._compress) + self.clock.skew_ms

    def fast_forward(self) -> None:
        """Apply what lies before now to candles and trades only, then set the book."""
        now_ms = self.clock.now_ms()
        last: dict[str, TapeEvent] = {}
        for event in self._tape or ():
            at_ms = self.due_ms(event)
            if at_ms >= now_ms:
                self._pending = event
                break
            if isinstance(event, TapeTrade):
                self._remember(event, at_ms)
            else:
                last[event.symbol] = event
        for event in last.values():
            self.venue.apply(event, now_ms)
        for data in self.venue.data.values():
            data.candles.advance(now_ms)
            data.candles.take_closed()

    def _remember(self, event: TapeTrade, at_ms: int) -> None:
        data = self.venue.by_symbol[event.symbol]
        data.add_trade(
            PublicTrade(
                data.market,
                data.state.next_trade_id,
                at_ms,
                event.price,
                event.quantity,
                event.buyer_is_maker,
                0,
                0,
            )
        )
        data.state.next_trade_id += 1
        data.state.last_price = event.price
        if len(data.trades) % 1000 == 0:
            data.candles.take_closed()

    async def run(self) -> None:
        """Until cancelled."""
        next_beat_ms = self._next_beat()
        while True:
            now_ms = self.clock.now_ms()
            busy = self._apply_due(now_ms)
            if now_ms >= next_beat_ms or next_beat_ms - now_ms > 2 * HEARTBEAT_MS:
                self._beat(now_ms)
                next_beat_ms = self._next_beat()
            wake_ms = min(next_beat_ms, self.due_ms(self._pending) if self._pending else next_beat_ms)
            await asyncio.sleep(0 if busy else max(0.0, (wake_ms - self.clock.now_ms()) / 1000))

    def _next_beat(self) -> int:
        now_ms = self.clock.now_ms()
        return now_ms - now_ms % HEARTBEAT_MS + HEARTBEAT_MS

    def _apply_due(self, now_ms: int) -> bool:
        """Apply due events, a bounded number at once; True while more are due."""
        for _ in range(_MOST_AT_ONCE):
            if self._pending is None:
                self._pending = next(islice(self._tape or (), 1), None)
            if self._pending is None or self.due_ms(self._pending) > now_ms:
                return False
            event, self._pending = self._pending, None
            at_ms = self.due_ms(event)
            self.lag_ms = now_ms - at_ms
            self._close_candles(event.symbol, at_ms)
            self.venue.apply(event, at_ms)
        return True

    def _close_candles(self, symbol: str, at_ms: int) -> None:
        self.publisher.closed_candles(self.venue.by_symbol[symbol], at_ms)

    def _beat(self, now_ms: int) -> None:
        self._beats += 1
        for data in self.venue.data.values():
            if data.trades:
                self.publisher.closed_candles(data, now_ms)
        self.publisher.beat(self._beats, now_ms)
        for action in self.on_beat:
            action()
