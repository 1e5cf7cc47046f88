"""The public side of Binance Spot and of who speaks its protocol, without ccxt.

Payloads: "Public Rest API for Binance", sections Exchange information, Recent trades list, Old trade lookup,
Kline, Order book and Check server time. What bites: the whole list of markets is megabytes long, so the
account's own are asked for by name, and the list is read only to find a market whose name is not made of its
two coins. ccxt's address of the streams has port 9443, which pods may not reach; Binance serves them at 443
as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import ConfigurationError, VenueError
from smarttrade.exchange.binance_feed import BinanceFeed
from smarttrade.exchange.candle import VenueCandle
from smarttrade.exchange.endpoints import build_urls
from smarttrade.exchange.exchange_time import ToldTime
from smarttrade.exchange.pacing import Pacer, TokenBucket, build_share, read_allowance
from smarttrade.exchange.rest_client import RestClient
from smarttrade.exchange.route import Route
from smarttrade.exchange.weights import BINANCE, Question
from smarttrade.messages import MALFORMED, Quote, Side, Trade

_PRODUCTION = {
    "binance": ("https://api.binance.com/api/v3", "wss://stream.binance.com/ws"),
    "binanceus": ("https://api.binance.us/api/v3", "wss://stream.binance.us/ws"),
}
_TESTNET = {"binance": ("https://testnet.binance.vision/api/v3", "wss://stream.testnet.binance.vision/ws")}
_TIMEFRAMES = (
    "1s",
    "1m",
    "3m",
    "5m",
    "15m",
    "30m",
    "1h",
    "2h",
    "4h",
    "6h",
    "8h",
    "12h",
    "1d",
    "3d",
    "1w",
    "1M",
)
_WEIGHT_HEADER, _WEIGHT_LIMIT = "x-mbx-used-weight-1m", 6_000
_REQUESTS_PER_S, _BURST = 20.0, 60.0
_OK, _BAD_REQUEST = 200, 400
_TRADES_PAGE = 1_000
_QUESTIONS = {
    "/exchangeInfo": Question.RULES,
    "/klines": Question.CANDLES,
    "/trades": Question.TRADES,
    "/historicalTrades": Question.TRADES,
    "/depth": Question.BOOK,
    "/time": Question.TIME,
}


class _Market(msgspec.Struct):
    symbol: str
    baseAsset: str  # noqa: N815 - the protocol's names
    quoteAsset: str  # noqa: N815
    isSpotTradingAllowed: bool = True  # noqa: N815


class _Markets(msgspec.Struct):
    symbols: list[_Market]


class _Trade(msgspec.Struct):
    id: int
    price: Decimal
    qty: Decimal
    time: int
    isBuyerMaker: bool  # noqa: N815


class _Depth(msgspec.Struct):
    lastUpdateId: int  # noqa: N815
    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]


class _Time(msgspec.Struct):
    serverTime: int  # noqa: N815


class _Refusal(msgspec.Struct):
    code: int = 0
    msg: str = ""


class _BadRequestError(VenueError):
    """The exchange says that the question is wrong."""


T = TypeVar("T")
Parameters = Mapping[str, str | int]
_Row = tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]


class BinanceVenue:
    """`PublicVenue` of Binance Spot's protocol."""

    consecutive_trade_ids = True

    def __init__(
        self, name: str, endpoint: Endpoint, route: Route | None = None, share: float | None = None
    ) -> None:
        rest, self._streams = _addresses(name, endpoint)
        self.name = name
        self._route = route or Route(endpoint)
        self._rest = RestClient(rest, route=self._route)
        requests = TokenBucket(_REQUESTS_PER_S, _BURST, 0.0)
        self._pacer = Pacer(requests, build_share(share) if share else None, BINANCE)
        self._identifiers: dict[str, str] = {}

    def lacks(self) -> str:
        return ""

    async def load_markets(self, symbols: Collection[str]) -> None:
        wanted = set(symbols)
        what = f"cannot load the markets of {self.name}"
        names = msgspec.json.encode([symbol.replace("/", "") for symbol in sorted(wanted)]).decode()
        try:
            listed = await self._get("/exchangeInfo", {"symbols": names}, _Markets, what)
        except _BadRequestError:
            listed = await self._get("/exchangeInfo", {}, _Markets, what)
        spot = [market for market in listed.symbols if market.isSpotTradingAllowed]
        known = {f"{market.baseAsset}/{market.quoteAsset}": market.symbol for market in spot}
        missing = ", ".join(sorted(wanted - known.keys()))
        if missing:
            raise ConfigurationError(f"{self.name} has no spot market {missing}: correct spec.markets")
        self._identifiers = {symbol: known[symbol] for symbol in wanted}

    def timeframes(self) -> Collection[str]:
        return _TIMEFRAMES

    def symbols(self) -> Collection[str]:
        return tuple(self._identifiers)

    def open_feed(self, symbol: str, now_ms: Callable[[], int]) -> BinanceFeed:
        identifier = self._identifiers[symbol]
        return BinanceFeed(self._streams, symbol, identifier, _TIMEFRAMES, now_ms, self._route)

    async def fetch_candles(
        self, symbol: str, timeframe: str, since_ms: int, limit: int
    ) -> list[VenueCandle]:
        asked: Parameters = {"interval": timeframe, "startTime": since_ms, "limit": limit}
        what = f"{timeframe} candles of {symbol} by REST"
        rows = await self._get("/klines", self._of(symbol, asked), list[list[Any]], what)
        try:
            found = msgspec.convert([row[:6] for row in rows], list[_Row])
        except msgspec.MsgspecError as error:
            raise VenueError(f"{what}: {error}") from error
        return [VenueCandle(*row, closed=False) for row in found]

    async def fetch_trades(self, symbol: str, after: Trade | None = None) -> list[Trade]:
        path, asked = "/trades", self._of(symbol, {"limit": _TRADES_PAGE})
        if after:
            path, asked = "/historicalTrades", {**asked, "fromId": int(after.id) + 1}
        return [
            Trade(
                market=symbol,
                id=str(trade.id),
                price=trade.price,
                quantity=trade.qty,
                side=Side.SELL if trade.isBuyerMaker else Side.BUY,
                time_ms=trade.time,
            )
            for trade in await self._get(path, asked, list[_Trade], f"trades of {symbol} by REST")
        ]

    async def fetch_quote(self, symbol: str, now_ms: Callable[[], int]) -> Quote:
        what = f"order book of {symbol} by REST"
        book = await self._get("/depth", self._of(symbol, {"limit": 5}), _Depth, what)
        if not book.bids or not book.asks:
            raise VenueError(f"{what}: a side of it is empty")
        (bid, bid_quantity), (ask, ask_quantity) = book.bids[0], book.asks[0]
        return Quote(
            market=symbol,
            bid=bid,
            bid_quantity=bid_quantity,
            ask=ask,
            ask_quantity=ask_quantity,
            time_ms=now_ms(),
            update_id=book.lastUpdateId,
        )

    async def fetch_time(self) -> ToldTime:
        return ToldTime((await self._get("/time", {}, _Time, f"time of {self.name}")).serverTime)

    async def close(self) -> None:
        self._rest.close()

    def _of(self, symbol: str, asked: Parameters) -> Parameters:
        return {"symbol": self._identifiers[symbol], **asked}

    async def _get(self, path: str, parameters: Parameters, kind: type[T], what: str) -> T:
        await self._pacer.take(_QUESTIONS[path])
        try:
            answer = await self._rest.get(path, parameters)
            self._pacer.heed(read_allowance(answer.headers, _WEIGHT_HEADER, _WEIGHT_LIMIT))
            if answer.status == _OK:
                return msgspec.json.decode(answer.body, type=kind)
        except (VenueError, *MALFORMED) as error:
            raise VenueError(f"{what}: {error}") from error
        told = f"{what}: status {answer.status}: {_words(answer.body)}"
        raise _BadRequestError(told) if answer.status == _BAD_REQUEST else VenueError(told)


def _addresses(name: str, endpoint: Endpoint) -> tuple[str, str]:
    known = (_TESTNET if endpoint.sandbox else _PRODUCTION).get(name)
    if known is None:
        raise ConfigurationError(f"exchange {name!r} has no test environment: choose Production")
    urls = build_urls(endpoint)
    return urls.get("rest", known[0]), urls.get("websocket", known[1])


def _words(body: bytes) -> str:
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except MALFORMED:
        return body[:200].decode(errors="replace")
    return f"{refusal.code} {refusal.msg}"
