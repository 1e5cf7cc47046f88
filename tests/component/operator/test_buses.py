"""Dedicated NATS servers: an account lives on those that it names, on no others, and only where it may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smarttrade.bus.accounts import build_accounts
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.log import AccountLog
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.identity import AccountIdentity
from tests.component.operator.conftest import MakeOperator
from tests.component.operator.harness import Namespace, OperatorProcess, build_account, eventually
from tests.component.operator.pods import Pod, stored_accounts
from tests.component.operator.test_archive import DENIALS, denials, write_denials

UNKNOWN = 'smarttrade_operator_unknown_nats_accounts{bus="own"}'


@pytest.fixture
async def dedicated(
    keys: OperatorKeys, tmp_path: Path, nats_server_binary: Path
) -> AsyncIterator[LocalServer]:
    async with LocalServer(keys, tmp_path / "dedicated", binary=nats_server_binary) as server:
        yield server


@pytest.fixture
async def serving(
    make_operator: MakeOperator, nats: LocalServer, dedicated: LocalServer, namespace: Namespace
) -> OperatorProcess:
    """It has servers `own` for the test's namespace, and `others` at the same place for another one."""
    own = {"url": dedicated.url, "namespaces": [namespace.name], "pod_labels": {"app": "own"}}
    buses = {"own": own, "others": own | {"namespaces": ["elsewhere"]}}
    operator = make_operator(nats, BUSES=json.dumps(buses), RESYNC_SECONDS="1")
    return await asyncio.to_thread(operator.start)


async def test_an_account_lives_and_is_archived_on_its_own_servers_alone(
    serving: OperatorProcess,
    nats: LocalServer,
    dedicated: LocalServer,
    keys: OperatorKeys,
    namespace: Namespace,
) -> None:
    namespace.create("TradingAccount", build_account("alice", bus="own", deletionTimeoutSeconds=5))
    await asyncio.to_thread(namespace.wait, "Deployment", "alice")
    assert await stored_accounts(dedicated, keys, namespace) == {True}
    assert await stored_accounts(nats, keys, namespace) == {False}
    async with Pod(namespace, "alice", dedicated.url) as pod:
        await pod.report(1)
        await asyncio.to_thread(namespace.wait_condition, "alice", "Ready", "Trading")
        await write_denials(AccountLog(pod.connections["execution"]))
    assert namespace.get("TradingAccount", "alice")["status"]["natsCluster"] == "own"
    namespace.delete("TradingAccount", "alice")
    await asyncio.to_thread(eventually, lambda: namespace.find("TradingAccount", "alice") is None)
    assert await asyncio.to_thread(denials, serving, namespace.name, "alice") == list(DENIALS)
    assert await stored_accounts(dedicated, keys, namespace) == {False}


@pytest.mark.parametrize("name", ["nowhere", "others"])
async def test_an_account_that_may_not_use_them_is_told_so_and_lives_nowhere(
    serving: OperatorProcess,
    nats: LocalServer,
    dedicated: LocalServer,
    keys: OperatorKeys,
    namespace: Namespace,
    name: str,
) -> None:
    namespace.create("TradingAccount", build_account("alice", bus=name, deletionTimeoutSeconds=5))
    told = await asyncio.to_thread(namespace.wait_condition, "alice", "ConfigApplied", "UnknownBus")
    assert f"no dedicated NATS servers called {name} for namespace {namespace.name}" in told["message"]
    assert namespace.find("Deployment", "alice") is None
    for server in (nats, dedicated):
        assert await stored_accounts(server, keys, namespace) == {False}
    namespace.delete("TradingAccount", "alice")
    await asyncio.to_thread(eventually, lambda: namespace.find("TradingAccount", "alice") is None)


async def test_the_others_are_served_while_dedicated_servers_are_away(
    serving: OperatorProcess, nats: LocalServer, dedicated: LocalServer, namespace: Namespace
) -> None:
    await dedicated.stop()
    namespace.create("TradingAccount", build_account("alice", bus="own", deletionTimeoutSeconds=5))
    namespace.create("TradingAccount", build_account("bob"))
    told = await asyncio.to_thread(namespace.wait_condition, "alice", "ConfigApplied", "NatsUnavailable")
    assert dedicated.url in told["message"]
    await asyncio.to_thread(namespace.wait, "Deployment", "bob")
    async with Pod(namespace, "bob", nats.url, "bob-pod-1") as pod:
        await pod.report(1)
        await asyncio.to_thread(namespace.wait_condition, "bob", "Ready", "Trading")
    await dedicated.start()
    await asyncio.to_thread(namespace.wait, "Deployment", "alice")


async def test_what_no_object_stands_for_is_told_of_dedicated_servers_as_well(
    serving: OperatorProcess, dedicated: LocalServer, keys: OperatorKeys, namespace: Namespace
) -> None:
    """Bob is there, but on other servers: what is left here under his name is nobody's."""
    namespace.create("TradingAccount", build_account("alice", bus="own", deletionTimeoutSeconds=5))
    namespace.create("TradingAccount", build_account("bob"))
    await asyncio.to_thread(namespace.wait, "Deployment", "alice")
    provisioner = Provisioner(dedicated.url, keys)
    await provisioner.connect()
    left = build_accounts(keys, AccountIdentity(namespace.installation, namespace.name, "bob"))
    await provisioner.push(left)
    wanted = len(left.jwts)
    await asyncio.to_thread(eventually, lambda: serving.metric(UNKNOWN) == wanted, 30, "all accounts of bob")
    assert set(left.jwts) <= await provisioner.stored_accounts()
    await provisioner.close()


async def test_an_account_does_not_move_to_other_servers(
    serving: OperatorProcess, namespace: Namespace
) -> None:
    namespace.create("TradingAccount", build_account("alice", bus="own", deletionTimeoutSeconds=5))
    for change in ({"bus": "others"}, {"bus": None}):
        answer = namespace.client.merge(namespace.path("TradingAccount", "alice"), {"spec": change})
        assert answer.status == 422
        assert "this one's log does not move" in answer.message
