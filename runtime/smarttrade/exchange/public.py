"""What anybody may see of an exchange: trades, best bid and ask, candles, time.

REST goes through one instance of ccxt. A market's streams are a feed of its own: native where the exchange
speaks Binance's protocol, through ccxt.pro everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Self

from smarttrade.api.catalogue import Endpoint
from smarttrade.exchange.binance_feed import BinanceFeed
from smarttrade.exchange.candle import VenueCandle
from smarttrade.exchange.ccxt_feed import (
    CcxtFeed,
    best_of,
    candle_from_ccxt,
    quote_from_ccxt,
    trade_from_ccxt,
    translated,
)
from smarttrade.exchange.endpoints import BINANCE_PROTOCOL, create_exchange, load_own_markets
from smarttrade.exchange.feed import MarketFeed
from smarttrade.exchange.loading import prepare_ccxt
from smarttrade.messages import Quote, Trade

_STREAM_CONFIG = {"enableRateLimit": False, "number": str}


class PublicVenue:
    """One exchange's public side: REST here, streams from `open_feed`."""

    def __init__(self, name: str, endpoint: Endpoint, rest: Any) -> None:
        self.name = name
        self._endpoint = endpoint
        self._rest = rest

    @classmethod
    async def open(cls, name: str, endpoint: Endpoint, symbols: Collection[str]) -> Self:
        """Connect and load the given markets. ConfigurationError: unknown exchange or market; VenueError."""
        prepare_ccxt()
        venue = cls(name, endpoint, create_exchange(name, endpoint, {"number": str}))
        try:
            await venue.load_markets(symbols)
        except BaseException:
            await venue.close()
            raise
        return venue

    async def load_markets(self, symbols: Collection[str]) -> None:
        await load_own_markets(self._rest, symbols)

    @property
    def consecutive_trade_ids(self) -> bool:
        """Whether trade ids of a market count by one, so that a gap can be seen."""
        return self.name in BINANCE_PROTOCOL

    def timeframes(self) -> Collection[str]:
        """Timeframes of which the exchange has candles."""
        return tuple(self._rest.timeframes or {})

    def symbols(self) -> Collection[str]:
        """The markets that are known."""
        return tuple(self._rest.markets or {})

    def market(self, symbol: str) -> Any:
        """ccxt's description of a market that is known."""
        return self._rest.markets[symbol]

    def open_feed(self, symbol: str, now_ms: Callable[[], int]) -> MarketFeed:
        """The streams of one market, not connected yet."""
        if self.name in BINANCE_PROTOCOL:
            url, identifier = self._rest.urls["api"]["ws"]["spot"], self.market(symbol)["id"]
            return BinanceFeed(url, symbol, identifier, self.timeframes(), now_ms)
        exchange = create_exchange(self.name, self._endpoint, _STREAM_CONFIG)
        exchange.set_markets([self.market(symbol)])
        return CcxtFeed(exchange, symbol, now_ms)

    async def fetch_candles(
        self, symbol: str, timeframe: str, since_ms: int, limit: int
    ) -> list[VenueCandle]:
        """At most `limit` candles that open at or after `since_ms`, oldest first; the last may be running."""
        async with translated(f"{timeframe} candles of {symbol} by REST"):
            rows = await self._rest.fetch_ohlcv(symbol, timeframe, since_ms, limit)
        return [candle_from_ccxt(row) for row in rows]

    async def fetch_trades(self, symbol: str, limit: int = 1000) -> list[Trade]:
        """The newest trades, oldest first."""
        async with translated(f"trades of {symbol} by REST"):
            trades = await self._rest.fetch_trades(symbol, None, limit)
        return [trade_from_ccxt(symbol, trade) for trade in trades]

    async def fetch_quote(self, symbol: str, now_ms: Callable[[], int]) -> Quote:
        """Best bid and ask."""
        async with translated(f"order book of {symbol} by REST"):
            best = best_of(await self._rest.fetch_order_book(symbol, 5))
            return quote_from_ccxt(symbol, best, now_ms())

    async def fetch_time_ms(self) -> int:
        async with translated(f"time of {self.name}"):
            return int(await self._rest.fetch_time())

    async def close(self) -> None:
        await self._rest.close()


async def open_public(name: str, endpoint: Endpoint, symbols: Collection[str]) -> PublicVenue:
    """The public side of an exchange at one endpoint, knowing the given markets only."""
    return await PublicVenue.open(name, endpoint, symbols)
