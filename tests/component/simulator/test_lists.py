"""Order lists, icebergs, amendments and prevented matches over the protocol."""

from decimal import Decimal

import aiohttp
import pytest

from tests.component.simulator.conftest import SYMBOL
from tests.component.simulator.signing import Rest, call, signed_parameters

ENTRY = {
    "symbol": "BTCUSDT",
    "workingType": "LIMIT",
    "workingSide": "BUY",
    "workingPrice": "59000",
    "workingQuantity": "0.5",
    "workingTimeInForce": "GTC",
    "pendingSide": "SELL",
    "pendingQuantity": "0.5",
}
PAIR = {
    "pendingAboveType": "LIMIT_MAKER",
    "pendingAbovePrice": "61000",
    "pendingBelowType": "STOP_LOSS",
    "pendingBelowStopPrice": "58000",
}
OCO = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "0.5",
    "aboveType": "TAKE_PROFIT",
    "aboveStopPrice": "61000",
    "belowType": "STOP_LOSS_LIMIT",
    "belowStopPrice": "59000",
    "belowPrice": "58900",
    "belowTimeInForce": "GTC",
}


@pytest.fixture
def alice(exchange):
    return Rest(exchange, "alice")


async def test_pending_pair_works_once_the_entry_has_filled_and_one_leg_ends_the_other(exchange, alice):
    status, placed = await alice.ask("POST", "/api/v3/orderList/otoco", **ENTRY, **PAIR)
    assert (status, placed["contingencyType"]) == (200, "OTO")
    assert [r["status"] for r in placed["orderReports"]] == ["NEW", "PENDING_NEW", "PENDING_NEW"]
    exchange.trade(SYMBOL, "58999", "1")
    _, orders = await alice.ask("GET", "/api/v3/openOrders", symbol="BTCUSDT")
    assert {o["type"]: (o["status"], o["isWorking"]) for o in orders} == {
        "LIMIT_MAKER": ("NEW", True),
        "STOP_LOSS": ("NEW", False),
    }
    exchange.trade(SYMBOL, "61001", "1", buyer_is_maker=False)
    _, found = await alice.ask("GET", "/api/v3/orderList", orderListId=placed["orderListId"])
    assert (found["listStatusType"], found["listOrderStatus"]) == ("ALL_DONE", "ALL_DONE")
    _, orders = await alice.ask("GET", "/api/v3/allOrders", symbol="BTCUSDT")
    assert [o["status"] for o in orders] == ["FILLED", "FILLED", "EXPIRED"]


PAID = {name: value for name, value in ENTRY.items() if name != "pendingQuantity"}


async def test_a_pair_sells_what_its_working_order_has_received(exchange, alice):
    status, placed = await alice.ask("POST", "/api/v3/orderList/opoco", **PAID, **PAIR)
    assert (status, placed["contingencyType"]) == (200, "OTO")
    assert ["origQty" in report for report in placed["orderReports"]] == [True, False, False]
    exchange.trade(SYMBOL, "58999", "1")
    _, orders = await alice.ask("GET", "/api/v3/openOrders", symbol="BTCUSDT")
    assert {o["type"]: (o["status"], o["origQty"]) for o in orders} == {
        "LIMIT_MAKER": ("NEW", "0.50000000"),
        "STOP_LOSS": ("NEW", "0.50000000"),
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"workingSide": "SELL"}, -1222), ({"pendingSide": "BUY"}, -1223), ({"pendingQuantity": "1"}, -1106)],
)
async def test_paid_lists_that_make_no_sense_are_refused(alice, changes, code):
    parameters = {**PAID, "pendingType": "MARKET", **changes}
    status, answer = await alice.ask("POST", "/api/v3/orderList/opo", **parameters)
    assert (status, answer["code"]) == (400, code)


