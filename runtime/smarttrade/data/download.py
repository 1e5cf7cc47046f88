"""Candles from an exchange into a store: what is missing, page after page, oldest first.

A page that holds fewer candles than it could is an answer, too: what lies between is a gap of the exchange.
The candle that still runs is never kept. What bites: some exchanges answer with their newest candles whatever
is asked; the older ones then are gaps as well, and the summary says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from smarttrade.data.coverage import Span
from smarttrade.data.series import month_of
from smarttrade.data.store import SeriesStore
from smarttrade.errors import VenueError
from smarttrade.exchange.candle import VenueCandle
from smarttrade.simulator.recorded import RecordedCandle
from smarttrade.timeframe import Timeframe

PAGE = 1_000
_KEEP_ROWS = 20_000
_KEEP_S = 1.0
_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0)


class CandleSource(Protocol):
    """The part of `exchange.public.PublicVenue` that a download needs."""

    async def fetch_candles(
        self, symbol: str, timeframe: str, since_ms: int, limit: int
    ) -> Sequence[VenueCandle]: ...


@dataclass(slots=True)
class Download:
    """One series. `told` is called with the milliseconds of market time that are done, also those that had
    been there before; `paused` with a failure that is tried again."""

    store: SeriesStore
    source: CandleSource
    wanted: Span
    told: Callable[[int], None] = lambda done_ms: None
    paused: Callable[[VenueError, float], None] = lambda error, pause_s: None
    pauses_s: Sequence[float] = _PAUSES_S
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    fetched: int = 0
    _rows: list[RecordedCandle] = field(default_factory=list)
    _asked: Span | None = None
    _kept_s: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        """Fetch what is missing. VenueError when the exchange fails for good; what came is kept."""
        with self.store.locked():
            holes = self.store.missing(self.wanted)
            done_ms = self.wanted.end_ms - self.wanted.begin_ms - sum(b - a for a, b in holes)
            self.told(done_ms)
            for hole in holes:
                try:
                    done_ms = await self._fill(hole, done_ms)
                finally:
                    self._keep()

    async def _fill(self, hole: Span, done_ms: int) -> int:
        at_ms = hole.begin_ms
        while at_ms < hole.end_ms:
            page = await self._fetch(at_ms)
            rows = [candle for candle in page if at_ms <= candle.open_ms < hole.end_ms]
            next_ms = self._after(page, at_ms, hole)
            self._take(rows, Span(at_ms, next_ms))
            done_ms += next_ms - at_ms
            self.told(done_ms)
            at_ms = next_ms
        return done_ms

    def _after(self, page: Sequence[VenueCandle], at_ms: int, hole: Span) -> int:
        """Up to where the answer tells all."""
        length_ms = self.store.series.length_ms
        later = [candle.open_ms for candle in page if candle.open_ms >= at_ms]
        next_ms = later[-1] + length_ms if later else at_ms + PAGE * length_ms
        return min(next_ms, hole.end_ms)

    async def _fetch(self, at_ms: int) -> Sequence[VenueCandle]:
        series = self.store.series
        for pause_s in self.pauses_s:
            try:
                return await self.source.fetch_candles(series.market, series.timeframe, at_ms, PAGE)
            except VenueError as error:
                self.paused(error, pause_s)
                await self.sleep(pause_s)
        return await self.source.fetch_candles(series.market, series.timeframe, at_ms, PAGE)

    def _take(self, rows: Sequence[VenueCandle], asked: Span) -> None:
        if self._rows and rows and month_of(rows[-1].open_ms) != month_of(self._rows[0].open_ms):
            self._keep()
        self.fetched += len(rows)
        self._rows += [
            RecordedCandle(each.open_ms, each.open, each.high, each.low, each.close, each.volume)
            for each in rows
        ]
        self._asked = Span(self._asked.begin_ms, asked.end_ms) if self._asked else asked
        if len(self._rows) >= _KEEP_ROWS or time.monotonic() - self._kept_s >= _KEEP_S:
            self._keep()

    def _keep(self) -> None:
        if self._asked is not None:
            self.store.add(self._rows, self._asked)
        self._rows, self._asked, self._kept_s = [], None, time.monotonic()


def whole_span(begin_ms: int, end_ms: int, now_ms: int, timeframe: Timeframe) -> Span:
    """The span of whole candles that are over."""
    first_ms = timeframe.start(begin_ms)
    first_ms = first_ms if first_ms == begin_ms else timeframe.step(first_ms)
    return Span(first_ms, timeframe.start(min(end_ms, now_ms)))
