"""Every row of the capability table against what ccxt really asks and how it really reads refusals.

Requests are caught where ccxt would hand them to the network. Refusals are the exchanges' own bodies, taken
through ccxt's own error handling.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import VenueError
from smarttrade.exchange.capabilities import CAPABILITIES, Capability, Deadline, Evidence, Lookup
from smarttrade.exchange.errors import (
    NothingToCancelError,
    VenueCredentialsError,
    VenueRejectedError,
    VenueUncertainError,
)
from smarttrade.exchange.examination import parse_commission
from smarttrade.exchange.key import QUESTIONS, KeyReport, find_question
from smarttrade.exchange.pacing import Urgency
from smarttrade.exchange.parsing import parse_order
from smarttrade.exchange.reports import Fees, OrderKind
from smarttrade.exchange.venue import Credentials, NewOrder, Venue
from smarttrade.exchange.weights import Question
from smarttrade.messages import Side
from tests.unit.exchange.test_requests import CID, ROWS, T, W, build_market

DOCUMENT = Path(__file__).parents[3] / "docs" / "exchanges.md"
SYMBOL = "BTC/USDT"


Answer = tuple[int, Any] | Callable[[str], tuple[int, Any]]
"""One status and body, or one for each address."""


class Wire:
    """Where ccxt's requests end: each is noted, and answered by the exchange's own bytes."""

    def __init__(self, venue: Venue, answer: Answer | None = None) -> None:
        self.requests: list[str] = []
        self._answer = answer
        for exchange in (venue._orders, venue._polling):
            exchange.set_markets([build_market()])
            exchange.fetch = self._build(exchange)

    def _build(self, exchange: Any) -> Callable[..., Awaitable[Any]]:
        async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            self.requests.append(f"{method} {url} {body or ''}")
            if self._answer is None:
                raise TimeoutError("caught")
            status, content = self._answer(url) if callable(self._answer) else self._answer
            text = json.dumps(content)
            exchange.handle_errors(status, "", url, method, {}, text, content, headers, body)
            exchange.handle_http_status_code(status, "", url, method, text)
            return content

        return fetch


async def ask(
    row: Capability, question: Callable[[Venue], Awaitable[Any]], answer: Answer | None = None
) -> tuple[Any, list[str]]:
    """The outcome of one call, an error as itself, and the requests that it made."""
    venue = build_venue(row.exchange)
    wire = Wire(venue, answer)
    try:
        outcome: Any = await question(venue)
    except VenueError as error:
        outcome = error
    return outcome, wire.requests


@cache
def build_venue(name: str) -> Venue:
    """One for all tests: ccxt takes its time to make an instance, and none of them opens a connection."""
    return Venue(
        CAPABILITIES[name], Endpoint(), Credentials("key", "c2VjcmV0LXNlY3JldA==", "password"), [SYMBOL]
    )


def build_order() -> NewOrder:
    return NewOrder(
        client_order_id=CID,
        market=SYMBOL,
        side=Side.BUY,
        kind=OrderKind.LIMIT_IOC,
        price=Decimal("60000.01"),
        quantity=Decimal("0.00123"),
        deadline_ms=T,
        window_ms=W,
    )


async def place(venue: Venue) -> Any:
    return await venue.place(build_order(), lambda: True)


# --- how an order is found and cancelled -----------------------------------------------------------------

QUERIES = {
    "binance": ["/api/v3/order?", "origClientOrderId"],
    "bybit": ["/v5/order/realtime?", "orderLinkId"],
    "okx": ["/api/v5/trade/order?", "clOrdId"],
    "kraken": ["/0/private/OpenOrders", "cl_ord_id"],
    "gate": ["/spot/orders/t-", ""],
    "kucoin": ["/api/v1/hf/orders/client-order/", ""],
    "bitget": ["/api/v2/spot/trade/orderInfo?", "clientOid"],
    "mexc": ["/api/v3/order?", "origClientOrderId"],
}


@pytest.mark.parametrize("name", ROWS)
async def test_an_order_is_looked_for_by_our_client_id(name: str) -> None:
    _, [request, *_] = await ask(CAPABILITIES[name], lambda venue: venue.query(CID, SYMBOL))
    path, parameter = QUERIES[name]
    assert path in request
    assert parameter in request
    assert CID in request


@pytest.mark.parametrize("name", ROWS)
async def test_an_order_whose_exchange_id_is_not_known_is_cancelled_by_our_client_id(name: str) -> None:
    _, [request] = await ask(CAPABILITIES[name], lambda venue: venue.cancel(CID, SYMBOL, ""))
    assert CID in request
    assert "None" not in request.split(" ", 2)[1]


@pytest.mark.parametrize("name", [n for n in ROWS if CAPABILITIES[n].lookup is Lookup.ORDER_LISTS])
async def test_where_there_is_no_look_up_ended_orders_are_searched_after_open_ones(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Question] = []

    async def take(question: Question, urgency: Urgency = Urgency.ORDINARY) -> None:
        asked.append(question)

    monkeypatch.setattr(build_venue(name)._pacer, "take", take)
    empty = {
        "bybit": {"retCode": 0, "retMsg": "OK", "result": {"list": []}},
        "kraken": {"error": [], "result": {"open": {}, "closed": {}, "count": 0}},
    }
    found, requests = await ask(
        CAPABILITIES[name], lambda venue: venue.query(CID, SYMBOL), (200, empty[name])
    )
    assert found is None
    assert len(requests) == 2
    assert asked == [Question.FIND_ORDER] * 2, "each request waits for its turn"
    assert "history" in requests[1] or "ClosedOrders" in requests[1]
    assert "Filled" not in requests[1], "one that was cancelled after a part had filled is not listed there"


class Gate:
    """Gate's answers: by our id it knows only what is open; what has ended is in a list, newest first."""

    def __init__(self, ended: int, wanted: int | None = None) -> None:
        self.pages: list[str] = []
        self._ended = [self._order(n, f"t-{CID}" if n == wanted else f"t-{n}") for n in range(ended)]

    @staticmethod
    def _order(number: int, text: str) -> dict[str, Any]:
        order = {"id": str(number), "text": text, "status": "cancelled", "currency_pair": "BTCUSDT"}
        figures = {"amount": "0.01", "left": "0.004", "price": "60000", "filled_total": "360"}
        return {**order, **figures, "type": "limit", "side": "buy", "create_time_ms": str(T + number)}

    def answer(self, url: str) -> tuple[int, Any]:
        if "/spot/orders/t-" in url:
            return 404, {"label": "ORDER_NOT_FOUND", "message": "Order not found"}
        self.pages.append(url)
        first = (int(url.partition("page=")[2].partition("&")[0]) - 1) * 100
        return 200, self._ended[first : first + 100]


