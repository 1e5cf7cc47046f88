"""The process, its admin API, its state across restarts."""

import asyncio
import base64
import json
import signal
import sys
from urllib.parse import quote

import aiohttp
import ccxt.pro
import nacl.signing
import pytest
from nacl.encoding import RawEncoder
from yarl import URL

from smarttrade.errors import ConfigurationError
from smarttrade.simulator.config import UserConfig
from smarttrade.simulator.testing import Simulator, build_test_user, ccxt_config, manual_config, point_ccxt
from tests.component.simulator.conftest import SYMBOL
from tests.component.simulator.signing import Rest
from tests.component.simulator.test_lists import ENTRY, OCO, PAID, PAIR

HISTORY = ("/api/v3/allOrders", "/api/v3/myTrades", "/api/v3/allOrderList")

CONFIG = """
admin_token: letmein
symbols: [BTC/USDT, ETH/USDT]
compress: 60
users:
  - {name: alice, key: k, secret: s, balances: {USDT: "1000", BTC: 0.5}, maker_fee: "0", fee_asset: QUOTE}
"""


async def start(*arguments: str) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "smarttrade.simulator",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    return process, json.loads(line) if line else {}


async def test_process_prints_its_addresses_serves_and_ends_on_sigterm(tmp_path):
    (tmp_path / "simulator.yaml").write_text(CONFIG)
    process, addresses = await start("--config", str(tmp_path / "simulator.yaml"))
    try:
        headers = {"Authorization": "Bearer letmein"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.get(f"{addresses['rest']}/api/v3/ping") as answer:
                assert await answer.json() == {}
            async with session.get(f"{addresses['admin']}/admin/v1/users") as answer:
                assert (await answer.json())[0]["balances"]["BTC"]["free"] == "0.50000000"
            for path in ("livez", "readyz", "metrics"):
                async with session.get(f"{addresses['admin']}/{path}") as answer:
                    assert answer.status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, errors) == (0, b"")
    assert "admin_token" not in addresses


@pytest.mark.parametrize(
    ("arguments", "content", "message"),
    [
        (["--data", "nowhere.csv"], "", "nowhere.csv is not a file"),
        (["--compress", "0"], "", "above zero"),
        (["--symbols", "BTCUSDT"], "", "BASE/QUOTE"),
        ([], "userz: []", "userz"),
        ([], "users: [{name: a, key: k}]", "either secret"),
        ([], "users: [{name: a, key: k, secret: s}, {name: b, key: k, secret: s}]", "same key"),
    ],
)
async def test_wrong_configuration_ends_with_2_and_says_what_to_change(tmp_path, arguments, content, message):
    (tmp_path / "simulator.yaml").write_text(content)
    process, _ = await start("--config", str(tmp_path / "simulator.yaml"), *arguments)
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert message in errors.decode()
    assert "Traceback" not in errors.decode()


async def test_admin_api_manages_users_faults_and_the_journal(exchange, connect):
    headers = {"Authorization": f"Bearer {exchange.admin_token}"}
    async with aiohttp.ClientSession(f"{exchange.admin_url}/", headers=headers) as admin:
        carol = {"name": "carol", "key": "carol-key", "secret": "carol-secret", "balances": {"USDT": "10"}}
        assert (await admin.post("admin/v1/users", json=carol)).status == 201
        assert (await admin.post("admin/v1/users", json=carol)).status == 400
        await admin.post("admin/v1/users/carol/deposits", json={"amounts": {"USDT": "990"}})
        client = connect("carol")
        await client.create_order(SYMBOL, "limit", "buy", 0.01, 50000)
        journal = await (await admin.get("admin/v1/journal?user=carol")).json()
        assert [(entry["kind"], entry["price"]) for entry in journal] == [("NEW", "50000.00000000")]
        fault = await (
            await admin.post("admin/v1/faults", json={"kind": "server-error", "user": "carol"})
        ).json()
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await client.fetch_balance()
        assert (await admin.delete(f"admin/v1/faults/{fault['id']}")).status == 200
        assert (await client.fetch_balance())["USDT"]["total"] == 1000
        assert (await admin.post("admin/v1/faults", json={"kind": "nonsense"})).status == 400
        metrics = await (await admin.get("metrics")).text()
        assert 'smarttrade_simulator_faults_total{kind="server-error"} 1.0' in metrics


async def test_admin_api_needs_its_token(exchange):
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            answer = await session.get(f"{exchange.admin_url}/admin/v1/users", headers=headers)
            assert answer.status == 401
        assert (await session.get(f"{exchange.rest_url}/admin/v1/users")).status == 404


