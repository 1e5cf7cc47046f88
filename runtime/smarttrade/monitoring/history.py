"""Final candles of one market and timeframe: the past by REST, the present from the builder.

Both are one sequence: the builder begins exactly after the newest fetched candle, and what it makes final is
appended. Older candles are fetched in pages when somebody asks for more than there is. Every final candle is
compared with the exchange's own once more, some seconds later, and corrected where that says otherwise.

What bites: an answer is as old as its question. What has surely ended is judged before the exchange is asked:
a candle that ran when it answered must not pass for closed because the answer was long on its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import takewhile
from typing import Protocol

import msgspec

from smarttrade.errors import VenueError
from smarttrade.exchange.candle import VenueCandle
from smarttrade.messages import Candle
from smarttrade.monitoring.candles import CandleBuilder, contiguous, shape
from smarttrade.timeframe import Timeframe

_PAGE = 1_000
_FIRST = 300
_LIVE_ROOM = 500
_REST_SETTLE_MS = 1_000
_REVIEW_AFTER_MS = 5_000
_REVIEW_EVERY_MS = 60_000


class CandleSource(Protocol):
    """Where candles are fetched, such as PublicVenue."""

    async def fetch_candles(
        self, symbol: str, timeframe: str, since_ms: int, limit: int
    ) -> list[VenueCandle]: ...


class CandleHistory:
    """Newest last. `on_open` is called once, at the moment from which the builder must get every trade."""

    def __init__(
        self,
        source: CandleSource,
        market: str,
        timeframe: str,
        now_ms: Callable[[], int],
        *,
        trust_trades: bool,
        on_open: Callable[[CandleHistory], None] = lambda _: None,
    ) -> None:
        self._source = source
        self.market = market
        self.timeframe = timeframe
        self._frame = Timeframe(timeframe)
        self._now_ms = now_ms
        self._trust_trades = trust_trades
        self._on_open = on_open
        self._candles: list[Candle] = []
        self._keep = _FIRST
        self._exhausted = False
        self._lock = asyncio.Lock()
        self.builder: CandleBuilder | None = None
        self.corrected = 0
        self._reviewed_ms = 0
        """Up to where candles have been compared with the exchange's own."""
        self._review_at_ms = 0

    async def open(self) -> CandleBuilder:
        """Fetch the newest past and begin to build after it. VenueError if the exchange does not answer."""
        async with self._lock:
            if self.builder is None:
                self._candles = await self._fetch_until(self._settled_ms(), _FIRST)
                if not self._candles:
                    raise VenueError(f"the exchange has no {self.timeframe} candles of {self.market} yet")
                self.builder = CandleBuilder(self._candles[-1], trust_trades=self._trust_trades)
                newest, told_late_ms = self._candles[-1], self._settled_ms() - _REVIEW_AFTER_MS
                self._reviewed_ms = newest.open_ms if newest.close_ms > told_late_ms else newest.close_ms
                self._on_open(self)
            return self.builder

    def distrust(self) -> None:
        """Trades do not prove candles complete, now or later."""
        self._trust_trades = False
        if self.builder:
            self.builder.distrust()

    def append(self, candles: list[Candle]) -> None:
        """What the builder made final."""
        self._candles += candles
        if len(self._candles) > self._keep + _LIVE_ROOM:
            del self._candles[: len(self._candles) - self._keep]
            self._exhausted = False

    async def newest(self, count: int, before_ms: int = 0) -> list[Candle]:
        """The last `count` candles that open before `before_ms` (0: all), fewer if there are no more."""
        await self.open()
        async with self._lock:
            while not self._exhausted and len(self._before(before_ms)) < count:
                await self._fetch_older(count)
        return self._before(before_ms)[-count:]

    async def fetch_missing(self) -> list[Candle]:
        """Fetch from the builder's next interval on and return what that made final."""
        builder = await self.open()
        settled_ms = self._settled_ms()
        rows = await self._fetch(builder.next_open_ms, _PAGE)
        return builder.on_history(rows, rows[-1].open_ms if len(rows) >= _PAGE else settled_ms)

    # --- corrections ------------------------------------------------------------------------------------

    def is_review_due(self) -> bool:
        """Whether there are final candles that have not been compared, and enough time has passed."""
        unseen = bool(self._candles) and self._reviewed_ms < self._candles[-1].close_ms
        due_ms = max(self._review_at_ms, self._frame.step(self._reviewed_ms))
        return unseen and self._now_ms() - _REVIEW_AFTER_MS >= due_ms

    async def review(self) -> list[Candle]:
        """Ask for the candles that have not been compared yet; those that the exchange has otherwise."""
        settled_ms = self._now_ms() - _REVIEW_AFTER_MS
        rows = await self._fetch(self._reviewed_ms, _PAGE)
        ended = [row for row in rows if self._frame.step(row.open_ms) <= settled_ms]
        settled_ms = self._frame.step(ended[-1].open_ms) if len(rows) >= _PAGE else settled_ms
        until_ms = min(self._candles[-1].close_ms, self._frame.start(settled_ms))
        self._reviewed_ms = max(self._reviewed_ms, until_ms)
        self._review_at_ms = settled_ms + _REVIEW_EVERY_MS
        return self.correct(ended)

    def correct(self, rows: list[VenueCandle]) -> list[Candle]:
        """Take over what the exchange says of candles that were final already, and what follows from it."""
        said = {row.open_ms: row for row in rows}
        corrections: list[Candle] = []
        for position, ours in enumerate(self._candles):
            row = said.get(ours.open_ms)
            if row is None:
                row = self._still_flat(ours, corrections)
            if row and shape(row) != shape(ours):
                corrections.append(self._corrected(position, ours, row))
        self.corrected += len(corrections)
        return corrections

    def _still_flat(self, ours: Candle, corrections: list[Candle]) -> VenueCandle | None:
        """An interval without a trade is flat at the close before it, also where that was corrected."""
        before = corrections[-1] if corrections else None
        if ours.volume or before is None or before.close_ms != ours.open_ms:
            return None
        return VenueCandle(ours.open_ms, *(before.close,) * 4, ours.volume, closed=True)

    def _corrected(self, position: int, ours: Candle, row: VenueCandle) -> Candle:
        open_, high, low, close, volume = shape(row)
        made = msgspec.structs.replace(ours, open=open_, high=high, low=low, close=close, volume=volume)
        self._candles[position] = made
        if self.builder:
            self.builder.correct(made)
        return msgspec.structs.replace(made, correction=True)

    def _before(self, before_ms: int) -> list[Candle]:
        if not before_ms:
            return self._candles
        return list(takewhile(lambda candle: candle.open_ms < before_ms, self._candles))

    async def _fetch_older(self, count: int) -> None:
        older = await self._fetch_until(self._candles[0].open_ms, min(count, _PAGE))
        self._exhausted = not older
        self._candles[:0] = older
        self._keep = max(self._keep, len(self._candles))

    async def _fetch_until(self, until_ms: int, count: int) -> list[Candle]:
        until_ms = self._frame.start(until_ms)
        rows = await self._fetch(max(0, self._frame.step(until_ms, -count)), count + 1)
        inside = [row for row in rows if row.open_ms < until_ms]
        return contiguous(inside, self.market, self.timeframe, until_ms)

    async def _fetch(self, since_ms: int, limit: int) -> list[VenueCandle]:
        """VenueError if the exchange's candles all begin at other times than ours, as weeks on Thursday do:
        every one of ours would be taken for an interval without a trade."""
        rows = await self._source.fetch_candles(self.market, self.timeframe, since_ms, limit)
        if rows and all(self._frame.start(row.open_ms) != row.open_ms for row in rows):
            raise VenueError(
                f"the exchange's {self.timeframe} candles of {self.market} begin at other times than ours "
                f"(one at {rows[-1].open_ms} ms): choose another timeframe"
            )
        return rows

    def _settled_ms(self) -> int:
        return self._now_ms() - _REST_SETTLE_MS
