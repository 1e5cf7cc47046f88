"""The exchange's own words, by the real adapters and ccxt: the account's stream of orders, and REST answers.

Only the network is left out: ccxt's socket is handed text, its HTTP session answers with it. What is
understood goes to an execution that leads and has an order at the exchange; its log must be readable then.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aiohttp import WSMsgType

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import ConfigurationError, VenueError
from smarttrade.exchange import endpoints, rest_client
from smarttrade.exchange.binance_public import BinanceVenue
from smarttrade.exchange.capabilities import CAPABILITIES
from smarttrade.exchange.venue import Credentials, Venue
from smarttrade.execution import effects as fx
from smarttrade.matching import Market
from smarttrade.simulator.render_rules import build_symbol
from tests.attacks.fuzz import Consumer
from tests.unit.execution.desk import BTC, Desk, build_filters

LONG_RUN = 200
FAR_MS = 1_900_000_000_000
# A market that is not listed is the object's mistake.
REFUSES = (VenueError, ConfigurationError)
# ccxt works 1e999999 out to its last digit, for seconds; an exchange that sends it is out of scope.
LESS_ABSURD = (b"999999", b"999")
ORDER_ID = 4293153


class _UnheardError(VenueError):
    """Nothing of it was for whoever waits."""


class _Reply:
    """What ccxt's HTTP session brings for any request."""

    status, reason, content = 200, "OK", object()

    def __init__(self, body: bytes) -> None:
        self._body, self.headers = body, {"X-MBX-USED-WEIGHT-1M": "5"}

    async def text(self, **_: Any) -> str:
        return self._body.decode("utf-8", "replace")


class _Wire:
    """The adapter, and the one text that comes to it next."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.text = b""
        self.loop.run_until_complete(self._open())

    async def _open(self) -> None:
        self.venue = Venue(CAPABILITIES["binance"], Endpoint(), Credentials("key", "c2VjcmV0"), [BTC])
        self.venue._pacer.take = _at_once  # type: ignore[method-assign, assignment]
        for exchange in (self.venue._orders, self.venue._polling, self.venue._stream):
            exchange.open = lambda *_: None
            exchange.session = SimpleNamespace(get=self._ask, headers={})
        self.text = json.dumps(_RULES).encode()
        await self.venue.read_filters()
        stream = self.venue._stream
        stream.asyncio_loop = self.loop
        stream.authenticate, stream.watch = _at_once, self._watch

    @asynccontextmanager
    async def _ask(self, *_: Any, **__: Any) -> Any:
        yield _Reply(self.text)

    async def _watch(self, url: str, topic: str, *_: Any) -> Any:
        client = self.venue._stream.client(url)
        client.subscriptions.setdefault("spot", True)
        heard = client.future(topic)
        client.handle_message(SimpleNamespace(type=WSMsgType.TEXT, data=self.text.decode("utf-8", "replace")))
        if not heard.done():
            heard.cancel()
            raise _UnheardError("nothing was heard")
        return await heard

    def run(self, question: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(question)  # type: ignore[arg-type]


async def _at_once(*_: Any, **__: Any) -> None:
    return None


class _Listening:
    """An execution with one order at the exchange, made anew now and then; `tell` gives it what came."""

    def __init__(self) -> None:
        self._wire: _Wire | None = None
        self._given = 0

    def __call__(self, payload: bytes) -> None:
        if self._given % LONG_RUN == 0:
            self._wire, self._desk = self._wire or _Wire(), Desk().lead()
            self._desk.decide("0.1")
            self._desk.advance(50)
            [sent] = self._desk.sends()
            self._cid = sent.cid
        self._given += 1
        assert self._wire is not None
        self._wire.text = payload.replace(b"OWN", self._cid.encode()).replace(*LESS_ABSURD)
        for event in self.hear(self._wire):
            self._desk.feed(event)
        self._desk.advance(50)
        if self._given % LONG_RUN == 0:
            Desk(log=self._desk.log).replay()

    def hear(self, wire: _Wire) -> list[fx.Input]:
        """What comes of it; VenueError for what is not understood."""
        raise NotImplementedError


class OrderStream(_Listening):
    """Each text as one frame, for whoever watches orders and whoever watches trades in turn."""

    def hear(self, wire: _Wire) -> list[fx.Input]:
        if self._given % 2:
            return [fx.OrderSeen(report=wire.run(anext(wire.venue.watch_orders())))]
        return [fx.TradesSeen(trades=(wire.run(anext(wire.venue.watch_trades())),))]


class OrderAnswers(_Listening):
    """The answer to the question for one order."""

    def hear(self, wire: _Wire) -> list[fx.Input]:
        asked_ms = self._desk.now_ms
        report = wire.run(wire.venue.query(self._cid, BTC))
        return [fx.QueryAnswered(cid=self._cid, report=report, asked_ms=asked_ms)]


class TradeAnswers(_Listening):
    """The answer to the question for the trades of one order."""

    def hear(self, wire: _Wire) -> list[fx.Input]:
        return [fx.TradesSeen(trades=wire.run(wire.venue.trades_of(BTC, str(ORDER_ID))))]


class RuleAnswers(_Listening):
    """The answer to the question for the markets' rules."""

    def hear(self, wire: _Wire) -> list[fx.Input]:
        with patch.object(endpoints, "give_back"):  # tidying up takes longer than all the rest
            [own] = wire.run(wire.venue.read_filters())
        return [fx.FiltersRead(filters=(own, build_filters("ETH/USDT")))]