async def test_state_survives_a_restart(tmp_path):
    config = manual_config(build_test_user("alice", USDT="100000", BTC="1"), state=str(tmp_path / "state"))
    async with Simulator(config) as exchange:
        exchange.set_price(SYMBOL, "60000")
        client = point_ccxt(ccxt.pro.binance(ccxt_config("alice")), exchange)
        await client.create_order(SYMBOL, "market", "buy", 0.1)
        resting = await client.create_order(SYMBOL, "limit", "sell", 0.5, 61000, {"clientOrderId": "rests"})
        before = await client.fetch_balance()
        await client.close()
    async with Simulator(config) as exchange:
        exchange.set_price(SYMBOL, "60000")
        client = point_ccxt(ccxt.pro.binance(ccxt_config("alice")), exchange)
        assert (await client.fetch_balance())["total"] == before["total"]
        found = await client.fetch_order(None, SYMBOL, {"clientOrderId": "rests"})
        assert (found["id"], found["status"]) == (resting["id"], "open")
        exchange.trade(SYMBOL, "61001", "1", buyer_is_maker=False)
        assert (await client.fetch_order(resting["id"], SYMBOL))["status"] == "closed"
        newer = await client.create_order(SYMBOL, "limit", "buy", 0.01, 50000)
        assert int(newer["id"]) > int(resting["id"])
        await client.close()


async def test_history_lists_and_icebergs_survive_a_restart(tmp_path):
    config = manual_config(build_test_user("alice", USDT="100000", BTC="2"), state=str(tmp_path))
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.5"}
    entry = {**ENTRY, "workingPrice": "59500", "workingQuantity": "0.1", "pendingQuantity": "0.1"}
    async with Simulator(config) as exchange:
        exchange.set_price(SYMBOL, "60000")
        alice = Rest(exchange, "alice")
        await alice.ask("POST", "/api/v3/order", **order, price="59000")
        await alice.ask("POST", "/api/v3/order", **order, price="62000", icebergQty="0.1")
        await alice.ask("POST", "/api/v3/orderList/oco", **OCO)
        await alice.ask("POST", "/api/v3/orderList/otoco", **entry, **PAIR)
        exchange.trade(SYMBOL, "62000", "0.05", buyer_is_maker=False)
        before = [await alice.ask("GET", path, symbol="BTCUSDT") for path in HISTORY]
        balances = exchange.account("alice").free, exchange.account("alice").locked
    async with Simulator(config) as exchange:
        alice = Rest(exchange, "alice")
        assert [await alice.ask("GET", path, symbol="BTCUSDT") for path in HISTORY] == before
        assert (exchange.account("alice").free, exchange.account("alice").locked) == balances
        exchange.set_price(SYMBOL, "60000")
        exchange.trade(SYMBOL, "59499", "1")
        _, open_orders = await alice.ask("GET", "/api/v3/openOrders", symbol="BTCUSDT")
        assert {o["status"] for o in open_orders if o["orderListId"] == 1} == {"NEW"}
        exchange.trade(SYMBOL, "61500", "1", buyer_is_maker=False)
        _, rows = await alice.ask("GET", "/api/v3/allOrderList")
        assert [row["listOrderStatus"] for row in rows] == ["ALL_DONE", "ALL_DONE"]
        asks = exchange.venue.by_symbol[SYMBOL].state.book.asks[62000 * 10**8]
        assert asks.hidden == 4 * 10**7


async def test_what_a_half_filled_order_has_received_survives_a_restart(tmp_path):
    config = manual_config(build_test_user("alice", USDT="100000"), state=str(tmp_path))
    async with Simulator(config) as exchange:
        exchange.set_price(SYMBOL, "60000")
        await Rest(exchange, "alice").ask("POST", "/api/v3/orderList/opoco", **PAID, **PAIR)
        exchange.trade(SYMBOL, "59000", "0.2")
        assert exchange.account("alice").locked["BTC"] == 1998 * 10**4
    async with Simulator(config) as exchange:
        assert exchange.account("alice").locked["BTC"] == 1998 * 10**4
        exchange.trade(SYMBOL, "58999", "1")
        _, rows = await Rest(exchange, "alice").ask("GET", "/api/v3/openOrders", symbol="BTCUSDT")
        assert [(row["status"], row["origQty"]) for row in rows] == [("NEW", "0.49950000")] * 2