@pytest.mark.parametrize(("ended", "wanted", "pages"), [(3, 2, 1), (150, 149, 2), (3, None, 1), (0, None, 1)])
async def test_gate_tells_of_an_ended_order_in_its_list_only(
    ended: int, wanted: int | None, pages: int
) -> None:
    gate = Gate(ended, wanted)
    found, _ = await ask(CAPABILITIES["gate"], lambda venue: venue.query(CID, SYMBOL, T), gate.answer)
    if wanted is None:
        assert found is None
    else:
        assert (found.client_order_id, found.status, found.filled) == (CID, "Canceled", Decimal("0.006"))
    assert len(gate.pages) == pages
    assert all(f"from={T // 1000 - 60}" in page and "status=finished" in page for page in gate.pages)


async def test_an_order_that_may_be_beyond_what_gate_lists_is_not_called_unknown_to_it() -> None:
    found, _ = await ask(CAPABILITIES["gate"], lambda venue: venue.query(CID, SYMBOL, T), Gate(2_100).answer)
    assert isinstance(found, VenueUncertainError)


ENDED = {
    "bybit": ["/v5/order/history"],
    "okx": ["orders-history", "orders-history"],
    "kraken": ["ClosedOrders"],
    "gate": ["status=finished"],
    "kucoin": ["/hf/orders/done"],
    "bitget": ["history-orders"],
    "mexc": ["allOrders"],
}
STATES = {"bybit": [], "okx": ["state=filled", "state=canceled"], "mexc": []}


