"""Deleting an account settles it while its pods run, then leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.controlplane import ControlPlane
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.server import LocalServer
from tests.component.operator.conftest import MakeOperator
from tests.component.operator.harness import Namespace, OperatorProcess, build_account, eventually
from tests.component.operator.pods import Pod, holding, stored_accounts

CHILDREN = (
    ("Deployment", "alice"),
    ("NetworkPolicy", "alice"),
    ("PodDisruptionBudget", "alice"),
    ("Secret", "alice-nats"),
)


def _is_gone(namespace: Namespace) -> bool:
    return namespace.find("TradingAccount", "alice") is None


def _assert_nothing_is_left(namespace: Namespace) -> None:
    for kind, name in CHILDREN:
        eventually(lambda k=kind, n=name: namespace.find(k, n) is None, 60, f"{kind} {name} is gone")
    eventually(lambda: not namespace.items("Pod"), 60, "no pods")


async def test_an_account_that_never_traded_is_released_at_once(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer, keys: OperatorKeys
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    await asyncio.to_thread(namespace.wait, "Deployment", "alice")
    assert await stored_accounts(nats, keys, namespace) == {True}
    namespace.delete("TradingAccount", "alice")
    await asyncio.to_thread(eventually, lambda: _is_gone(namespace))
    await asyncio.to_thread(_assert_nothing_is_left, namespace)
    assert await stored_accounts(nats, keys, namespace) == {False}


async def test_pods_stay_until_their_orders_are_cancelled(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer, keys: OperatorKeys
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    async with Pod(namespace, "alice", nats.url) as pod:
        await pod.report(1, open_orders=2, positions=[holding("1")])
        await asyncio.to_thread(namespace.wait_condition, "alice", "Ready", "Trading")
        namespace.delete("TradingAccount", "alice")
        await asyncio.to_thread(namespace.wait_condition, "alice", "Ready", "Deleting")
        control = await pod.control()
        assert control is not None
        assert control.deleting
        await pod.report(control.generation, open_orders=1, positions=[holding("1")])
        with pytest.raises(AssertionError):
            await asyncio.to_thread(eventually, lambda: namespace.find("Deployment", "alice") is None, 2)
        await pod.report(control.generation, positions=[holding("1")])
        await asyncio.to_thread(eventually, lambda: namespace.find("Deployment", "alice") is None)
        await asyncio.to_thread(eventually, lambda: _is_gone(namespace))
    assert namespace.events("Settled")
    await asyncio.to_thread(_assert_nothing_is_left, namespace)
    assert await stored_accounts(nats, keys, namespace) == {False}


async def test_flatten_waits_for_the_positions_too(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice", deletionPolicy="Flatten"))
    async with Pod(namespace, "alice", nats.url) as pod:
        await pod.report(1, positions=[holding("1")])
        await asyncio.to_thread(namespace.wait_condition, "alice", "Ready", "Trading")
        namespace.delete("TradingAccount", "alice")
        await pod.report(2, positions=[holding("1")])
        with pytest.raises(AssertionError):
            await asyncio.to_thread(eventually, lambda: namespace.find("Deployment", "alice") is None, 2)
        await pod.report(2, positions=[holding("0")])
        await asyncio.to_thread(eventually, lambda: _is_gone(namespace))


async def test_an_account_that_does_not_settle_is_released_after_the_timeout(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice", deletionTimeoutSeconds=5))
    async with Pod(namespace, "alice", nats.url) as pod:
        await pod.report(1, open_orders=3)
        await asyncio.to_thread(namespace.wait_condition, "alice", "Ready", "Trading")
        namespace.delete("TradingAccount", "alice")
        await pod.report(2, open_orders=3)
        await asyncio.to_thread(eventually, lambda: _is_gone(namespace), 30)
    event = namespace.events("NotSettled")[0]
    assert event["type"] == "Warning"
    assert "3 open" in event["note"]


async def test_an_account_deleted_while_the_operator_is_away_is_settled_on_its_return(
    own_operator: OperatorProcess, namespace: Namespace, nats: LocalServer, keys: OperatorKeys
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    await asyncio.to_thread(namespace.wait, "Deployment", "alice")
    await asyncio.to_thread(own_operator.stop)
    namespace.delete("TradingAccount", "alice")
    assert not _is_gone(namespace)
    await asyncio.to_thread(own_operator.start)
    await asyncio.to_thread(eventually, lambda: _is_gone(namespace))
    assert await stored_accounts(nats, keys, namespace) == {False}


async def test_a_namespace_with_accounts_can_be_deleted(
    make_operator: MakeOperator, nats: LocalServer, namespace: Namespace, control_plane: ControlPlane
) -> None:
    """With rights and Lease outside the namespace, as in cluster-wide mode: what is inside goes first."""
    pod = f"operator-{namespace.name}"
    operator = make_operator(nats, pod, control_plane.kubeconfig, OPERATOR_NAMESPACE="default")
    await asyncio.to_thread(operator.start)
    namespace.create("TradingAccount", build_account("alice"))
    await asyncio.to_thread(namespace.wait, "Deployment", "alice")
    namespace.client.call("DELETE", f"/api/v1/namespaces/{namespace.name}")

    def is_gone() -> bool:
        return namespace.client.call("GET", f"/api/v1/namespaces/{namespace.name}").status == 404

    await asyncio.to_thread(eventually, is_gone, 60)


async def test_a_recreated_account_is_built_anew(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer, keys: OperatorKeys
) -> None:
    for _ in range(2):
        namespace.create("TradingAccount", build_account("alice"))
        account = namespace.get("TradingAccount", "alice")

        def is_owned(uid: str = account["metadata"]["uid"]) -> bool:
            owners = namespace.get("Deployment", "alice")["metadata"]["ownerReferences"]
            return [owner["uid"] for owner in owners] == [uid]

        await asyncio.to_thread(eventually, is_owned)
        assert await stored_accounts(nats, keys, namespace) == {True}
        namespace.delete("TradingAccount", "alice")
        await asyncio.to_thread(eventually, lambda: _is_gone(namespace))


def test_an_account_recreated_before_its_deletion_was_seen_is_built_anew(
    make_operator: MakeOperator, nats: LocalServer, namespace: Namespace
) -> None:
    operator = make_operator(nats, LEASE_SECONDS="120").start()
    namespace.create("TradingAccount", build_account("alice"))
    namespace.wait("Deployment", "alice")
    old = namespace.wait("Secret", "alice-nats")
    assert operator.process is not None
    operator.process.send_signal(signal.SIGSTOP)
    try:
        namespace.release("TradingAccount", "alice")
        for kind, name in CHILDREN:  # the garbage collector may have been quicker
            namespace.delete(kind, name, missing_ok=True)
        uid = namespace.create("TradingAccount", build_account("alice"))["metadata"]["uid"]
    finally:
        operator.process.send_signal(signal.SIGCONT)
    assert namespace.wait("Secret", "alice-nats")["metadata"]["uid"] != old["metadata"]["uid"]

    def owners(kind: str, name: str) -> list[str]:
        return [owner["uid"] for owner in namespace.get(kind, name)["metadata"]["ownerReferences"]]

    for kind, name in CHILDREN:
        eventually(lambda k=kind, n=name: owners(k, n) == [uid], 60, f"{kind} {name} belongs to the new one")


async def test_an_account_can_be_deleted_after_the_platform_was_uninstalled(
    own_operator: OperatorProcess, namespace: Namespace, operator_kubeconfig: Path
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    await asyncio.to_thread(namespace.wait, "Deployment", "alice")
    assert await asyncio.to_thread(own_operator.stop) == 0
    options = ["--installation", namespace.name, "--namespace", namespace.name]
    command = [sys.executable, "-m", "smarttrade_operator.main", "release", *options]
    environment = os.environ | {"KUBECONFIG": str(operator_kubeconfig)}
    await asyncio.to_thread(subprocess.run, command, env=environment, check=True, timeout=60)
    assert "finalizers" not in namespace.get("TradingAccount", "alice")["metadata"]
    assert namespace.find("Deployment", "alice") is not None, "it trades on"
    namespace.delete("TradingAccount", "alice")
    assert _is_gone(namespace)
