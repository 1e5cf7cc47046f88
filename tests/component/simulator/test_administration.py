"""`smarttrade simulator users|faults|...` against a running exchange."""

import asyncio
import json

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from typer.testing import CliRunner

from smarttrade.simulator.command import app
from tests.component.simulator.conftest import SYMBOL


@pytest.fixture
def run(exchange):
    """run("users", "list"): (exit code, output) of the command line."""

    async def invoke(*arguments: str) -> tuple[int, str]:
        environment = {
            "SMARTTRADE_SIMULATOR_ADMIN": exchange.admin_url,
            "SMARTTRADE_SIMULATOR_TOKEN": exchange.admin_token,
        }
        result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env=environment)
        return result.exit_code, result.output

    return invoke


async def test_user_is_added_trades_gets_another_key_and_is_removed(exchange, connect, run):
    code, output = await run("users", "add", "carol", "--balance", "USDT=1000", "--json")
    carol = json.loads(output)
    assert code == 0
    client = connect(apiKey=carol["key"], secret=carol["secret"])
    await client.create_order(SYMBOL, "limit", "buy", 0.01, 50000)
    assert "carol" in (await run("users", "list"))[1]
    assert "2000.00000000" in (await run("users", "deposit", "carol", "USDT=1500"))[1]
    _, output = await run("users", "rotate", "carol", "--json")
    newer = json.loads(output)
    with pytest.raises(Exception, match="-2015"):
        await client.fetch_balance()
    client.apiKey, client.secret = newer["key"], newer["secret"]
    assert (await client.fetch_balance())["USDT"]["total"] == 2500
    assert (await run("users", "remove", "carol"))[0] == 0
    with pytest.raises(Exception, match="-2015"):
        await client.fetch_balance()
    assert [entry.kind for entry in exchange.journal.entries("carol")] == ["NEW", "CANCELED"]


async def test_ed25519_key_is_made_here_and_only_its_public_half_leaves(exchange, run, tmp_path):
    path = tmp_path / "dora.pem"
    code, output = await run("users", "add", "dora", "--type", "ed25519", "--private-key", str(path))
    assert (code, "secret" in output, path.stat().st_mode & 0o777) == (0, False, 0o600)
    private = load_pem_private_key(path.read_bytes(), None)
    user = exchange.venue.find_user("dora")
    assert user.has_signed(b"payload", _base64(private.sign(b"payload")))


def _base64(content: bytes) -> str:
    import base64

    return base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("users", "add", "alice"), "exists already"),
        (("users", "add", "x", "--balance", "USDT"), "ASSET=AMOUNT"),
        (("users", "add", "x", "--type", "rsa"), "--private-key"),
        (("users", "remove", "nobody"), "no user 'nobody'"),
        (("users", "list", "--token", "wrong"), "token"),
        (("users", "list", "--admin", "nowhere"), "http://"),
        (("faults", "remove", "99"), "no such fault"),
        (("faults", "add", "latency", "--probability", "2"), "probability"),
    ],
)
async def test_mistakes_end_with_2_and_say_what_to_change(run, arguments, message):
    code, output = await run(*arguments)
    assert (code, message in output) == (2, True), output


async def test_faults_clock_and_sockets_are_ruled_from_the_command_line(exchange, connect, run):
    _, output = await run("faults", "add", "server-error", "--user", "alice", "--times", "1")
    assert "fault 1" in output
    with pytest.raises(Exception, match="Service Unavailable"):
        await connect("alice").fetch_balance()
    await run("faults", "add", "latency", "--delay-ms", "5")
    assert json.loads((await run("faults", "list"))[1])[0]["kind"] == "latency"
    await run("faults", "clear")
    assert exchange.faults.active() == []
    await run("clock", "900")
    assert exchange.clock.skew_ms == 900
    assert "0 connections" in (await run("websockets", "drop"))[1]
    await connect("bob").create_order(
        SYMBOL, "limit", "buy", 0.01, 50000, {"timestamp": exchange.clock.now_ms()}
    )
    entry = json.loads((await run("journal", "--user", "bob"))[1])
    assert (entry["kind"], entry["price"]) == ("NEW", "50000.00000000")