@pytest.mark.parametrize("name", [n for n in ROWS if not CAPABILITIES[n].pages_by])
async def test_every_ended_order_is_listed_also_one_that_was_cancelled_after_a_part_had_filled(
    name: str,
) -> None:
    asked = []
    for method in CAPABILITIES[name].ended_orders:

        async def read(venue: Venue, method: str = method) -> Any:
            async with venue._translated():
                return await venue._all(method, SYMBOL)

        _, requests = await ask(CAPABILITIES[name], read)
        asked += requests
    assert len(asked) == len(ENDED[name])
    assert all(path in request for path, request in zip(ENDED[name], asked, strict=True))
    narrowed = [word for request in asked for word in request.split("&") if "state" in word.lower()]
    assert [word.split(" ")[0] for word in narrowed] == STATES.get(name, narrowed)
    assert not any("orderStatus" in request for request in asked)


TRADES = {"okx": "ordId=77", "gate": "order_id=77"}


@pytest.mark.parametrize("name", [name for name in ROWS if name != "kraken"])
async def test_the_trades_of_one_order_are_asked_for_by_its_id(name: str) -> None:
    _, [request] = await ask(CAPABILITIES[name], lambda venue: venue.trades_of(SYMBOL, "77"))
    assert f"{TRADES.get(name, 'orderId=77')}" in request.replace(" ", "&")


@pytest.mark.parametrize("timeout_ms", [30_000, 0])
@pytest.mark.parametrize(
    ("name", "path", "parameter"),
    [
        ("okx", "/trade/cancel-all-after", '"timeOut":'),
        ("kraken", "/private/CancelAllOrdersAfter", "timeout="),
    ],
)
async def test_the_dead_mans_switch_is_set_and_disarmed_in_seconds(
    name: str, path: str, parameter: str, timeout_ms: int
) -> None:
    _, [request] = await ask(CAPABILITIES[name], lambda venue: venue.arm_switch(timeout_ms))
    assert path in request
    assert f"{parameter}{timeout_ms // 1000}" in request


@pytest.mark.parametrize(
    ("name", "open_orders"), [("okx", "/trade/orders-pending"), ("kraken", "/private/OpenOrders")]
)
async def test_where_there_is_one_open_orders_of_every_market_are_asked_for(
    name: str, open_orders: str
) -> None:
    """It would cancel those too."""
    _, requests = await ask(CAPABILITIES[name], lambda venue: venue.read_account(T))
    of_all = next(request for request in requests if open_orders in request)
    assert "instId" not in of_all
    assert "pair" not in of_all


def test_only_those_rows_have_a_dead_mans_switch() -> None:
    assert {name for name in ROWS if CAPABILITIES[name].dead_mans_switch} == {"okx", "kraken"}


async def test_a_cancel_that_tells_only_an_id_is_followed_by_the_question_how_the_order_stands() -> None:
    def answer(url: str) -> tuple[int, Any]:
        if "cancel" in url:
            told = {"ordId": "7", "clOrdId": CID, "sCode": "0", "sMsg": ""}
        else:
            figures = {"px": "60000", "sz": "0.01", "accFillSz": "0.004", "avgPx": "60000"}
            told = {"ordId": "7", "clOrdId": CID, "state": "canceled", "side": "buy", **figures}
        return 200, {"code": "0", "data": [{**told, "instId": "BTCUSDT"}], "msg": ""}

    report, requests = await ask(CAPABILITIES["okx"], lambda venue: venue.cancel(CID, SYMBOL, "7"), answer)
    assert (report.status, report.filled) == ("Canceled", Decimal("0.004"))
    assert len(requests) == 2


@pytest.mark.parametrize("name", ROWS)
async def test_the_user_stream_of_all_markets_can_be_asked_for(name: str) -> None:
    """Every row's stream gets as far as the network without a market, a loaded list of them or a loop."""
    venue, left = build_venue(name), asyncio.Queue[str]()

    async def leave(url: str, *_: Any, **__: Any) -> Any:
        left.put_nowait(url)
        raise TimeoutError("caught")

    def connect(url: str) -> Any:
        left.put_nowait(url)
        raise TimeoutError("caught")

    venue._stream.set_markets([build_market()])
    venue._stream.fetch, venue._stream.client = leave, connect
    venue._markets_known.set()
    for updates in (venue.watch_orders(), venue.watch_trades()):
        watching = asyncio.create_task(anext(updates))
        try:
            assert await asyncio.wait_for(left.get(), 5)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    await venue._stream.close()


def closed(filled: str | None) -> dict[str, Any]:
    return {"id": "1", "symbol": SYMBOL, "status": "closed", "side": "buy", "amount": "1", "filled": filled}


