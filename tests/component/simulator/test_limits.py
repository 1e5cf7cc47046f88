"""Weights, bans, order counts; sessions and tickers; many symbols."""

import base64
import time
from decimal import Decimal

import aiohttp
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from smarttrade.simulator.config import UserConfig
from smarttrade.simulator.keys import KeyKind, write_key_pair
from smarttrade.simulator.testing import Simulator, build_test_user, manual_config
from tests.component.simulator.conftest import SYMBOL
from tests.component.simulator.signing import Rest, call, signed_parameters

ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "price": "59000",
    "quantity": "0.01",
}


def stay_within_a_minute(exchange: Simulator) -> None:
    """Weights are counted by the exchange's minute; none must begin during the test."""
    exchange.skew(20_000 - exchange.clock.now_ms() % 60_000)


async def test_who_does_not_back_off_is_banned_and_told_until_when():
    async with Simulator(manual_config(weight_limit=30)) as exchange, aiohttp.ClientSession() as session:
        stay_within_a_minute(exchange)
        statuses = []
        for _ in range(45):
            answer = await session.get(f"{exchange.rest_url}/api/v3/ping")
            statuses.append(answer.status)
        assert statuses == [200] * 30 + [429] * 10 + [418] * 5
        assert int(answer.headers["Retry-After"]) in (119, 120)
        assert (await answer.json())["code"] == -1003
        exchange.skew(exchange.clock.skew_ms + 130_000)
        assert (await session.get(f"{exchange.rest_url}/api/v3/ping")).status == 200
        async with session.ws_connect(exchange.websocket_api_url) as socket:
            for _ in range(30):
                reply = await call(socket, "ping")
        assert (reply["status"], reply["error"]["code"]) == (429, -1003)
        assert reply["error"]["data"]["retryAfter"] > 0


async def test_weight_depends_on_what_is_asked(exchange):
    stay_within_a_minute(exchange)
    used = []
    async with aiohttp.ClientSession() as session:
        for path in ("depth?symbol=BTCUSDT&limit=5000", "ticker/24hr?symbol=BTCUSDT", "ticker/24hr", "ping"):
            answer = await session.get(f"{exchange.rest_url}/api/v3/{path}")
            used.append(int(answer.headers["X-MBX-USED-WEIGHT-1M"]))
    assert used == [250, 252, 332, 333]


async def test_orders_are_counted_and_may_be_too_many(exchange):
    alice = Rest(exchange, "alice")
    await alice.ask("POST", "/api/v3/order", **ORDER)
    assert alice.headers["X-MBX-ORDER-COUNT-1D"] == "1"
    _, limits = await alice.ask("GET", "/api/v3/rateLimit/order")
    assert [(row["interval"], row["count"]) for row in limits][1] == ("DAY", 1)
    exchange.venue.order_counts.is_enforced = True
    exchange.venue.order_counts.add("alice", 200_000, exchange.clock.now_ms())
    status, refused = await alice.ask("POST", "/api/v3/order", **ORDER)
    assert (status, refused["code"]) == (429, -1015)
    assert len(exchange.journal.orders("alice")) == 1