async def test_the_websocket_api_takes_paid_lists(exchange):
    async with aiohttp.ClientSession() as session, session.ws_connect(exchange.websocket_api_url) as socket:
        given = signed_parameters("alice", **PAID, pendingType="MARKET")
        placed = (await call(socket, "orderList.place.opo", **given))["result"]
        assert [report["status"] for report in placed["orderReports"]] == ["NEW", "PENDING_NEW"]
        exchange.trade(SYMBOL, "58999", "1")
        asked = signed_parameters("alice", orderListId=placed["orderListId"])
        assert (await call(socket, "orderList.status", **asked))["result"]["listOrderStatus"] == "ALL_DONE"


async def test_both_forms_of_oco_and_all_questions_about_lists(alice):
    _, newer = await alice.ask("POST", "/api/v3/orderList/oco", **OCO)
    old = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.2", "price": "61000", "stopPrice": "59000"}
    status, older = await alice.ask("POST", "/api/v3/order/oco", **old)
    assert (status, [r["type"] for r in older["orderReports"]]) == (200, ["LIMIT_MAKER", "STOP_LOSS"])
    assert len((await alice.ask("GET", "/api/v3/openOrderList"))[1]) == 2
    status, canceled = await alice.ask(
        "DELETE", "/api/v3/orderList", symbol="BTCUSDT", orderListId=newer["orderListId"]
    )
    assert {r["status"] for r in canceled["orderReports"]} == {"CANCELED"}
    _, everything = await alice.ask("GET", "/api/v3/allOrderList")
    assert [row["listOrderStatus"] for row in everything] == ["ALL_DONE", "EXECUTING"]
    status, canceled = await alice.ask("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    assert [row["orderListId"] for row in canceled] == [older["orderListId"]]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aboveType": "LIMIT"}, -1102),
        ({"aboveType": "STOP_LOSS"}, -1158),
        ({"belowStopPrice": "62000"}, -2010),
        ({"quantity": ""}, -1102),
        ({"belowTimeInForce": ""}, -1102),
        ({"aboveClientOrderId": "a", "belowClientOrderId": "a"}, -2010),
    ],
)
async def test_lists_that_make_no_sense_are_refused(exchange, alice, changes, code):
    status, answer = await alice.ask("POST", "/api/v3/orderList/oco", **{**OCO, **changes})
    assert (status, answer["code"]) == (400, code)
    assert exchange.journal.orders("alice") == []


async def test_list_events_tell_of_acceptance_and_end(exchange, alice):
    async with aiohttp.ClientSession() as session, session.ws_connect(exchange.websocket_api_url) as socket:
        await call(socket, "userDataStream.subscribe.signature", **signed_parameters("alice"))
        _, placed = await alice.ask("POST", "/api/v3/orderList/oto", **ENTRY, pendingType="MARKET")
        await alice.ask("DELETE", "/api/v3/orderList", symbol="BTCUSDT", orderListId=placed["orderListId"])
        told = []
        while len(told) < 2:
            event = (await socket.receive_json(timeout=10))["event"]
            told += [event] if event["e"] == "listStatus" else []
    assert [(e["l"], e["L"], len(e["O"])) for e in told] == [
        ("EXEC_STARTED", "EXECUTING", 2),
        ("ALL_DONE", "ALL_DONE", 2),
    ]


async def test_iceberg_shows_one_slice(exchange, alice):
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "price": "60500"}
    status, placed = await alice.ask("POST", "/api/v3/order", **order, quantity="0.5", icebergQty="0.1")
    assert (status, placed["icebergQty"]) == (200, "0.10000000")
    _, book = await alice.ask("GET", "/api/v3/depth", symbol="BTCUSDT", limit=5000)
    shown = exchange.venue.by_symbol[SYMBOL].state.book.asks[60500 * 10**8]
    assert dict(book["asks"])["60500.00000000"] == f"{shown.quantity / 10**8:.8f}"
    assert shown.hidden == 4 * 10**7
    status, refused = await alice.ask("POST", "/api/v3/order", **order, quantity="0.5", icebergQty="0.01")
    assert refused["msg"] == "Filter failure: ICEBERG_PARTS"