def test_an_order_that_is_closed_after_a_part_had_filled_was_not_filled() -> None:
    assert (parse_order(closed("0.4")).status, parse_order(closed("1")).status) == ("Canceled", "Filled")


@pytest.mark.parametrize("filled", [None, "0"])
def test_an_order_that_is_closed_without_a_word_on_its_fills_is_in_doubt(filled: str | None) -> None:
    with pytest.raises(VenueError, match="not how far"):
        parse_order(closed(filled))


def test_ids_of_gate_are_recognised_without_its_prefix() -> None:
    order = {"id": "1", "symbol": SYMBOL, "status": "open", "side": "buy", "clientOrderId": f"t-{CID}"}
    assert parse_order(order).client_order_id == CID


# --- what a refusal proves -------------------------------------------------------------------------------

REFUSALS: list[tuple[str, int, Any, str]] = [
    ("binance", 400, {"code": -1021, "msg": "Timestamp outside of the recvWindow."}, "DeadlineMissed"),
    ("binance", 400, {"code": -2010, "msg": "Account has insufficient balance."}, "InsufficientBalance"),
    ("binance", 400, {"code": -1013, "msg": "Filter failure: NOTIONAL"}, "FilterFailure"),
    ("binance", 400, {"code": -1013, "msg": "Market is closed."}, "MarketClosed"),
    ("binance", 504, {"code": -1007, "msg": "Timeout waiting for response."}, ""),
    ("bybit", 200, {"retCode": 10002, "retMsg": "invalid request, recv_window"}, "DeadlineMissed"),
    ("bybit", 200, {"retCode": 170131, "retMsg": "Insufficient balance."}, "InsufficientBalance"),
    ("bybit", 200, {"retCode": 170140, "retMsg": "Order value exceeded lower limit"}, "FilterFailure"),
    ("bybit", 200, {"retCode": 170141, "retMsg": "Duplicate clientOrderId"}, ""),
    ("bybit", 200, {"retCode": 10016, "retMsg": "Server error."}, ""),
    (
        "okx",
        200,
        {"code": "1", "data": [{"sCode": "51008", "sMsg": "Insufficient"}], "msg": "failed"},
        "InsufficientBalance",
    ),
    (
        "okx",
        200,
        {"code": "1", "data": [{"sCode": "51149", "sMsg": "Order timed out."}], "msg": ""},
        "",
    ),
    ("okx", 200, {"code": "1", "data": [{"sCode": "51016", "sMsg": "Duplicated id"}], "msg": ""}, ""),
    ("okx", 200, {"code": "50026", "data": [], "msg": "System error."}, ""),
    ("kraken", 200, {"error": ["EService:Deadline elapsed"]}, "DeadlineMissed"),
    ("kraken", 200, {"error": ["EOrder:Insufficient funds"]}, "InsufficientBalance"),
    ("kraken", 200, {"error": ["EService:Unavailable"]}, ""),
    ("gate", 400, {"label": "BALANCE_NOT_ENOUGH", "message": "Not enough balance"}, "InsufficientBalance"),
    ("gate", 400, {"label": "REQUEST_EXPIRED", "message": "expired"}, "DeadlineMissed"),
    ("gate", 400, {"label": "POC_FILL_IMMEDIATELY", "message": "would fill"}, "WouldMatch"),
    ("gate", 500, {"label": "SERVER_ERROR", "message": "internal"}, ""),
    ("kucoin", 200, {"code": "200004", "msg": "Balance insufficient!"}, "InsufficientBalance"),
    ("kucoin", 400, {"code": "400002", "msg": "KC-API-TIMESTAMP Invalid"}, "DeadlineMissed"),
    ("kucoin", 500, {"code": "500000", "msg": "Internal Server Error"}, ""),
    ("bitget", 400, {"code": "43012", "msg": "Insufficient balance", "data": None}, "InsufficientBalance"),
    ("bitget", 400, {"code": "40008", "msg": "Request timestamp expired", "data": None}, "DeadlineMissed"),
    ("bitget", 200, {"code": "40725", "msg": "service return an error", "data": None}, ""),
    ("mexc", 400, {"code": 700003, "msg": "Timestamp outside of the recvWindow."}, "DeadlineMissed"),
    ("mexc", 400, {"code": 30004, "msg": "Insufficient position"}, "InsufficientBalance"),
    ("mexc", 500, {"code": 500, "msg": "unknown"}, ""),
]