def ed25519_parameters(private: Ed25519PrivateKey, key: str, **parameters):
    given = {**parameters, "apiKey": key, "timestamp": time.time_ns() // 1_000_000}
    payload = "&".join(f"{name}={value}" for name, value in sorted(given.items()))
    return {**given, "signature": base64.b64encode(private.sign(payload.encode())).decode()}


async def test_session_of_an_ed25519_key_trades_without_signing_again(exchange, tmp_path):
    pem = write_key_pair(KeyKind.ED25519, tmp_path / "dora.pem")
    private = load_pem_private_key((tmp_path / "dora.pem").read_bytes(), None)
    exchange.add_user(
        UserConfig(name="dora", key="dora-key", public_key=pem, balances={"USDT": Decimal(1000)})
    )
    async with aiohttp.ClientSession() as session, session.ws_connect(exchange.websocket_api_url) as socket:
        refused = await call(socket, "session.logon", **signed_parameters("alice"))
        assert (refused["status"], refused["error"]["code"]) == (400, -4056)
        assert (await call(socket, "userDataStream.subscribe"))["status"] == 401
        logged_on = await call(socket, "session.logon", **ed25519_parameters(private, "dora-key"))
        assert logged_on["result"]["apiKey"] == "dora-key"
        subscribed = await call(socket, "userDataStream.subscribe")
        number = subscribed["result"]["subscriptionId"]
        now_ms = exchange.clock.now_ms()
        placed = await call(socket, "order.place", **ORDER, timestamp=now_ms)
        assert (placed["status"], placed["result"]["status"]) == (200, "NEW")
        assert placed["rateLimits"][0]["rateLimitType"] == "ORDERS"
        replaced = await call(
            socket,
            "order.cancelReplace",
            **{**ORDER, "price": "58000"},
            cancelReplaceMode="STOP_ON_FAILURE",
            cancelOrderId=placed["result"]["orderId"],
            timestamp=now_ms,
        )
        assert replaced["result"]["newOrderResult"] == "SUCCESS"
        await socket.send_json(
            {"id": 9, "method": "userDataStream.unsubscribe", "params": {"subscriptionId": number}}
        )
        while "eventStreamTerminated" not in (await socket.receive_str(timeout=10)):
            pass
    assert [entry.kind for entry in exchange.journal.entries("dora")] == ["NEW", "CANCELED", "NEW"]


async def test_rsa_keys_sign_requests(exchange, tmp_path):
    pem = write_key_pair(KeyKind.RSA, tmp_path / "rita.pem")
    private = load_pem_private_key((tmp_path / "rita.pem").read_bytes(), None)
    user = exchange.add_user(UserConfig(name="rita", key="rita-key", public_key=pem))
    signature = base64.b64encode(private.sign(b"timestamp=1", PKCS1v15(), hashes.SHA256())).decode()
    assert user.has_signed(b"timestamp=1", signature)
    assert not user.has_signed(b"timestamp=2", signature)


async def test_cancel_has_an_id_of_its_own_in_the_user_stream(exchange):
    alice = Rest(exchange, "alice")
    async with aiohttp.ClientSession() as session, session.ws_connect(exchange.websocket_api_url) as socket:
        await call(socket, "userDataStream.subscribe.signature", **signed_parameters("alice"))
        await alice.ask("POST", "/api/v3/order", **ORDER, newClientOrderId="mine")
        await alice.ask(
            "DELETE",
            "/api/v3/order",
            symbol="BTCUSDT",
            origClientOrderId="mine",
            newClientOrderId="the-cancel",
        )
        reports = []
        while len(reports) < 2:
            event = (await socket.receive_json(timeout=10))["event"]
            reports += [event] if event["e"] == "executionReport" else []
    assert [(r["x"], r["c"], r["C"]) for r in reports] == [
        ("NEW", "mine", ""),
        ("CANCELED", "the-cancel", "mine"),
    ]


async def test_tickers_over_any_window(exchange):
    exchange.trade(SYMBOL, "61000", "0.5", buyer_is_maker=False)
    async with aiohttp.ClientSession() as session:

        async def get(path):
            return await (await session.get(f"{exchange.rest_url}/api/v3/{path}")).json()

        for path in ("ticker?windowSize=5m&", "ticker/tradingDay?timeZone=5:45&", "ticker/24hr?"):
            full = await get(f"{path}symbol=BTCUSDT")
            assert (full["highPrice"], full["priceChange"]) == ("61000.00000000", "1000.00000000")
            mini = await get(f"{path}symbols=[%22BTCUSDT%22]&type=MINI")
            assert (mini[0]["lastPrice"], "priceChange" in mini[0]) == ("61000.00000000", False)
        assert (await get("ticker?symbol=BTCUSDT&windowSize=8d"))["code"] == -1139
        assert (await get("ticker"))["code"] == -1128
        assert len(await get("uiKlines?symbol=BTCUSDT&interval=1M")) == 1


async def test_three_thousand_symbols_are_listed_and_quiet_ones_trade():
    config = manual_config(build_test_user("alice", USDT="1000"), listed=3000)
    async with Simulator(config) as exchange, aiohttp.ClientSession() as session:
        rules = await (await session.get(f"{exchange.rest_url}/api/v3/exchangeInfo")).json()
        names = [row["symbol"] for row in rules["symbols"]]
        assert len(set(names)) == 3000
        alice = Rest(exchange, "alice")
        order = {"symbol": "Q0000USDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "100"}
        status, placed = await alice.ask("POST", "/api/v3/order", **order)
        assert (status, placed["status"]) == (200, "FILLED")


async def test_listen_keys_are_gone(exchange):
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{exchange.rest_url}/api/v3/userDataStream")
        assert answer.status == 410


@pytest.mark.parametrize(
    ("window", "code"), [("nan", -1100), ("1e9", -1100), ("60000.1", -1131), ("5000.25", None)]
)
async def test_a_window_is_a_plain_number_of_at_most_a_minute(exchange, window, code):
    _, answer = await Rest(exchange, "alice").ask("GET", "/api/v3/account", recvWindow=window)
    assert answer.get("code") == code
