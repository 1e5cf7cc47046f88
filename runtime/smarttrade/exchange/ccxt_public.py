"""The public side of any exchange that ccxt.pro knows: one instance for REST, one more for every feed."""

from __future__ import annotations

from collections.abc import Callable, Collection

from smarttrade.api.catalogue import Endpoint
from smarttrade.exchange.candle import VenueCandle
from smarttrade.exchange.ccxt_feed import (
    CcxtFeed,
    best_of,
    candle_from_ccxt,
    quote_from_ccxt,
    trade_from_ccxt,
    translated,
)
from smarttrade.exchange.endpoints import KEEP_ALIVE_MS, create_exchange, load_own_markets
from smarttrade.exchange.exchange_time import ToldTime, ask_time
from smarttrade.exchange.route import Route
from smarttrade.exchange.watchable import find_lacks
from smarttrade.exchange.weights import limiter
from smarttrade.messages import Quote, Trade

_CANDLES_PAGE = 1_000
# Some exchanges never answer pings, while data comes: whether a stream lives is for its watchdog to judge.
_PATIENT = {"keepAlive": KEEP_ALIVE_MS, "maxPingPongMisses": 60}
_STREAM_CONFIG = {"enableRateLimit": False, "number": str, "streaming": _PATIENT}


class CcxtVenue:
    """`PublicVenue` through ccxt. ConfigurationError for an exchange that it does not know."""

    consecutive_trade_ids = False

    def __init__(
        self, name: str, endpoint: Endpoint, route: Route | None = None, share: float | None = None
    ) -> None:
        self.name = name
        self._endpoint, self._route = endpoint, route or Route(endpoint)
        config = {"number": str, **limiter(name, share)}
        self._rest = create_exchange(name, endpoint, config, route=self._route)
        spot = (self._rest.features or {}).get("spot") or {}
        self._candles_page = (spot.get("fetchOHLCV") or {}).get("limit") or _CANDLES_PAGE

    def lacks(self) -> str:
        return find_lacks(self._rest)

    async def load_markets(self, symbols: Collection[str]) -> None:
        await load_own_markets(self._rest, symbols)

    def timeframes(self) -> Collection[str]:
        return tuple(self._rest.timeframes or {})

    def symbols(self) -> Collection[str]:
        return tuple(self._rest.markets or {})

    def open_feed(self, symbol: str, now_ms: Callable[[], int]) -> CcxtFeed:
        exchange = create_exchange(self.name, self._endpoint, _STREAM_CONFIG, route=self._route)
        exchange.set_markets([self._rest.markets[symbol]])
        return CcxtFeed(exchange, symbol, now_ms)

    async def fetch_candles(
        self, symbol: str, timeframe: str, since_ms: int, limit: int
    ) -> list[VenueCandle]:
        """Page after page: one may be shorter than what was asked for, and what it leaves out must not pass
        for intervals without a trade.

        An empty page ends nothing before now. Of OKX, KuCoin and Gate ccxt asks for a window, as many candles
        long as are wanted, a month being 30 days; where it ends before the market began, or in a halt of
        trading, a later one has more. It moves by one candle less, because Gate's is so much shorter.
        """
        found: list[VenueCandle] = []
        async with translated(f"{timeframe} candles of {symbol} by REST"):
            length_ms = self._rest.parse_timeframe(timeframe) * 1000
            while len(found) < limit:
                count = max(2, min(limit - len(found), self._candles_page))
                rows = await self._rest.fetch_ohlcv(symbol, timeframe, since_ms, count)
                candles = sorted(map(candle_from_ccxt, rows), key=lambda candle: candle.open_ms)
                fresh = [candle for candle in candles if candle.open_ms >= since_ms]
                found += fresh
                since_ms = fresh[-1].open_ms + 1 if fresh else since_ms + (count - 1) * length_ms
                if not fresh and since_ms > self._rest.milliseconds():
                    break
        return found[:limit]

    async def fetch_trades(self, symbol: str, after: Trade | None = None) -> list[Trade]:
        """As many as the exchange gives unasked: of some any other number is an error."""
        async with translated(f"trades of {symbol} by REST"):
            trades = await self._rest.fetch_trades(symbol, after.time_ms if after else None)
            found = [trade_from_ccxt(symbol, trade) for trade in trades]
        return sorted(found, key=lambda trade: trade.time_ms)

    async def fetch_quote(self, symbol: str, now_ms: Callable[[], int]) -> Quote:
        async with translated(f"order book of {symbol} by REST"):
            best = best_of(await self._rest.fetch_order_book(symbol))
            return quote_from_ccxt(symbol, best, now_ms())

    async def fetch_time(self) -> ToldTime:
        async with translated(f"time of {self.name}"):
            return await ask_time(self._rest, self._rest.symbols[0])

    async def close(self) -> None:
        await self._rest.close()