@pytest.mark.parametrize(("name", "status", "body", "code"), REFUSALS)
async def test_a_refusal_is_certain_only_where_the_exchanges_own_code_says_so(
    name: str, status: int, body: Any, code: str
) -> None:
    outcome, requests = await ask(CAPABILITIES[name], place, (status, body))
    assert len(requests) == 1
    if code:
        assert isinstance(outcome, VenueRejectedError)
        assert outcome.code == code
    else:
        assert isinstance(outcome, VenueUncertainError)


def test_every_exchange_has_a_certain_and_an_uncertain_refusal_in_the_table() -> None:
    for name in ROWS:
        codes = {code for exchange, _, _, code in REFUSALS if exchange == name}
        assert {"DeadlineMissed", "InsufficientBalance", ""} <= codes | {"DeadlineMissed"}, name
    missed = {exchange for exchange, _, _, code in REFUSALS if code == "DeadlineMissed"}
    assert missed == {name for name in ROWS if "DeadlineMissed" in CAPABILITIES[name].codes.values()}


UNKNOWN_ORDERS: list[tuple[str, int, Any]] = [
    ("kucoin", 400, {"code": "400100", "msg": "order_not_exist_or_not_allow_to_cancel"}),
    ("kucoin", 200, {"code": "order_not_exist", "msg": "order_not_exist"}),
    ("binance", 400, {"code": -2013, "msg": "Order does not exist."}),
    ("okx", 200, {"code": "51603", "data": [], "msg": "Order does not exist"}),
    ("gate", 404, {"label": "ORDER_NOT_FOUND", "message": "Order not found"}),
    ("bitget", 400, {"code": "43001", "msg": "The order does not exist", "data": None}),
    ("mexc", 400, {"code": -2013, "msg": "Order does not exist."}),
]


@pytest.mark.parametrize(("name", "status", "body"), UNKNOWN_ORDERS)
async def test_an_order_that_the_exchange_does_not_know_is_no_error(
    name: str, status: int, body: Any
) -> None:
    def answer(url: str) -> tuple[int, Any]:
        return (200, []) if "status=finished" in url else (status, body)

    found, _ = await ask(CAPABILITIES[name], lambda venue: venue.query(CID, SYMBOL), answer)
    assert found is None
    gone, _ = await ask(CAPABILITIES[name], lambda venue: venue.cancel(CID, SYMBOL, "1"), (status, body))
    assert isinstance(gone, NothingToCancelError)


PROVES_NOTHING: list[tuple[str, int, Any]] = [
    ("kucoin", 400, {"code": "400100", "msg": "validation.createOrder.symbolNotAvailable"}),
    ("kucoin", 404, {"code": "404000", "msg": "URL Not Found"}),
    ("kucoin", 200, {"code": "200000", "data": None}),
    ("okx", 200, {"code": "0", "data": [], "msg": ""}),
    ("okx", 200, {"code": "50026", "data": [], "msg": "System error."}),
    ("bitget", 200, {"code": "00000", "msg": "success", "data": []}),
    ("gate", 400, {"label": "INVALID_PARAM_VALUE", "message": "invalid argument"}),
    ("mexc", 200, {}),
    ("binance", 200, {}),
    ("binance", 503, {"msg": "Service Unavailable"}),
]


@pytest.mark.parametrize(("name", "status", "body"), PROVES_NOTHING)
async def test_an_answer_that_does_not_say_so_is_not_taken_for_an_unknown_order(
    name: str, status: int, body: Any
) -> None:
    for question in (lambda v: v.query(CID, SYMBOL, T), lambda v: v.cancel(CID, SYMBOL, "1")):
        outcome, _ = await ask(CAPABILITIES[name], question, (status, body))
        assert isinstance(outcome, VenueError)
        assert not isinstance(outcome, NothingToCancelError)


GARBAGE: list[Any] = [
    None,
    [],
    [None],
    "",
    "OK",
    7,
    {},
    {"data": None},
    {"data": "x"},
    {"data": [None]},
    {"data": [{}]},
    {"code": "0", "data": [{"ordId": None, "sCode": "0"}]},
    {"code": "00000", "data": {"orderId": None}},
    {"retCode": 0, "result": None},
    {"retCode": 0, "result": {"list": [None]}},
    {"error": [], "result": None},
    {"error": [], "result": {"txid": []}},
    {"id": "1", "status": "strange"},
    {"orderId": "x", "status": "FILLED", "fills": [None]},
]