class PublicAnswers:
    """Answers to one of monitoring's questions."""

    def __init__(self, question: str) -> None:
        self._question = question
        self._given = b""
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, payload: bytes) -> None:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._venue = BinanceVenue("binance", Endpoint())
            self._venue._pacer.take = _at_once  # type: ignore[method-assign, assignment]
            self._venue._identifiers = {BTC: "BTCUSDT"}
            self._venue._rest.get = self._get  # type: ignore[method-assign]
        self._given = payload
        self._loop.run_until_complete(self._ask())

    async def _get(self, *_: Any) -> rest_client.Answer:
        return rest_client.Answer(200, {}, self._given)

    async def _ask(self) -> None:
        match self._question:
            case "candles":
                await self._venue.fetch_candles(BTC, "1m", 0, 5)
            case "trades":
                await self._venue.fetch_trades(BTC)
            case "quote":
                await self._venue.fetch_quote(BTC, lambda: 1)
            case "time":
                await self._venue.fetch_time()
            case "markets":
                await self._venue.load_markets([BTC])


_REPORT = {
    "e": "executionReport", "E": FAR_MS, "s": "BTCUSDT", "c": "OWN", "S": "BUY", "o": "LIMIT", "f": "IOC",
    "q": "0.1", "p": "100.5", "P": "0", "F": "0", "g": -1, "C": "", "x": "NEW", "X": "NEW", "r": "NONE",
    "i": ORDER_ID, "l": "0", "z": "0", "L": "0", "n": "0", "N": None, "T": FAR_MS, "t": -1, "I": 1, "w": True,
    "m": False, "M": False, "O": FAR_MS, "Z": "0", "Y": "0", "Q": "0", "W": FAR_MS, "V": "NONE",
}  # fmt: skip
_FILL = _REPORT | {"x": "TRADE", "X": "PARTIALLY_FILLED", "l": "0.05", "z": "0.05", "L": "100", "n": "0.01"}
_FILL |= {"N": "USDT", "t": 77, "Z": "5", "Y": "5"}
_CANCELED = _REPORT | {"x": "CANCELED", "X": "CANCELED", "C": "OWN", "c": "other", "w": False}
_POSITION = {"e": "outboundAccountPosition", "E": 1, "u": 1, "B": [{"a": "BTC", "f": "1", "l": "0"}]}
_FRAMES = (_REPORT, _FILL, _CANCELED, {"subscriptionId": 0, "event": _FILL}, _POSITION)
_ORDER = {
    "symbol": "BTCUSDT", "orderId": ORDER_ID, "orderListId": -1, "clientOrderId": "OWN", "price": "100.5",
    "origQty": "0.1", "executedQty": "0.05", "cummulativeQuoteQty": "5", "status": "PARTIALLY_FILLED",
    "timeInForce": "IOC", "type": "LIMIT", "side": "BUY", "stopPrice": "0", "time": FAR_MS, "isWorking": True,
    "updateTime": FAR_MS, "workingTime": FAR_MS, "origQuoteOrderQty": "0", "selfTradePreventionMode": "NONE",
}  # fmt: skip
_UNKNOWN = {"code": -2013, "msg": "Order does not exist."}
_OWN_TRADE = {
    "symbol": "BTCUSDT", "id": 77, "orderId": ORDER_ID, "orderListId": -1, "price": "100", "qty": "0.05",
    "quoteQty": "5", "commission": "0.01", "commissionAsset": "USDT", "time": FAR_MS, "isBuyer": True,
    "isMaker": False, "isBestMatch": True,
}  # fmt: skip
# Without figures such as 8 for a precision: ccxt counts up to what it is told.
_LISTED = {
    name: value
    for name, value in build_symbol(Market("BTC", "USDT"), suspended=False).items()
    if not name.endswith("Precision")
}
_RULES = {"timezone": "UTC", "serverTime": 1, "symbols": [_LISTED]}
_KLINE = [1, "1", "2", "0.5", "1.5", "10", 59_999, "15", 3, "5", "7", "0"]
_TRADE = {"id": 1, "price": "100", "qty": "1", "quoteQty": "100", "time": 1, "isBuyerMaker": True}
_BOOK = {"lastUpdateId": 1, "bids": [["100", "1"]], "asks": [["101", "1"]]}
_PUBLIC: dict[str, Any] = {
    "candles": [_KLINE, _KLINE],
    "trades": [_TRADE],
    "quote": _BOOK,
    "time": {"serverTime": 1},
    "markets": _RULES,
}


def _written(*documents: Any) -> tuple[bytes, ...]:
    return tuple(json.dumps(each, separators=(",", ":")).encode() for each in documents)


CONSUMERS = [
    Consumer("order stream", _written(*_FRAMES), OrderStream(), (VenueError,), weight=2),
    Consumer("order answer", _written(_ORDER, _UNKNOWN), OrderAnswers(), (VenueError,), weight=2),
    Consumer("own trades answer", _written([_OWN_TRADE], []), TradeAnswers(), (VenueError,), weight=2),
    Consumer("rules answer", _written(_RULES), RuleAnswers(), REFUSES, weight=2),
    *(
        Consumer(f"{question} answer", _written(answer), PublicAnswers(question), REFUSES, weight=2)
        for question, answer in _PUBLIC.items()
    ),
]
