"""The account's place in NATS: made, missed, lost and made again."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.errors import BusError
from smarttrade.identity import AccountIdentity
from tests.component.operator.conftest import MakeOperator
from tests.component.operator.harness import Namespace, build_account, eventually
from tests.component.operator.pods import Pod


async def test_without_nats_the_account_says_so_and_starts_when_it_comes(
    make_operator: MakeOperator, own_nats: LocalServer, namespace: Namespace
) -> None:
    await own_nats.stop()
    operator = make_operator(own_nats)
    await asyncio.to_thread(operator.start)
    namespace.create("TradingAccount", build_account("alice"))
    condition = await asyncio.to_thread(namespace.wait_condition, "alice", "ConfigApplied", "NatsUnavailable")
    assert own_nats.url in condition["message"]
    await asyncio.to_thread(namespace.wait_condition, "alice", "Ready", "NatsUnavailable")
    await asyncio.to_thread(namespace.wait, "NetworkPolicy", "alice")
    assert namespace.find("Deployment", "alice") is None, "pods would only crash"

    await own_nats.start()
    await asyncio.to_thread(namespace.wait, "Deployment", "alice", 30)
    async with Pod(namespace, "alice", own_nats.url) as pod:
        await pod.report(1)
        await asyncio.to_thread(namespace.wait_condition, "alice", "Ready", "Trading")


async def test_losing_nats_leaves_running_pods_alone(
    make_operator: MakeOperator, own_nats: LocalServer, namespace: Namespace
) -> None:
    operator = make_operator(own_nats, RESYNC_SECONDS="2")
    await asyncio.to_thread(operator.start)
    namespace.create("TradingAccount", build_account("alice"))
    before = await asyncio.to_thread(namespace.wait, "Deployment", "alice")
    await own_nats.stop()
    await asyncio.to_thread(namespace.wait_condition, "alice", "ConfigApplied", "NatsUnavailable", 60)
    namespace.patch("Deployment", "alice", {"spec": {"replicas": 5}})
    await asyncio.to_thread(eventually, lambda: namespace.get("Deployment", "alice")["spec"]["replicas"] == 2)
    assert namespace.get("Deployment", "alice")["metadata"]["uid"] == before["metadata"]["uid"]


@pytest.mark.parametrize("seen", [True, False], ids=["the operator reconnects", "the resync looks"])
async def test_a_wiped_resolver_is_healed(
    make_operator: MakeOperator, own_nats: LocalServer, namespace: Namespace, keys: OperatorKeys, seen: bool
) -> None:
    operator = make_operator(own_nats, RESYNC_SECONDS="600" if seen else "3")
    await asyncio.to_thread(operator.start)
    namespace.create("TradingAccount", build_account("alice"))
    await asyncio.to_thread(namespace.wait, "Deployment", "alice")
    secret = namespace.get("Secret", "alice-nats")["metadata"]["resourceVersion"]
    if seen:
        await own_nats.stop()
        for lost in ("jwt", "jetstream"):
            shutil.rmtree(own_nats.store_dir / lost)
        await own_nats.start()
    else:
        await _delete_account(own_nats, keys, namespace)
    async with asyncio.timeout(90):
        while not await _has_control(namespace, own_nats):  # noqa: ASYNC110 - NATS tells nobody
            await asyncio.sleep(0.3)
    assert namespace.get("Secret", "alice-nats")["metadata"]["resourceVersion"] == secret


async def _delete_account(server: LocalServer, keys: OperatorKeys, namespace: Namespace) -> None:
    provisioner = Provisioner(server.url, keys)
    await provisioner.connect()
    await provisioner.delete(AccountIdentity(namespace.installation, namespace.name, "alice"))
    await provisioner.close()


async def _has_control(namespace: Namespace, server: LocalServer) -> bool:
    try:
        async with Pod(namespace, "alice", server.url) as pod:
            return await pod.control() is not None
    except BusError:
        return False


async def test_a_lost_secret_is_written_again_by_the_resync(
    make_operator: MakeOperator, nats: LocalServer, namespace: Namespace
) -> None:
    operator = make_operator(nats, RESYNC_SECONDS="3")
    await asyncio.to_thread(operator.start)
    namespace.create("TradingAccount", build_account("alice"))
    lost = await asyncio.to_thread(namespace.wait, "Secret", "alice-nats")
    namespace.delete("Secret", "alice-nats")
    found = await asyncio.to_thread(namespace.wait, "Secret", "alice-nats")
    assert found["data"] == lost["data"]


async def test_accounts_cannot_see_one_another(
    make_operator: MakeOperator, nats: LocalServer, namespace: Namespace
) -> None:
    await asyncio.to_thread(make_operator(nats).start)
    for name in ("alice", "bob"):
        namespace.create("TradingAccount", build_account(name, state="Paused" if name == "bob" else "Active"))
        await asyncio.to_thread(namespace.wait, "Deployment", name)
    async with Pod(namespace, "alice", nats.url) as alice, Pod(namespace, "bob", nats.url) as bob:
        states = [(await pod.control()).spec["state"] for pod in (alice, bob)]  # type: ignore[union-attr]
    assert states == ["Active", "Paused"]
