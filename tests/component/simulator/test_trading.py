"""Trading through unmodified ccxt."""

import asyncio
from decimal import Decimal

import ccxt
import pytest

from tests.component.simulator.conftest import SYMBOL, subscribed


async def test_markets_carry_the_exchanges_filters(alice):
    market = (await alice.load_markets())[SYMBOL]
    assert (market["spot"], market["active"]) == (True, True)
    assert market["precision"]["price"] == 0.01
    assert market["limits"]["cost"]["min"] == 5


async def test_limit_order_rests_locks_and_cancels(exchange, alice):
    order = await alice.create_order(SYMBOL, "limit", "buy", 0.01, 59000, {"clientOrderId": "mine"})
    assert (order["status"], order["clientOrderId"], order["filled"]) == ("open", "mine", 0)
    assert (await alice.fetch_balance())["USDT"] == {"free": 99410, "used": 590, "total": 100000}
    assert [o["id"] for o in await alice.fetch_open_orders(SYMBOL)] == [order["id"]]
    canceled = await alice.cancel_order(order["id"], SYMBOL)
    assert canceled["status"] == "canceled"
    assert await alice.fetch_open_orders(SYMBOL) == []
    assert (await alice.fetch_balance())["USDT"]["free"] == 100000
    assert [entry.kind for entry in exchange.journal.entries("alice")] == ["NEW", "CANCELED"]


async def test_market_order_reports_its_fills_and_fees(exchange, alice):
    order = await alice.create_order(SYMBOL, "market", "buy", 0.01)
    assert (order["status"], order["average"], order["filled"]) == ("closed", 60000.01, 0.01)
    assert order["fees"] == [{"currency": "BTC", "cost": 0.00001}]
    balance = await alice.fetch_balance()
    assert balance["BTC"]["free"] == 1.00999
    trade = (await alice.fetch_my_trades(SYMBOL))[0]
    assert (trade["order"], trade["takerOrMaker"], trade["cost"]) == (order["id"], "taker", 600.0001)
    assert exchange.bought("alice", SYMBOL) == Decimal("0.01")


async def test_market_order_by_quote_quantity(alice):
    order = await alice.create_order(SYMBOL, "market", "buy", None, params={"quoteOrderQty": 600})
    assert order["status"] == "closed"
    assert 599 < order["cost"] <= 600


async def test_users_trade_with_each_other_inside_the_spread(exchange, alice, connect):
    bob = connect("bob")
    exchange.quote(SYMBOL, "59000", "61000")
    resting = await alice.create_order(SYMBOL, "limit", "sell", 0.5, 60100)
    taken = await bob.create_order(SYMBOL, "limit", "buy", 0.2, 60500)
    assert (taken["status"], taken["average"]) == ("closed", 60100)
    assert (await alice.fetch_order(resting["id"], SYMBOL))["filled"] == 0.2
    held = [sum(exchange.balance(name, asset)) for name in ("alice", "bob") for asset in ("BTC",)]
    assert sum(held) == Decimal("2") - Decimal("0.0002")


@pytest.mark.parametrize(
    ("parameters", "error", "code"),
    [
        ((SYMBOL, "limit", "buy", 0.01, 59000, {"timeInForce": "XXX"}), ccxt.BadRequest, "-1115"),
        ((SYMBOL, "limit", "buy", 0.00008, 59000), ccxt.BadRequest, "NOTIONAL"),
        ((SYMBOL, "limit", "buy", 9, 59000), ccxt.InsufficientFunds, "insufficient balance"),
        ((SYMBOL, "limit", "buy", 0.01, 59000, {"clientOrderId": "bad id!"}), ccxt.BadRequest, "-1100"),
        (
            (SYMBOL, "limit", "sell", 0.01, 59000, {"postOnly": True}),
            ccxt.OrderImmediatelyFillable,
            "would immediately match",
        ),
    ],
)
async def test_refusals_map_to_ccxts_errors(alice, exchange, parameters, error, code):
    await alice.load_markets()
    with pytest.raises(error, match=code):
        await alice.create_order(*parameters)
    assert exchange.journal.orders("alice") == []


async def test_unknown_orders_are_refused(alice):
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        await alice.cancel_order("999", SYMBOL)
    with pytest.raises(ccxt.OrderNotFound, match="-2013"):
        await alice.fetch_order("999", SYMBOL)


async def test_late_order_is_refused_by_the_exchanges_clock(exchange, alice):
    now_ms = exchange.clock.now_ms()
    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        await alice.create_order(
            SYMBOL, "limit", "buy", 0.01, 59000, {"timestamp": now_ms - 900, "recvWindow": 800}
        )
    with pytest.raises(ccxt.InvalidNonce, match="ahead"):
        await alice.create_order(SYMBOL, "limit", "buy", 0.01, 59000, {"timestamp": now_ms + 60_000})
    assert exchange.journal.orders("alice") == []


async def test_order_held_up_on_its_way_is_refused_before_the_matching_engine(exchange, alice):
    await alice.load_markets()
    exchange.faults.inject("latency", endpoint="POST /api/v3/order", delay_ms=400)
    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        await alice.create_order(
            SYMBOL,
            "limit",
            "buy",
            0.01,
            59000,
            {"timestamp": exchange.clock.now_ms() + 300, "recvWindow": 50},
        )
    assert exchange.journal.orders("alice") == []


async def test_wrong_signature_and_unknown_key_are_refused(connect):
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        await connect("alice", secret="wrong").fetch_balance()
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        await connect("mallory").fetch_balance()


