"""Every fault does what it says: what the client sees, and what really happened by the journal."""

import asyncio

import ccxt
import pytest

from tests.component.simulator.conftest import SYMBOL, subscribed, until

ORDER = "POST /api/v3/order"


@pytest.fixture
async def loaded(connect):
    client = connect("alice", timeout=700)
    await client.load_markets()
    return client


def buy(client, **parameters):
    return client.create_order(SYMBOL, "limit", "buy", 0.01, 59000, parameters)


@pytest.mark.parametrize(
    ("kind", "error", "executed"),
    [
        ("timeout-before", ccxt.RequestTimeout, False),
        ("timeout-after", ccxt.RequestTimeout, True),
        ("reset-before", ccxt.ExchangeNotAvailable, False),
        ("reset-after", ccxt.ExchangeNotAvailable, True),
        ("truncated", ccxt.ExchangeError, True),
        ("server-error", ccxt.ExchangeNotAvailable, False),
        ("unknown-executed", ccxt.RequestTimeout, True),
        ("unknown-not-executed", ccxt.RequestTimeout, False),
        ("rate-limit", ccxt.DDoSProtection, False),
        ("maintenance", ccxt.BaseError, False),
    ],
)
async def test_fault_of_an_order(exchange, loaded, kind, error, executed):
    exchange.faults.inject(kind, user="alice", endpoint=ORDER, times=1)
    with pytest.raises(error):
        await buy(loaded, clientOrderId="fated")
    assert [entry.client_order_id for entry in exchange.journal.orders("alice")] == ["fated"] * executed
    assert (await buy(loaded, clientOrderId="next"))["status"] == "open"
    assert exchange.faults.injected == {kind: 1}


async def test_fault_strikes_only_whom_it_names(exchange, connect):
    exchange.faults.inject("server-error", user="alice", endpoint=ORDER)
    assert (await buy(connect("bob")))["status"] == "open"


async def test_ban_has_status_418(exchange, loaded):
    exchange.faults.inject("rate-limit", status=418, times=1, delay_ms=2000)
    with pytest.raises(ccxt.DDoSProtection):
        await loaded.fetch_balance()
    assert loaded.last_response_headers["Retry-After"] == "2"


async def test_late_visibility_hides_an_order_from_queries_only(exchange, loaded):
    exchange.faults.inject("late-visibility", user="alice", delay_ms=800, times=1)
    order = await buy(loaded, clientOrderId="hidden")
    assert await loaded.fetch_open_orders(SYMBOL) == []
    with pytest.raises(ccxt.OrderNotFound):
        await loaded.fetch_order(None, SYMBOL, {"clientOrderId": "hidden"})
    until_ms = exchange.venue.history.hidden_until_ms[int(order["id"])]
    await until(lambda: exchange.clock.now_ms() >= until_ms)
    assert (await loaded.fetch_order(None, SYMBOL, {"clientOrderId": "hidden"}))["id"] == order["id"]


async def test_clock_skew_refuses_honest_requests(exchange, loaded):
    exchange.skew(60_000)
    with pytest.raises(ccxt.InvalidNonce):
        await buy(loaded)
    exchange.skew(0)
    assert (await buy(loaded))["status"] == "open"


async def test_user_events_can_be_doubled_delayed_and_lost(exchange, loaded):
    heard = []

    async def listen() -> None:
        while True:
            heard.extend(order["clientOrderId"] for order in await loaded.watch_orders(SYMBOL))

    loaded.newUpdates = True
    task = asyncio.create_task(listen())
    await subscribed(exchange)
    exchange.faults.inject("event-drop", endpoint="executionReport", times=1)
    await buy(loaded, clientOrderId="lost")
    exchange.faults.inject("event-duplicate", endpoint="executionReport", times=1)
    await buy(loaded, clientOrderId="double")
    await until(lambda: heard.count("double") == 2)
    exchange.faults.inject("event-delay", endpoint="executionReport", times=1, delay_ms=300)
    await buy(loaded, clientOrderId="late")
    await buy(loaded, clientOrderId="prompt")
    await until(lambda: "late" in heard)
    task.cancel()
    assert heard.index("prompt") < heard.index("late")
    assert "lost" not in heard


