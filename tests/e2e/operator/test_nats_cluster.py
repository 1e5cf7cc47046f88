"""Three NATS servers from the chart hold each account's log and lease, and any may die under trading.

An account that names dedicated servers lives on these alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demo.ground_truth import trades
from smarttrade.bus import jetstream, subjects
from smarttrade.bus.accounts import core_key, operator_credentials
from smarttrade.bus.connection import connect
from smarttrade.bus.provision import Provisioner
from smarttrade.identity import AccountIdentity
from tests.component.operator.harness import eventually
from tests.e2e.operator.conftest import DEDICATED, Platform

MakeAccount = Callable[..., str]
SERVERS = {f"smarttrade-nats-{number}" for number in range(3)}


async def _placement(
    platform: Platform, nats_url: str, authority: Path, name: str
) -> dict[str, dict[str, Any]]:
    """Of each of the account's streams, what NATS says of its copies."""
    identity = AccountIdentity(platform.system.name, platform.users.name, name)
    credentials = operator_credentials(platform.keys(), identity)
    line = await connect(
        nats_url,
        name="e2e",
        role="operator",
        credentials=credentials,
        on_closed=_ignore,
        authority=authority,
    )
    try:
        streams = (subjects.STREAM, subjects.LEASE_STREAM)
        return {each: (await jetstream.api(line, f"STREAM.INFO.{each}"))["cluster"] for each in streams}
    finally:
        await line.close()


async def _ignore() -> None:
    return None


def _servers(copies: dict[str, Any]) -> set[str]:
    """Where the copies are that are up to date."""
    return {copies.get("leader"), *(each["name"] for each in copies["replicas"] if each["current"])}


async def test_trading_goes_on_when_a_nats_server_dies(
    platform: Platform, account: MakeAccount, nats_url: str, nats_authority: Path
) -> None:
    name = account("ivan", strategy=platform.provide_strategy("every-second"))
    fills = await asyncio.to_thread(platform.wait_fills, name, 1)
    placement = await _placement(platform, nats_url, nats_authority, name)
    assert [_servers(copies) for copies in placement.values()] == [SERVERS] * 2

    server = placement[subjects.STREAM]["leader"]
    options = [f"--namespace={platform.system.name}", "--grace-period=0", "--force", "--wait=false"]
    platform.cluster("delete", "pod", server, *options)
    await asyncio.to_thread(platform.wait_fills, name, fills + 10)

    platform.users.patch("TradingAccount", name, {"spec": {"state": "Halted"}})

    def agrees_with_the_exchange() -> bool:
        status = platform.status(name)
        happened = len(trades(platform.cluster, name, platform.system.name))
        assert (status["effectiveState"], status["unknownOrders"], status["openOrders"]) == ("Halted", 0, 0)
        assert int(status["fills"]) == happened
        return True

    await asyncio.to_thread(eventually, agrees_with_the_exchange, 120, "every fill is known, and no other")


async def test_an_account_trades_on_dedicated_servers_that_the_shared_ones_know_nothing_of(
    platform: Platform, account: MakeAccount, nats_url: str, nats_authority: Path, tmp_path: Path
) -> None:
    strategy = platform.provide_strategy("every-second-too")
    name = await asyncio.to_thread(account, "peggy", strategy=strategy, bus=DEDICATED)
    await asyncio.to_thread(platform.wait_fills, name, 2)
    assert platform.status(name)["natsCluster"] == DEDICATED
    rows = await asyncio.to_thread(platform.audit, name)
    keys, identity = platform.keys(), AccountIdentity(platform.system.name, platform.users.name, name)
    provisioner = Provisioner(nats_url, keys, authority=nats_authority)
    await provisioner.connect()
    try:
        assert await provisioner.lookup(core_key(keys, identity).public) is None
        await asyncio.to_thread(platform.remove, name)
        assert await provisioner.lookup(core_key(keys, identity).public) is None
    finally:
        await provisioner.close()
    kept = await asyncio.to_thread(platform.export_deleted, name, tmp_path / "trail.jsonl")
    assert kept[: len(rows)] == rows