async def test_client_order_id_may_be_used_again_once_its_order_is_done(exchange, alice):
    first = await alice.create_order(SYMBOL, "limit", "buy", 0.01, 59000, {"clientOrderId": "again"})
    with pytest.raises(ccxt.BaseError, match="Duplicate order sent"):
        await alice.create_order(SYMBOL, "limit", "buy", 0.01, 59000, {"clientOrderId": "again"})
    await alice.cancel_order(None, SYMBOL, {"origClientOrderId": "again"})
    second = await alice.create_order(SYMBOL, "limit", "buy", 0.01, 59000, {"clientOrderId": "again"})
    found = await alice.fetch_order(None, SYMBOL, {"clientOrderId": "again"})
    assert (found["id"], found["status"]) == (second["id"], "open")
    assert first["id"] != second["id"]


async def test_ioc_and_post_only(exchange, alice):
    exchange.quote(SYMBOL, "59000", "60000", ask_size="0.004")
    ioc = await alice.create_order(SYMBOL, "limit", "buy", 0.01, 60000, {"timeInForce": "IOC"})
    assert (ioc["status"], ioc["filled"]) == ("expired", 0.004)
    maker = await alice.create_order(SYMBOL, "limit", "buy", 0.01, 59500, {"postOnly": True})
    assert maker["status"] == "open"


async def test_replacing_cancels_and_places(alice):
    order = await alice.create_order(SYMBOL, "limit", "buy", 0.01, 59000)
    replaced = await alice.edit_order(order["id"], SYMBOL, "limit", "buy", 0.02, 58000)
    assert (replaced["status"], replaced["price"], replaced["amount"]) == ("open", 58000, 0.02)
    orders = {o["id"]: o["status"] for o in await alice.fetch_orders(SYMBOL)}
    assert orders == {order["id"]: "canceled", replaced["id"]: "open"}


async def test_oco_through_the_documented_endpoint(exchange, alice):
    await alice.load_markets()
    answer = await alice.privatePostOrderListOco(
        {
            "symbol": "BTCUSDT",
            "side": "SELL",
            "quantity": "0.5",
            "aboveType": "LIMIT_MAKER",
            "abovePrice": "61000",
            "belowType": "STOP_LOSS_LIMIT",
            "belowStopPrice": "59000",
            "belowPrice": "58900",
            "belowTimeInForce": "GTC",
        }
    )
    assert (answer["listOrderStatus"], len(answer["orders"])) == ("EXECUTING", 2)
    assert exchange.balance("alice", "BTC") == (Decimal("0.5"), Decimal("0.5"))
    exchange.trade(SYMBOL, "61001", "1", buyer_is_maker=False)
    states = {order["info"]["type"]: order["status"] for order in await alice.fetch_orders(SYMBOL)}
    assert states == {"LIMIT_MAKER": "closed", "STOP_LOSS_LIMIT": "expired"}


async def test_user_stream_tells_of_orders_fills_and_balances(exchange, alice):
    orders = asyncio.create_task(alice.watch_orders(SYMBOL))
    trades = asyncio.create_task(alice.watch_my_trades(SYMBOL))
    balance = asyncio.create_task(alice.watch_balance())
    await subscribed(exchange)
    placed = await alice.create_order(SYMBOL, "limit", "buy", 0.01, 59000, {"clientOrderId": "told"})
    async with asyncio.timeout(10):
        assert [(o["clientOrderId"], o["status"]) for o in await orders] == [("told", "open")]
        assert (await balance)["USDT"]["used"] == 590
        closing = asyncio.create_task(alice.watch_orders(SYMBOL))
        await asyncio.sleep(0)
        exchange.trade(SYMBOL, "58999", "1")
        fill = (await trades)[0]
        assert (fill["order"], fill["price"], fill["amount"]) == (placed["id"], 59000, 0.01)
        assert (fill["fee"], fill["takerOrMaker"]) == ({"currency": "BTC", "cost": 0.00001}, "maker")
        assert [(o["clientOrderId"], o["status"]) for o in await closing] == [("told", "closed")]


async def test_user_events_go_to_their_own_user_only(exchange, alice, connect):
    bob = connect("bob")
    heard = [asyncio.create_task(client.watch_orders(SYMBOL)) for client in (alice, bob)]
    await subscribed(exchange, 2)
    await alice.create_order(SYMBOL, "limit", "buy", 0.01, 59000)
    async with asyncio.timeout(10):
        await heard[0]
        await bob.create_order(SYMBOL, "limit", "buy", 0.03, 58000)
        assert [o["amount"] for o in await heard[1]] == [0.03]


async def test_orders_over_the_websocket_api(exchange, alice):
    await alice.load_markets()
    order = await alice.create_order_ws(SYMBOL, "limit", "buy", 0.01, 59000)
    assert (await alice.fetch_order_ws(order["id"], SYMBOL))["status"] == "open"
    assert (await alice.cancel_order_ws(order["id"], SYMBOL))["status"] == "canceled"
    assert [entry.kind for entry in exchange.journal.entries("alice")] == ["NEW", "CANCELED"]


async def test_everything_conserves(exchange, alice, connect):
    bob = connect("bob")
    exchange.quote(SYMBOL, "59000", "61000", "0.3", "0.3")
    for index in range(12):
        client, side = (alice, "buy") if index % 2 else (bob, "sell")
        price = 60000 + (index % 3 - 1) * 50
        await client.create_order(SYMBOL, "limit", side, 0.01 + index / 1000, price)
        exchange.trade(SYMBOL, str(price - 10), "0.01")
    for client in (alice, bob):
        for order in await client.fetch_open_orders(SYMBOL):
            await client.cancel_order(order["id"], SYMBOL)
    engine = exchange.venue.engine
    everybody = [*engine.accounts.values(), engine.world, engine.house]
    for asset, total in (("BTC", 2), ("USDT", 200_000)):
        assert sum(sum(account.balance(asset)) for account in everybody) == total