async def test_dropped_websocket_is_an_error_and_can_be_redialled(exchange, loaded):
    watching = asyncio.create_task(loaded.watch_trades(SYMBOL))
    await until(lambda: exchange.streams.has("btcusdt@trade"))
    assert exchange.drop_websockets() == 1
    with pytest.raises(ccxt.NetworkError):
        await asyncio.wait_for(watching, 10)
    await until(lambda: not exchange.streams.has("btcusdt@trade"))
    again = asyncio.create_task(loaded.watch_trades(SYMBOL))
    await until(lambda: exchange.streams.has("btcusdt@trade"))
    exchange.trade(SYMBOL, "60000", "1")
    assert (await asyncio.wait_for(again, 10))[-1]["price"] == 60000


async def test_one_users_websocket_can_fall_silent_or_break(exchange, connect):
    clients = {name: connect(name) for name in ("alice", "bob")}
    exchange.faults.inject("ws-silence", user="alice", endpoint="userDataStream", times=1)
    heard = {name: asyncio.create_task(client.watch_orders(SYMBOL)) for name, client in clients.items()}
    await subscribed(exchange, 2)
    for client in clients.values():
        await buy(client)
    assert (await asyncio.wait_for(heard["bob"], 10))[0]["status"] == "open"
    assert not heard["alice"].done()
    assert exchange.drop_websockets("alice") == 1
    with pytest.raises(ccxt.NetworkError):
        await asyncio.wait_for(heard["alice"], 10)


async def test_websocket_breaks_after_the_faults_delay(exchange, connect):
    exchange.faults.inject("ws-drop", endpoint="ws", delay_ms=300, times=1)
    with pytest.raises(ccxt.NetworkError):
        await asyncio.wait_for(connect().watch_trades(SYMBOL), 10)


async def test_the_clock_can_be_wrong_for_one_user_only(exchange, connect):
    exchange.faults.inject("clock-skew", user="alice", skew_ms=60_000, endpoint="*order*")
    with pytest.raises(ccxt.InvalidNonce):
        await buy(connect("alice"))
    assert (await buy(connect("bob")))["status"] == "open"


async def test_faults_strike_the_websocket_api_too(exchange, loaded):
    exchange.faults.inject("unknown-executed", user="alice", endpoint="order.place", times=1)
    with pytest.raises(ccxt.BaseError, match="-1007"):
        await loaded.create_order_ws(SYMBOL, "limit", "buy", 0.01, 59000, {"clientOrderId": "fated"})
    assert [entry.client_order_id for entry in exchange.journal.orders("alice")] == ["fated"]


async def test_silent_websocket_stays_open_and_says_nothing(exchange, loaded):
    watching = asyncio.create_task(loaded.watch_trades(SYMBOL))
    await until(lambda: exchange.streams.has("btcusdt@trade"))
    exchange.silence_websockets()
    exchange.trade(SYMBOL, "60000", "1")
    done, _ = await asyncio.wait([watching], timeout=0.5)
    assert not done
    exchange.silence_websockets(False)
    exchange.trade(SYMBOL, "60001", "1")
    assert (await asyncio.wait_for(watching, 10))[-1]["price"] == 60001


async def test_chance_is_seeded(exchange):
    def draws(seed: int) -> list[bool]:
        from smarttrade.simulator.faults import REQUEST_FAULTS, FaultPlan

        plan = FaultPlan(seed)
        plan.inject("latency", probability=0.5)
        return [bool(plan.take(REQUEST_FAULTS, "alice", ORDER)) for _ in range(64)]

    assert draws(1) == draws(1) != draws(2)
    assert 10 < sum(draws(1)) < 54
