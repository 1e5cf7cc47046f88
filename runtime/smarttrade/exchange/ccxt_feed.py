"""The streams of any exchange that ccxt.pro knows.

One ccxt instance a market, because all of a market's streams share a connection, and a connection that went
bad is replaced with its instance: ccxt keeps caches and subscriptions across redials.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from smarttrade.errors import VenueError
from smarttrade.exchange.candle import VenueCandle
from smarttrade.messages import Book, Quote, Side, Trade

_LISTEN_S = 0.02
_PONGS = 2


@asynccontextmanager
async def translated(what: str) -> AsyncIterator[None]:
    """Whatever goes wrong inside becomes a VenueError that begins with `what`."""
    try:
        yield
    except Exception as error:  # ccxt raises anything at all on a malformed message or an empty book
        raise VenueError(f"{what}: {type(error).__name__}: {error}") from error


class CcxtFeed:
    """One market's streams through an instance of ccxt.pro, which it closes."""

    def __init__(self, exchange: Any, symbol: str, now_ms: Callable[[], int]) -> None:
        self._exchange = exchange
        self._now_ms = now_ms
        self._pongs: dict[str, set[int]] = {}
        self.symbol = symbol

    async def watch_trades(self) -> list[Trade]:
        async with translated(f"trades of {self.symbol}"):
            trades = await self._exchange.watch_trades(self.symbol)
        return [trade_from_ccxt(self.symbol, trade) for trade in trades]

    async def watch_quotes(self) -> list[Quote]:
        while True:
            async with translated(f"quotes of {self.symbol}"):
                ticker = await self._watch_best()
            if ticker.get("bid") and ticker.get("ask"):
                return [quote_from_ccxt(self.symbol, ticker, self._now_ms())]

    async def _watch_best(self) -> dict[str, Any]:
        if not self._exchange.has.get("watchBidsAsks"):
            return best_of(await self._exchange.watch_order_book(self.symbol))
        tickers = await self._exchange.watch_bids_asks([self.symbol])
        ticker: dict[str, Any] = tickers.get(self.symbol, tickers)
        return ticker

    async def watch_books(self, levels: int) -> list[Book]:
        async with translated(f"order book of {self.symbol}"):
            book = await self._exchange.watch_order_book(self.symbol)
        return [book_from_ccxt(self.symbol, book, levels, self._now_ms())]

    async def watch_candles(self, timeframe: str) -> list[VenueCandle]:
        async with translated(f"{timeframe} candles of {self.symbol}"):
            rows = await self._exchange.watch_ohlcv(self.symbol, timeframe)
        return [candle_from_ccxt(row) for row in rows]

    def has_candles(self, timeframe: str) -> bool:
        return bool(self._exchange.has.get("watchOHLCV")) and timeframe in (self._exchange.timeframes or {})

    def silence_ms(self) -> int | None:
        heard = [
            max(client.last_message_at or 0, client.lastPong or 0)
            for client in self._exchange.clients.values()
        ]
        newest = max(heard, default=0)
        return max(0, int(time.time() * 1000) - newest) if newest else None

    def answers_pings(self) -> bool:
        """ccxt counts its first ping as answered, so only the answer after that is one."""
        for url, client in self._exchange.clients.items():
            if client.lastPong and len(seen := self._pongs.setdefault(url, set())) < _PONGS:
                seen.add(client.lastPong)
        return any(len(seen) == _PONGS for seen in self._pongs.values())

    async def heard(self, watching: asyncio.Task[Any]) -> None:
        while self.silence_ms() is None and not watching.done():  # noqa: ASYNC110 - ccxt does not tell
            await asyncio.sleep(_LISTEN_S)

    async def close(self) -> None:
        await self._exchange.close()


def exact(value: Any) -> Decimal:
    """A price or quantity from ccxt, string or float, as it was written."""
    return Decimal(str(value))


def trade_from_ccxt(market: str, trade: dict[str, Any]) -> Trade:
    """The id is empty where the exchange gives its trades none."""
    return Trade(
        market=market,
        id=str(trade.get("id") or ""),
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


def book_from_ccxt(market: str, book: Any, levels: int, now_ms: int) -> Book:
    bids, asks = (
        [(exact(price), exact(quantity)) for price, quantity, *_ in book[side][:levels]]
        for side in ("bids", "asks")
    )
    nonce = book.get("nonce")
    return Book(
        market=market,
        bids=bids,
        asks=asks,
        time_ms=int(book.get("timestamp") or now_ms),
        update_id=nonce if isinstance(nonce, int) else 0,
    )


def candle_from_ccxt(row: Sequence[Any]) -> VenueCandle:
    """ccxt does not tell whether a candle is closed, so it never is."""
    open_, high, low, close, volume = (exact(value) for value in row[1:6])
    return VenueCandle(int(row[0]), open_, high, low, close, volume, closed=False)


def best_of(book: Any) -> dict[str, Any]:
    """Best bid and ask of ccxt's order book, in the form of its ticker."""
    bid, ask = (next(iter(book[side]), (None, None)) for side in ("bids", "asks"))
    return {
        "bid": bid[0],
        "bidVolume": bid[1],
        "ask": ask[0],
        "askVolume": ask[1],
        "timestamp": book.get("timestamp"),
        "info": {"u": book.get("nonce")},
    }