@pytest.mark.parametrize("name", ROWS)
async def test_no_answer_however_garbled_is_more_than_uncertain(name: str) -> None:
    """A request whose end nobody hears of would hold its market for ever."""
    asked = {
        "place": place,
        "query": lambda venue: venue.query(CID, SYMBOL, T),
        "cancel": lambda venue: venue.cancel(CID, SYMBOL, "1"),
        "account": lambda venue: venue.read_account(T),
    }
    for what, question in asked.items():
        for body in GARBAGE:
            outcome, _ = await ask(CAPABILITIES[name], question, (200, body))
            assert not isinstance(outcome, VenueRejectedError), (what, body)
            if what in ("place", "cancel"):
                assert isinstance(outcome, VenueError), (what, body, outcome)


CREDENTIALS: list[tuple[str, int, Any]] = [
    ("binance", 401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}),
    ("bybit", 200, {"retCode": 10003, "retMsg": "API key is invalid."}),
    ("okx", 401, {"code": "50111", "msg": "Invalid OK-ACCESS-KEY", "data": []}),
    ("kraken", 200, {"error": ["EAPI:Invalid key"]}),
    ("gate", 401, {"label": "INVALID_KEY", "message": "Invalid key provided"}),
    ("kucoin", 401, {"code": "400003", "msg": "KC-API-KEY not exists"}),
    ("bitget", 400, {"code": "40009", "msg": "sign signature error", "data": None}),
    ("mexc", 400, {"code": 10072, "msg": "Api key info invalid"}),
]


@pytest.mark.parametrize(("name", "status", "body"), CREDENTIALS)
async def test_a_refused_key_is_told_from_everything_else(name: str, status: int, body: Any) -> None:
    outcome, _ = await ask(CAPABILITIES[name], lambda venue: venue.query(CID, SYMBOL), (status, body))
    assert isinstance(outcome, VenueCredentialsError)


# --- the questions of the preflight ----------------------------------------------------------------------

KEYS = {
    "binance": "/sapi/v1/account/apiRestrictions",
    "bybit": "/v5/user/query-api",
    "okx": "/api/v5/account/config",
    "kraken": "/0/private/GetApiKeyInfo",
    "gate": "/api/v4/account/detail",
    "kucoin": "/api/v1/user/api-key",
    "bitget": "/api/v2/spot/account/info",
    "mexc": "/api/v3/account",
}


@pytest.mark.parametrize("name", ROWS)
async def test_the_key_is_asked_about_where_the_exchange_tells_of_it(name: str) -> None:
    _, [request, *_] = await ask(CAPABILITIES[name], lambda venue: venue.examine().read_key())
    assert KEYS[name] in request


PERMISSIONS: list[tuple[str, tuple[Any, ...], KeyReport]] = [
    (
        "binance",
        (
            {"enableSpotAndMarginTrading": True, "enableWithdrawals": True, "ipRestrict": True},
            {"canTrade": True, "uid": 7},
        ),
        KeyReport(can_trade=True, can_withdraw=True, restricted=True, account_id="7"),
    ),
    (
        "bybit",
        (
            {
                "result": {
                    "readOnly": 0,
                    "permissions": {"Spot": ["SpotTrade"], "Wallet": ["Withdraw"]},
                    "ips": ["*"],
                    "userID": 7,
                }
            },
        ),
        KeyReport(can_trade=True, can_withdraw=True, restricted=False, account_id="7"),
    ),
    (
        "bybit",
        (
            {
                "result": {
                    "readOnly": 1,
                    "permissions": {"Spot": ["SpotTrade"], "Wallet": []},
                    "ips": ["1.2.3.4"],
                    "userID": 7,
                }
            },
        ),
        KeyReport(can_trade=False, can_withdraw=False, restricted=True, account_id="7"),
    ),
    (
        "okx",
        ({"data": [{"perm": "read_only,withdraw,trade", "uid": "7", "ip": ""}]},),
        KeyReport(can_trade=True, can_withdraw=True, restricted=False, account_id="7"),
    ),
    (
        "kraken",
        (
            {
                "result": {
                    "permissions": ["query-funds", "modify-trades", "withdraw-funds"],
                    "iban": "AA7",
                    "ipAllowlist": [],
                }
            },
        ),
        KeyReport(can_trade=True, can_withdraw=True, restricted=False, account_id="AA7"),
    ),
    ("gate", ({"user_id": 7, "ip_whitelist": ["1.2.3.4"]},), KeyReport(restricted=True, account_id="7")),
    (
        "kucoin",
        ({"data": {"permission": "General,Spot", "ipWhitelist": "", "uid": 7}},),
        KeyReport(can_trade=True, can_withdraw=False, restricted=False, account_id="7"),
    ),
    (
        "kucoin",
        ({"data": {"permission": "General,Spot,Transfer", "uid": 7}},),
        KeyReport(can_trade=True, can_withdraw=True, restricted=False, account_id="7"),
    ),
    (
        "bitget",
        ({"data": {"userId": "7", "ips": "", "authorities": ["stor", "stow"]}},),
        KeyReport(can_trade=True, can_withdraw=False, restricted=False, account_id="7"),
    ),
    (
        "mexc",
        ({"canTrade": True, "canWithdraw": True}, {"uid": "7"}),
        KeyReport(can_trade=True, account_id="7"),
    ),
]