async def test_amendments_and_prevented_matches_survive_a_restart(tmp_path):
    users = [build_test_user(name, USDT="100000", BTC="2") for name in ("alice", "bob")]
    config = manual_config(*users, state=str(tmp_path))
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "price": "62000"}
    async with Simulator(config) as exchange:
        exchange.set_price(SYMBOL, "60000")
        alice, bob = Rest(exchange, "alice"), Rest(exchange, "bob")
        _, first = await alice.ask("POST", "/api/v3/order", **order, quantity="0.5")
        await bob.ask("POST", "/api/v3/order", **order, quantity="0.5")
        named = {"symbol": "BTCUSDT", "orderId": first["orderId"]}
        await alice.ask(
            "PUT", "/api/v3/order/amend/keepPriority", **named, newQty="0.3", newClientOrderId="b"
        )
        best = {**order, "price": "60000", "quantity": "0.1"}
        await alice.ask("POST", "/api/v3/order", **best)
        buy = {**best, "side": "BUY", "selfTradePreventionMode": "DECREMENT"}
        _, taker = await alice.ask("POST", "/api/v3/order", **buy)
        asked = [
            ("/api/v3/order/amendments", named),
            ("/api/v3/myPreventedMatches", {"symbol": "BTCUSDT", "orderId": taker["orderId"]}),
        ]
        before = [await alice.ask("GET", path, **given) for path, given in asked]
        assert [len(rows) for _, rows in before] == [1, 1]
    async with Simulator(config) as exchange:
        alice, bob = Rest(exchange, "alice"), Rest(exchange, "bob")
        assert [await alice.ask("GET", path, **given) for path, given in asked] == before
        exchange.set_price(SYMBOL, "60000")
        exchange.trade(SYMBOL, "62000", "0.3", buyer_is_maker=False)
        by_new_name = {"symbol": "BTCUSDT", "origClientOrderId": "b"}
        _, amended = await alice.ask("GET", "/api/v3/order", **by_new_name)
        assert (amended["status"], amended["origQty"]) == ("FILLED", "0.30000000")
        _, (behind,) = await bob.ask("GET", "/api/v3/openOrders", symbol="BTCUSDT")
        assert behind["executedQty"] == "0.00000000"


async def test_what_a_vanished_market_held_is_free_again(tmp_path):
    user = build_test_user("alice", USDT="1000")
    both = manual_config(user, symbols=(SYMBOL, "ETH/USDT"), state=str(tmp_path))
    async with Simulator(both) as exchange:
        exchange.set_price("ETH/USDT", "3000")
        order = {"symbol": "ETHUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        await Rest(exchange, "alice").ask("POST", "/api/v3/order", **order, price="1000", quantity="0.1")
        assert exchange.balance("alice", "USDT") == (900, 100)
    async with Simulator(manual_config(user, symbols=(SYMBOL,), state=str(tmp_path))) as exchange:
        assert exchange.balance("alice", "USDT") == (1000, 0)


async def test_journal_of_an_earlier_run_is_still_there(tmp_path):
    path = str(tmp_path / "journal.jsonl")
    config = manual_config(build_test_user("alice", USDT="1000"), journal=path, state=str(tmp_path))
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "100"}
    for number in range(2):
        async with Simulator(config) as exchange:
            await Rest(exchange, "alice").ask(
                "POST", "/api/v3/order", **order, quantity="1", newClientOrderId=f"c{number}"
            )
            assert [e.client_order_id for e in exchange.journal.orders("alice")] == ["c0", "c1"][: number + 1]


async def test_broken_state_is_named(tmp_path):
    (tmp_path / "exchange.db").write_text("no database")
    with pytest.raises(ConfigurationError, match=r"exchange\.db"):
        await Simulator(manual_config(state=str(tmp_path))).start()


async def test_ed25519_keys_sign_requests(exchange):
    private = nacl.signing.SigningKey.generate()
    der = bytes.fromhex("302a300506032b6570032100") + private.verify_key.encode(RawEncoder)
    pem = f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"
    exchange.add_user(UserConfig(name="dora", key="dora-key", public_key=pem))
    query = f"timestamp={exchange.clock.now_ms()}"
    good = base64.b64encode(private.sign(query.encode()).signature).decode()
    other = base64.b64encode(private.sign(b"something else").signature).decode()
    async with aiohttp.ClientSession(headers={"X-MBX-APIKEY": "dora-key"}) as session:
        for signature, status in ((good, 200), (other, 400)):
            url = URL(
                f"{exchange.rest_url}/api/v3/account?{query}&signature={quote(signature, safe='')}",
                encoded=True,
            )
            assert (await session.get(url)).status == status


async def test_journal_is_kept_as_a_file(tmp_path):
    config = manual_config(build_test_user("alice", USDT="100000"), journal=str(tmp_path / "journal.jsonl"))
    async with Simulator(config) as exchange:
        exchange.set_price(SYMBOL, "60000")
        client = point_ccxt(ccxt.pro.binance(ccxt_config("alice")), exchange)
        await client.create_order(SYMBOL, "market", "buy", 0.01, params={"clientOrderId": "kept"})
        await client.close()
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert [(line["kind"], line["client_order_id"], line["user"]) for line in lines] == [
        ("NEW", "kept", "alice"),
        ("TRADE", "kept", "alice"),
    ]