async def test_lowered_order_keeps_its_history(alice):
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "price": "61000"}
    _, placed = await alice.ask("POST", "/api/v3/order", **order, quantity="0.5")
    named = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    status, amended = await alice.ask("PUT", "/api/v3/order/amend/keepPriority", **named, newQty="0.3")
    assert (status, amended["amendedOrder"]["qty"]) == (200, "0.30000000")
    renamed = amended["amendedOrder"]["clientOrderId"]
    assert amended["amendedOrder"]["origClientOrderId"] == placed["clientOrderId"] != renamed
    kept = {"newQty": "0.2", "newClientOrderId": renamed}
    status, amended = await alice.ask("PUT", "/api/v3/order/amend/keepPriority", **named, **kept)
    assert (status, amended["amendedOrder"]["clientOrderId"]) == (200, renamed)
    _, rows = await alice.ask("GET", "/api/v3/order/amendments", **named)
    assert [
        (row["origQty"], row["newQty"], row["origClientOrderId"], row["newClientOrderId"]) for row in rows
    ] == [
        ("0.50000000", "0.30000000", placed["clientOrderId"], renamed),
        ("0.30000000", "0.20000000", renamed, renamed),
    ]
    for name, code in ((placed["clientOrderId"], -2013), (renamed, None)):
        _, found = await alice.ask("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId=name)
        assert found.get("code") == code


@pytest.mark.parametrize(
    ("quantity", "words"),
    [
        ("0.5", "The requested action would change no state; rejecting."),
        ("0.6", "Order amend (quantity increase) is not supported."),
        ("0.300001", "Filter failure: LOT_SIZE"),
    ],
)
async def test_an_order_cannot_be_amended_to_what_it_is_or_more(alice, quantity, words):
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "price": "61000"}
    _, placed = await alice.ask("POST", "/api/v3/order", **order, quantity="0.5")
    named = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    status, refused = await alice.ask("PUT", "/api/v3/order/amend/keepPriority", **named, newQty=quantity)
    assert (status, refused) == (400, {"code": -2038, "msg": words})
    _, found = await alice.ask("GET", "/api/v3/order", **named)
    assert (found["origQty"], found["clientOrderId"]) == ("0.50000000", placed["clientOrderId"])


async def test_amending_one_leg_of_a_pair_lowers_both(exchange, alice):
    _, pair = await alice.ask("POST", "/api/v3/orderList/oco", **OCO)
    free = exchange.balance("alice", "BTC")[0]
    leg = pair["orderReports"][0]
    half = f"{float(leg['origQty']) / 2:.8f}"
    named = {"symbol": "BTCUSDT", "orderId": leg["orderId"], "newQty": half}
    status, amended = await alice.ask("PUT", "/api/v3/order/amend/keepPriority", **named)
    assert (status, amended["listStatus"]["listOrderStatus"]) == (200, "EXECUTING")
    _, legs = await alice.ask("GET", "/api/v3/openOrders", symbol="BTCUSDT")
    assert {each["origQty"] for each in legs if each["orderListId"] == pair["orderListId"]} == {half}
    assert exchange.balance("alice", "BTC")[0] == free + Decimal(half)


async def test_prevented_match_can_be_looked_up(alice):
    order = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "price": "60000"}
    await alice.ask("POST", "/api/v3/order", **order, side="SELL", quantity="0.2")
    _, taker = await alice.ask(
        "POST", "/api/v3/order", **order, side="BUY", quantity="0.3", selfTradePreventionMode="DECREMENT"
    )
    assert (taker["status"], taker["preventedQuantity"]) == ("NEW", "0.20000000")
    _, rows = await alice.ask(
        "GET", "/api/v3/myPreventedMatches", symbol="BTCUSDT", preventedMatchId=taker["preventedMatchId"]
    )
    assert [(row["takerOrderId"], row["makerPreventedQuantity"]) for row in rows] == [
        (taker["orderId"], "0.20000000")
    ]


async def test_what_the_exchange_does_not_have_is_refused_in_words(alice):
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "0.1"}
    _, refused = await alice.ask("POST", "/api/v3/order", **order, trailingDelta="100")
    assert (refused["code"], "Trailing stop" in refused["msg"]) == (-2010, True)
