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


async def test_weight_limit_answers_429_and_then_418():
    async with Simulator(manual_config(weight_limit=30)) as exchange, aiohttp.ClientSession() as session:
        statuses, weights = [], []
        for _ in range(70):
            answer = await session.get(f"{exchange.rest_url}/api/v3/ping")
            statuses.append(answer.status)
            weights.append(int(answer.headers["X-MBX-USED-WEIGHT-1M"]))
        assert set(statuses) >= {200, 429}
        assert weights[:3] in ([1, 2, 3], [1, 2, 1], [1, 1, 2])


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
