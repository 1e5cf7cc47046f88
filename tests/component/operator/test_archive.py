"""What a deleted account has logged outlives it, wherever its deletion was cut off, and only its."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from smarttrade.bus.accounts import AccountPair, build_accounts
from smarttrade.bus.assets import Retention
from smarttrade.bus.connection import connect
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.log import AccountLog
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.cli.archived import to_rows
from smarttrade.errors import BusError
from smarttrade.execution.records import Batch, DecisionClosed, encode_batch
from smarttrade.identity import AccountIdentity
from smarttrade.messages import Outcome
from tests.component.operator.conftest import MakeOperator
from tests.component.operator.harness import Namespace, OperatorProcess, build_account, eventually
from tests.component.operator.pods import Pod, stored_accounts

DELETED_S = 1_800_000_000
DENIALS = ("DailyLoss", "PriceCollar", "MaxOpenOrders")


@pytest.fixture
async def provisioner(own_nats: LocalServer, keys: OperatorKeys) -> AsyncIterator[Provisioner]:
    provisioner = Provisioner(own_nats.url, keys)
    await provisioner.connect()
    yield provisioner
    await provisioner.close()


async def write_denials(log: AccountLog) -> None:
    after = 0
    for code in DENIALS:
        closed = DecisionClosed(
            id=code, market="BTC/USDT", outcome=Outcome.DENIED, code=code, message="m", time_ms=1
        )
        batch = encode_batch(Batch(epoch=1, records=(closed,)))
        after = await log.append(batch, after=after, message_id=code)


def _trail(operator: OperatorProcess, namespace: str, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "smarttrade_operator.main", "trail", namespace, name, "1", "100"]
    environment = os.environ | operator.environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def archived(operator: OperatorProcess, namespace: str, name: str) -> list[dict[str, Any]]:
    """What the archive has of the account, a row a record."""
    told = _trail(operator, namespace, name)
    assert told.returncode == 0, told.stdout
    return [json.loads(row) for line in told.stdout.splitlines() for row in to_rows(line).splitlines()]


def denials(operator: OperatorProcess, namespace: str, name: str) -> list[str]:
    rows = archived(operator, namespace, name)
    return [row["record"]["code"] for row in rows if row["kind"] == "closed"]


async def _is_gone(namespace: Namespace) -> None:
    await asyncio.to_thread(eventually, lambda: namespace.find("TradingAccount", "alice") is None)


async def test_the_trail_of_a_deleted_account_can_be_exported(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    await asyncio.to_thread(namespace.wait, "Deployment", "alice")
    async with Pod(namespace, "alice", nats.url) as pod:
        await write_denials(AccountLog(pod.connections["execution"]))
    namespace.delete("TradingAccount", "alice")
    await _is_gone(namespace)
    assert await asyncio.to_thread(denials, operator, namespace.name, "alice") == list(DENIALS)
    unknown = await asyncio.to_thread(_trail, operator, namespace.name, "bob")
    assert "nothing is kept of a deleted account" in unknown.stdout
    assert unknown.returncode == 1


async def test_a_deletion_that_was_cut_off_is_finished_without_losing_or_doubling_a_record(
    make_operator: MakeOperator,
    own_nats: LocalServer,
    keys: OperatorKeys,
    namespace: Namespace,
    provisioner: Provisioner,
) -> None:
    operator = make_operator(own_nats)
    await asyncio.to_thread(operator.start)
    namespace.create("TradingAccount", build_account("alice"))
    await asyncio.to_thread(namespace.wait, "Deployment", "alice")
    async with Pod(namespace, "alice", own_nats.url) as pod:
        await write_denials(AccountLog(pod.connections["execution"]))
    operator.stop(signal.SIGKILL)
    namespace.delete("TradingAccount", "alice")
    at = namespace.get("TradingAccount", "alice")["metadata"]["deletionTimestamp"]
    deleted_s = int(datetime.fromisoformat(at).timestamp())
    identity = AccountIdentity(namespace.installation, namespace.name, "alice")
    await provisioner.disable(identity, deleted_s)
    await provisioner.prepare_archive(Retention())
    await provisioner.copy_trail(identity, deleted_s)
    again = make_operator(own_nats, "operator-b", LEASE_SECONDS="3")
    await asyncio.to_thread(again.start)
    await _is_gone(namespace)
    assert await asyncio.to_thread(denials, again, namespace.name, "alice") == list(DENIALS)
    assert await stored_accounts(own_nats, keys, namespace) == {False}


async def _leave(
    provisioner: Provisioner, keys: OperatorKeys, url: str, identity: AccountIdentity
) -> AccountPair:
    """An account with a log, which no object stands for."""
    pair = build_accounts(keys, identity)
    await provisioner.push(pair)
    await provisioner.ensure_assets(identity)

    async def closed() -> None:
        return None

    nc = await connect(
        url, name="left", role="execution", credentials=pair.credentials["execution"], on_closed=closed
    )
    await write_denials(AccountLog(nc))
    await nc.close()
    return pair


async def test_the_sweep_finishes_deletions_that_had_begun_and_leaves_what_is_only_absent(
    make_operator: MakeOperator,
    own_nats: LocalServer,
    keys: OperatorKeys,
    namespace: Namespace,
    provisioner: Provisioner,
) -> None:
    own = namespace.installation
    begun = [AccountIdentity(own, "elsewhere", f"bob-{number}") for number in range(5)]
    absent = AccountIdentity(own, "not-served", "carol")
    foreign = AccountIdentity("another-installation", "elsewhere", "dave")
    anew = AccountIdentity(own, namespace.name, "alice")
    pairs = {
        identity: await _leave(provisioner, keys, own_nats.url, identity)
        for identity in (*begun, absent, foreign, anew)
    }
    for identity in (*begun, foreign, anew):
        await provisioner.disable(identity, DELETED_S)
    namespace.create("TradingAccount", build_account("alice"))
    operator = make_operator(own_nats, RESYNC_SECONDS="1")
    await asyncio.to_thread(operator.start)

    kept = {public for identity in (absent, foreign, anew) for public in pairs[identity].jwts}
    gone = {public for identity in begun for public in pairs[identity].jwts}

    async def finished() -> bool:
        try:
            return not gone & await provisioner.stored_accounts()
        except BusError:
            return False  # a server that deletes much answers late

    async with asyncio.timeout(60):
        while not await finished():  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)
    assert kept <= await provisioner.stored_accounts()
    assert await provisioner.deletion_of(pairs[anew].core_public) is None, "the account that is there lives"
    assert await provisioner.deletion_of(pairs[foreign].core_public) == (foreign, DELETED_S)
    assert [line for line in operator.lines() if line["event"] == "many deletions were cut off"]
    trail = await asyncio.to_thread(denials, operator, "elsewhere", begun[-1].name)
    assert trail == list(DENIALS)
