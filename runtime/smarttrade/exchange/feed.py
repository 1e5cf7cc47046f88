"""The live streams of one market, whoever speaks to the exchange.

A feed lives as long as its connection: what ends one raises VenueError from every `watch`, and the next
connection is a new feed. Nothing is raised on a stream that has merely fallen silent: `silence_ms` is what
a watchdog needs to notice.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from smarttrade.exchange.candle import VenueCandle
from smarttrade.messages import Book, Quote, Trade


class MarketFeed(Protocol):
    """Each `watch` waits for what is new since the last call, oldest first; VenueError: the feed is over."""

    symbol: str

    async def watch_trades(self) -> list[Trade]: ...

    async def watch_quotes(self) -> list[Quote]:
        """Best bid and ask; while a side of the book is empty there are none."""
        ...

    async def watch_books(self, levels: int) -> list[Book]:
        """The best `levels` of each side, one of `messages.BOOK_LEVELS` and the same in every call."""
        ...

    async def watch_candles(self, timeframe: str) -> list[VenueCandle]: ...

    def has_candles(self, timeframe: str) -> bool: ...

    def silence_ms(self) -> int | None:
        """Milliseconds since anything at all, a pong included, came in; None before the first message."""
        ...

    def answers_pings(self) -> bool:
        """Whether silence says something: an exchange that answers no pings may just have nothing to say."""
        ...

    async def heard(self, watching: asyncio.Task[Any]) -> None:
        """Wait for the first message of the connection, or for the end of what waits on it."""
        ...

    async def close(self) -> None: ...
