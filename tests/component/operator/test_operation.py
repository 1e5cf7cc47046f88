"""The operator as a process: steady state, two replicas, absence, health."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import pytest

from smarttrade.bus.server import LocalServer
from smarttrade.messages import AccountControl, decode
from smarttrade.source import unpack
from smarttrade_operator.rollout import AT_ONCE
from tests.component.operator.conftest import MakeOperator
from tests.component.operator.harness import Manifest, Namespace, OperatorProcess, build_account, eventually
from tests.component.operator.pods import Pod

KINDS = ("TradingAccount", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Secret", "Event")


def _versions(namespace: Namespace) -> dict[str, str]:
    return {
        f"{kind}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for kind in KINDS
        for item in namespace.items(kind)
    }


def _settled(namespace: Namespace, name: str) -> Manifest:
    namespace.wait("Deployment", name)
    return eventually(lambda: namespace.get("TradingAccount", name).get("status"))  # type: ignore[return-value]


def test_steady_state_costs_nothing_and_restarts_resyncs_and_audits_change_nothing(
    own_operator: OperatorProcess, namespace: Namespace
) -> None:
    for name in ("alice", "bob"):
        namespace.create("TradingAccount", build_account(name))
        _settled(namespace, name)
    # That nobody reports is known, and told, once three heartbeats have passed.
    eventually(lambda: namespace.condition("alice", "Ready")["status"] == "False", 60)
    eventually(lambda: namespace.condition("bob", "Ready")["status"] == "False", 60)
    own_operator.await_calm(1)
    before, versions = own_operator.writes(), _versions(namespace)
    time.sleep(6)
    assert own_operator.writes() == before
    assert _versions(namespace) == versions

    assert own_operator.stop() == 0
    own_operator.environment |= {"SMARTTRADE_RESYNC_SECONDS": "1", "SMARTTRADE_AUDIT_SECONDS": "1"}
    own_operator.start()
    resyncs = own_operator.writes()
    eventually(lambda: own_operator.writes() >= resyncs + 10, 60, "five resyncs of each")
    assert _versions(namespace) == versions
    assert own_operator.probe("/livez") == (200, "ok\n")
    assert own_operator.metric("smarttrade_operator_watch_missed_total{") == 0


def test_the_standby_takes_over_when_the_leader_dies(
    make_operator: MakeOperator, nats: LocalServer, namespace: Namespace
) -> None:
    leader = make_operator(nats, "operator-a", LEASE_SECONDS="5").start()
    standby = make_operator(nats, "operator-b", LEASE_SECONDS="5").start(wait=False)
    eventually(lambda: standby.probe("/readyz")[0] == 200, 60)
    assert not standby.is_leading()
    assert leader.stop(signal.SIGKILL) == -signal.SIGKILL
    namespace.create("TradingAccount", build_account("alice"))
    eventually(standby.is_leading, 40)
    namespace.wait("Deployment", "alice")
    assert namespace.get("Lease", "smarttrade-operator")["spec"]["holderIdentity"] == "operator-b"


def test_a_leader_that_is_stopped_hands_over_at_once(
    make_operator: MakeOperator, nats: LocalServer, namespace: Namespace
) -> None:
    leader = make_operator(nats, "operator-a", LEASE_SECONDS="60").start()
    standby = make_operator(nats, "operator-b", LEASE_SECONDS="5").start(wait=False)
    eventually(lambda: standby.probe("/readyz")[0] == 200, 60)
    assert leader.stop() == 0
    eventually(standby.is_leading, 40)


def test_a_leader_that_was_paused_too_long_ends_itself(
    make_operator: MakeOperator, nats: LocalServer, namespace: Namespace
) -> None:
    leader = make_operator(nats, "operator-a", LEASE_SECONDS="5").start()
    standby = make_operator(nats, "operator-b", LEASE_SECONDS="5").start(wait=False)
    assert leader.process is not None
    leader.process.send_signal(signal.SIGSTOP)
    eventually(standby.is_leading, 40)
    leader.process.send_signal(signal.SIGCONT)
    assert leader.process.wait(20) == 1
    assert standby.is_leading()


def test_an_operator_that_was_away_catches_up(own_operator: OperatorProcess, namespace: Namespace) -> None:
    for name in ("alice", "bob"):
        namespace.create("TradingAccount", build_account(name))
        _settled(namespace, name)
    own_operator.stop()

    namespace.create("TradingAccount", build_account("carol"))
    namespace.patch("TradingAccount", "alice", {"spec": {"replicas": 3}})
    namespace.delete("NetworkPolicy", "bob")
    namespace.patch("Deployment", "bob", {"spec": {"template": {"spec": {"hostNetwork": True}}}})
    own_operator.start()

    namespace.wait("Deployment", "carol")
    namespace.wait("NetworkPolicy", "bob")
    eventually(lambda: namespace.get("Deployment", "alice")["spec"]["replicas"] == 3)
    eventually(lambda: "hostNetwork" not in namespace.get("Deployment", "bob")["spec"]["template"]["spec"])


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("NATS_URL", "", "SMARTTRADE_NATS_URL"),
        ("KEYS", "/nowhere", "/nowhere"),
        ("CATALOGUE", "/nowhere.yaml", "/nowhere.yaml"),
        ("RESYNC_SECONDS", "often", "SMARTTRADE_RESYNC_SECONDS"),
    ],
)
def test_a_wrong_setting_ends_the_start_and_says_which(
    make_operator: MakeOperator, nats: LocalServer, name: str, value: str, told: str
) -> None:
    operator = make_operator(nats, **{name: value}).start(wait=False)
    assert operator.process is not None
    assert operator.process.wait(30) == 2
    last = operator.lines()[-1]
    assert last["level"] == "critical"
    assert told in last["event"]


def test_a_new_runtime_image_reaches_a_few_accounts_at_a_time(
    make_operator: MakeOperator, nats: LocalServer, namespace: Namespace
) -> None:
    first = make_operator(nats, "operator-a").start()
    names = [f"account-{number}" for number in range(7)]
    for name in names:
        namespace.create("TradingAccount", build_account(name))
    for name in names:
        namespace.wait("Deployment", name)
    assert first.stop() == 0

    second = make_operator(nats, "operator-b", RUNTIME_IMAGE="smarttrade-runtime:next").start()

    def rolled() -> list[str]:
        return [name for name in names if _image(namespace, name) == "smarttrade-runtime:next"]

    eventually(lambda: len(rolled()) >= AT_ONCE, 60, "some roll")
    second.await_calm(3)
    # No pod starts here, so none of them completes and the others must wait.
    assert len(rolled()) == AT_ONCE


async def test_a_strategy_comes_from_its_config_map_once_for_every_name(
    own_operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    """What runs changes through the object alone: not by an edit, and not by a restart of the operator."""
    path = f"/api/v1/namespaces/{namespace.name}/configmaps"

    def provide(name: str, text: str) -> None:
        body = {"metadata": {"name": name}, "data": {"mine.py": text}}
        assert namespace.client.call("POST", path, body).status == 201

    def own(name: str) -> Manifest:
        return {"name": None, "source": {"configMapRef": {"name": name}, "class": "mine.Mine"}}

    async def told(generation: int, text: str | None) -> None:
        async def holds() -> bool:
            control = await pod.control()
            assert control is not None
            files = unpack(control.strategy) if control.strategy else {}
            return (control.generation, files.get("mine.py")) == (generation, text)

        async with asyncio.timeout(90):  # what failed is tried again within a minute
            while not await holds():  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    source = {"configMapRef": {"name": "mine-1"}, "class": "mine.Mine"}
    namespace.create("TradingAccount", build_account("alice", strategy={"source": source, "timeframe": "1m"}))
    async with Pod(namespace, "alice", nats.url) as pod:
        shown = await asyncio.to_thread(namespace.wait_condition, "alice", "ConfigApplied", "StrategyMissing")
        assert 'configmap "mine-1" not found' in shown["message"]
        namespace.patch("TradingAccount", "alice", {"spec": {"state": "Paused"}})
        await told(2, None)
        provide("mine-1", "first")
        await told(2, "first")

        before = namespace.get("Deployment", "alice")["spec"]["template"]
        edited = {"metadata": {"name": "mine-1"}, "data": {"mine.py": "edited"}}
        assert namespace.client.call("PUT", f"{path}/mine-1", edited).status == 200
        own_operator.stop()
        await asyncio.to_thread(own_operator.start)
        namespace.patch("TradingAccount", "alice", {"spec": {"state": "Active"}})
        await told(3, "first")

        provide("mine-2", "second")
        namespace.patch("TradingAccount", "alice", {"spec": {"strategy": own("mine-2")}})
        await told(4, "second")
        namespace.patch("TradingAccount", "alice", {"spec": {"strategy": own("mine-1")}})
        await told(5, "edited")
        assert namespace.get("Deployment", "alice")["spec"]["template"] == before

        await pod.report(5, open_orders=1)
        await asyncio.to_thread(namespace.wait_condition, "alice", "Ready", "Trading")
        namespace.delete("TradingAccount", "alice")
        await told(6, "edited")
        await pod.report(6)


async def test_an_image_from_elsewhere_is_not_run_and_nothing_else_waits_for_it(
    make_operator: MakeOperator, namespace: Namespace, nats: LocalServer
) -> None:
    make_operator(nats, RUNTIME_STRATEGY_IMAGES="registry.example/acme").start()
    images = {name: f"registry.example/{name}@sha256:{'0' * 64}" for name in ("acme/mine", "evil/mine")}

    def own(name: str) -> Manifest:
        source = {"image": images[name], "class": "mine.Mine"}
        return {"source": source, "timeframe": "1m", "parameters": {}}

    def evaluates_in() -> str:
        containers = namespace.get("Deployment", "alice")["spec"]["template"]["spec"]["containers"]
        [image] = [each["image"] for each in containers if each["name"] == "evaluation"]
        return str(image)

    async def told(generation: int) -> AccountControl:
        async with asyncio.timeout(60):
            while (control := await pod.control()) is None or control.generation < generation:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return control

    namespace.create("TradingAccount", build_account("alice", strategy=own("acme/mine")))
    async with Pod(namespace, "alice", nats.url) as pod:
        await asyncio.to_thread(namespace.wait, "Deployment", "alice")
        assert evaluates_in() == images["acme/mine"]
        namespace.patch(
            "TradingAccount", "alice", {"spec": {"strategy": own("evil/mine"), "state": "Halted"}}
        )
        shown = await asyncio.to_thread(namespace.wait_condition, "alice", "ConfigApplied", "ImageNotAllowed")
        assert "registry.example/evil/mine is no repository that the platform allows" in shown["message"]
        control = await told(2)
        assert control.spec["state"] == "Halted"
        assert evaluates_in() == images["acme/mine"]
        namespace.patch("TradingAccount", "alice", {"spec": {"strategy": own("acme/mine")}})
        shown = await asyncio.to_thread(namespace.wait_condition, "alice", "ConfigApplied", "AwaitingPods")
        await pod.report(3)


def _image(namespace: Namespace, name: str) -> str:
    containers = namespace.get("Deployment", name)["spec"]["template"]["spec"]["containers"]
    return str(containers[0]["image"])


async def test_the_kill_switch_halts_every_account_and_a_restarted_operator_does_not_release_it(
    own_operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    switches = f"/api/v1/namespaces/{namespace.name}/configmaps"
    name = "smarttrade-kill-switch"
    heard: list[AccountControl] = []

    async def received(message: Any) -> None:
        heard.append(decode(message.data, AccountControl))

    async def told(killed: bool) -> None:
        await asyncio.to_thread(eventually, lambda: heard and heard[-1].kill is killed, 20, f"kill {killed}")

    namespace.create("TradingAccount", build_account("alice"))
    async with Pod(namespace, "alice", nats.url) as pod:
        await asyncio.to_thread(namespace.wait, "Deployment", "alice")
        await pod.connections["execution"].subscribe("control.account", cb=received)
        await pod.connections["execution"].flush()
        made = {"metadata": {"name": name}, "data": {"state": "Halted"}}
        assert namespace.client.call("POST", switches, made).status == 201
        await told(killed=True)
        own_operator.stop()
        heard.clear()
        await asyncio.to_thread(own_operator.start)
        namespace.patch("TradingAccount", "alice", {"spec": {"state": "ReduceOnly"}})
        await told(killed=True)
        assert all(control.kill for control in heard)
        assert namespace.client.call("DELETE", f"{switches}/{name}").status in (200, 202)
        await told(killed=False)