@pytest.mark.parametrize(("name", "answers", "report"), PERMISSIONS)
def test_permissions_are_read_and_what_is_not_told_is_not_assumed(
    name: str, answers: tuple[Any, ...], report: KeyReport
) -> None:
    assert QUESTIONS[name].parse(*answers) == report


def test_a_test_environment_without_the_question_is_asked_what_it_knows() -> None:
    question = find_question("binance", sandbox=True)
    assert question.methods == ("private_get_account",)
    assert question.parse({"canTrade": True, "uid": 7}).can_withdraw is False


TRIALS = {
    "binance": "/api/v3/order/test",
    "kraken": "validate",
    "kucoin": "/hf/orders/test",
    "mexc": "/api/v3/order/test",
}


@pytest.mark.parametrize("name", ROWS)
async def test_a_trial_order_goes_to_the_exchanges_own_test_or_nowhere(name: str) -> None:
    row = CAPABILITIES[name]
    outcome, requests = await ask(
        row, lambda venue: venue.examine().try_order(SYMBOL, Decimal(60_000), Decimal("0.001"))
    )
    assert (name in TRIALS) == (row.test_parameters is not None)
    if name in TRIALS:
        [request] = requests
        assert TRIALS[name] in request
    else:
        assert (outcome, requests) == (False, [])


def test_a_commission_is_the_sum_of_its_parts() -> None:
    parts = {"standardCommission": {"maker": "0.001", "taker": "0.001"}, "taxCommission": {"taker": "0.0002"}}
    assert parse_commission(parts) == Fees(Decimal("0.001"), Decimal("0.0012"))


# --- the document ----------------------------------------------------------------------------------------


def build_rows() -> list[str]:
    return [_build_row(CAPABILITIES[name]) for name in ROWS]


def _build_row(row: Capability) -> str:
    words = [row.deadline_name, row.window_name]
    deadline = f"{row.deadline}: {', '.join(f'`{word}`' for word in words if word)}"
    lookup = {
        Lookup.FETCH_ORDER: "query",
        Lookup.WHILE_OPEN: "query while open, then the list of ended orders",
        Lookup.ORDER_LISTS: "lists of open and ended orders",
    }[row.lookup]
    cells = [
        row.exchange,
        "verified" if row.evidence is Evidence.VERIFIED else "documented",
        deadline,
        f"`{row.lookup_parameter}`, {lookup}",
        f"{row.identifier_length}{f', after `{row.identifier_prefix}`' if row.identifier_prefix else ''}",
        f"{row.hold_ms // 1000} s",
        "yes" if row.test_parameters is not None else "no",
        "yes" if row.stop_orders else "no",
        "yes" if row.amends else "no",
        "yes" if row.dead_mans_switch else "no",
    ]
    return f"| {' | '.join(cells)} |"


def test_the_document_shows_the_table_of_the_code() -> None:
    lines = DOCUMENT.read_text().splitlines()
    shown = [line for line in lines if line.startswith("| ") and line.split(" | ")[0][2:] in ROWS]
    assert shown == build_rows()


def test_there_are_at_least_eight_and_each_enforces_a_deadline() -> None:
    assert len(ROWS) >= 8
    assert all(row.deadline is not Deadline.NONE for row in CAPABILITIES.values())
