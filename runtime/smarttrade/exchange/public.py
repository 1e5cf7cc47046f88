"""What anybody may see of an exchange: trades, best bid and ask, candles, time. Adapter over ccxt.pro.

One instance of ccxt for REST, and one a market for its streams: all of a market's streams share a
connection, and a connection that went bad is replaced with its instance, because ccxt keeps caches and
subscriptions across redials. ccxt raises nothing on a stream that has fallen silent; `last_heard_ms` is
what a watchdog needs to notice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Self

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import VenueError
from smarttrade.exchange.candle import VenueCandle
from smarttrade.exchange.endpoints import BINANCE_PROTOCOL, create_exchange, load_own_markets
from smarttrade.exchange.loading import load_exchange_class, prepare_ccxt
from smarttrade.messages import Quote, Side, Trade

_STREAM_CONFIG = {"enableRateLimit": False, "number": str}


@asynccontextmanager
async def _translated(what: str) -> AsyncIterator[None]:
    try:
        yield
    except Exception as error:  # ccxt raises anything at all on a malformed message or an empty book
        raise VenueError(f"{what}: {type(error).__name__}: {error}") from error


def exact(value: Any) -> Decimal:
    """A price or quantity from ccxt, string or float, as it was written."""
    return Decimal(str(value))


def trade_from_ccxt(market: str, trade: dict[str, Any]) -> Trade:
    return Trade(
        market=market,
        id=str(trade["id"]),
        price=exact(trade["price"]),
        quantity=exact(trade["amount"]),
        side=Side.SELL if trade["side"] == "sell" else Side.BUY,
        time_ms=int(trade["timestamp"]),
    )


def quote_from_ccxt(market: str, ticker: dict[str, Any], now_ms: int) -> Quote:
    update_id = (ticker.get("info") or {}).get("u", 0)
    return Quote(
        market=market,
        bid=exact(ticker["bid"]),
        bid_quantity=exact(ticker.get("bidVolume") or 0),
        ask=exact(ticker["ask"]),
        ask_quantity=exact(ticker.get("askVolume") or 0),
        time_ms=int(ticker.get("timestamp") or now_ms),
        update_id=update_id if isinstance(update_id, int) else 0,
    )


def candle_from_ccxt(row: Sequence[Any], closed: bool) -> VenueCandle:
    open_, high, low, close, volume = (exact(value) for value in row[1:6])
    return VenueCandle(int(row[0]), open_, high, low, close, volume, closed)


def with_closed_flags(exchange_class: type[Any]) -> type[Any]:
    """Binance says in its candle stream when a candle is closed; ccxt drops that. This keeps it."""

    class Flagged(exchange_class):  # type: ignore[misc]
        def __init__(self, config: dict[str, Any]) -> None:
            self.closed_ms: dict[str, int] = {}
            super().__init__(config)

        def handle_ohlcv(self, client: Any, message: dict[str, Any]) -> None:
            kline = message.get("k", {})
            if kline.get("x"):
                self.closed_ms[kline["i"]] = int(kline["t"])
            super().handle_ohlcv(client, message)

    return Flagged


class MarketFeed:
    """The live streams of one market over one connection. Each `watch` waits for what is new."""

    def __init__(self, exchange: Any, symbol: str, now_ms: Callable[[], int]) -> None:
        self._exchange = exchange
        self._now_ms = now_ms
        self.symbol = symbol

    async def watch_trades(self) -> list[Trade]:
        async with _translated(f"trades of {self.symbol}"):
            trades = await self._exchange.watch_trades(self.symbol)
        return [trade_from_ccxt(self.symbol, trade) for trade in trades]

    async def watch_quote(self) -> Quote:
        """The next best bid and ask; while a side of the book is empty there is none."""
        while True:
            async with _translated(f"quotes of {self.symbol}"):
                ticker = await self._watch_best()
            if ticker.get("bid") and ticker.get("ask"):
                return quote_from_ccxt(self.symbol, ticker, self._now_ms())

    async def _watch_best(self) -> dict[str, Any]:
        if not self._exchange.has.get("watchBidsAsks"):
            return _best(await self._exchange.watch_order_book(self.symbol))
        tickers = await self._exchange.watch_bids_asks([self.symbol])
        ticker: dict[str, Any] = tickers.get(self.symbol, tickers)
        return ticker

    async def watch_candles(self, timeframe: str) -> list[VenueCandle]:
        async with _translated(f"{timeframe} candles of {self.symbol}"):
            rows = await self._exchange.watch_ohlcv(self.symbol, timeframe)
        closed = getattr(self._exchange, "closed_ms", {}).get(timeframe, 0)
        return [candle_from_ccxt(row, closed=row[0] <= closed) for row in rows]

    def has_candles(self, timeframe: str) -> bool:
        return bool(self._exchange.has.get("watchOHLCV")) and timeframe in (self._exchange.timeframes or {})

    def silence_ms(self) -> int | None:
        """Milliseconds since anything at all, a pong included, came in; None before the first message."""
        heard = [
            max(client.last_message_at or 0, client.lastPong or 0)
            for client in self._exchange.clients.values()
        ]
        newest = max(heard, default=0)
        return max(0, int(time.time() * 1000) - newest) if newest else None

    async def heard(self, watching: asyncio.Task[Any]) -> None:
        """Wait for the first message of the connection, or for the end of what waits on it."""
        while self.silence_ms() is None and not watching.done():  # noqa: ASYNC110 - ccxt does not tell
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        await self._exchange.close()


def _best(book: Any) -> dict[str, Any]:
    bid, ask = (next(iter(book[side]), (None, None)) for side in ("bids", "asks"))
    return {
        "bid": bid[0],
        "bidVolume": bid[1],
        "ask": ask[0],
        "askVolume": ask[1],
        "timestamp": book.get("timestamp"),
        "info": {"u": book.get("nonce")},
    }


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

    def open_feed(self, symbol: str, now_ms: Callable[[], int]) -> MarketFeed:
        exchange_class = load_exchange_class(self.name)
        if self.name in BINANCE_PROTOCOL:
            exchange_class = with_closed_flags(exchange_class)
        exchange = create_exchange(self.name, self._endpoint, _STREAM_CONFIG, exchange_class)
        exchange.set_markets([self._rest.markets[symbol]])
        return MarketFeed(exchange, symbol, now_ms)

    async def fetch_candles(
        self, symbol: str, timeframe: str, since_ms: int, limit: int
    ) -> list[VenueCandle]:
        """At most `limit` candles that open at or after `since_ms`, oldest first; the last may be running."""
        async with _translated(f"{timeframe} candles of {symbol} by REST"):
            rows = await self._rest.fetch_ohlcv(symbol, timeframe, since_ms, limit)
        return [candle_from_ccxt(row, closed=False) for row in rows]

    async def fetch_trades(self, symbol: str, limit: int = 1000) -> list[Trade]:
        """The newest trades, oldest first."""
        async with _translated(f"trades of {symbol} by REST"):
            trades = await self._rest.fetch_trades(symbol, None, limit)
        return [trade_from_ccxt(symbol, trade) for trade in trades]

    async def fetch_quote(self, symbol: str, now_ms: Callable[[], int]) -> Quote:
        """Best bid and ask."""
        async with _translated(f"order book of {symbol} by REST"):
            best = _best(await self._rest.fetch_order_book(symbol, 5))
            return quote_from_ccxt(symbol, best, now_ms())

    async def fetch_time_ms(self) -> int:
        async with _translated(f"time of {self.name}"):
            return int(await self._rest.fetch_time())

    async def close(self) -> None:
        await self._rest.close()


async def open_public(name: str, endpoint: Endpoint, symbols: Collection[str]) -> PublicVenue:
    """The public side of an exchange at one endpoint, knowing the given markets only."""
    return await PublicVenue.open(name, endpoint, symbols)
