"""An account's life on a real cluster: it trades, survives, obeys, and goes without a trace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

from smarttrade.bus.accounts import account_keys
from smarttrade.bus.provision import Provisioner
from smarttrade.identity import AccountIdentity
from tests.component.operator.harness import Manifest, assert_prompt, eventually, seconds_until
from tests.e2e.operator.conftest import Platform

MakeAccount = Callable[..., str]


def _wait_ready(platform: Platform, name: str, within_s: float = 120) -> Manifest:
    return platform.users.wait_condition(name, "Ready", "Trading", within_s)


def test_an_applied_account_fills_its_first_order(platform: Platform, account: MakeAccount) -> None:
    name = account("alice")
    platform.wait_fills(name, 1)
    _wait_ready(platform, name)
    status = platform.status(name)
    assert status["phase"] == "Running"
    assert status["effectiveState"] == "Active"
    assert status["leader"] in [pod["metadata"]["name"] for pod in platform.pods(name)]
    assert status["equity"]


def test_the_standby_trades_on_when_the_leader_is_killed(platform: Platform, account: MakeAccount) -> None:
    name = account("bob", replicas=2)
    platform.wait_fills(name, 1)
    eventually(lambda: platform.status(name).get("readyReplicas") == 2, 120, "both replicas are ready")
    leader = platform.status(name)["leader"]
    [standby] = {pod["metadata"]["name"] for pod in platform.pods(name)} - {leader}
    options = [f"--namespace={platform.users.name}", "--grace-period=0", "--force", "--wait=false"]
    platform.cluster("delete", "pod", leader, *options)

    def taken_over() -> Manifest | None:
        status = platform.status(name)
        return status if status.get("leader") == standby else None

    # What the killed leader had filled to its end is in this count.
    fills = int(eventually(taken_over, 60, "the standby leads")["fills"])  # type: ignore[index]
    platform.wait_fills(name, fills + 2)
    assert platform.status(name)["leader"] == standby


def test_pods_trade_on_without_the_operator_and_it_catches_up(
    platform: Platform, account: MakeAccount
) -> None:
    name = account("carol")
    platform.wait_fills(name, 1)
    leader = platform.status(name)["leader"]
    restarts = _restarts(platform, name)
    platform.scale_operator(0)
    try:
        before = platform.metric(leader, "smarttrade_execution_fills_total")
        platform.users.patch("TradingAccount", name, {"spec": {"state": "Paused"}})
        platform.users.delete("NetworkPolicy", name)

        def has_traded() -> bool:
            return platform.metric(leader, "smarttrade_execution_fills_total") >= before + 2

        eventually(has_traded, 120, "two fills without the operator")
        assert platform.users.find("NetworkPolicy", name) is None
    finally:
        platform.scale_operator(1)
    platform.users.wait("NetworkPolicy", name, 60)
    eventually(lambda: platform.status(name)["effectiveState"] == "Paused", 60, "the pause arrives")
    assert _restarts(platform, name) == restarts
    assert platform.status(name)["leader"] == leader


def _restarts(platform: Platform, name: str) -> dict[str, int]:
    return {
        f"{pod['metadata']['name']}/{container['name']}": container["restartCount"]
        for pod in platform.pods(name)
        for container in pod["status"]["containerStatuses"]
    }


def test_states_take_effect_within_a_second_and_the_kill_switch_over_them(
    platform: Platform, account: MakeAccount
) -> None:
    """From the moment the API server has the change."""
    name = account("dave")
    _wait_ready(platform, name)

    def change(state: str) -> float:
        platform.users.patch("TradingAccount", name, {"spec": {"state": state}})
        return seconds_until(lambda: platform.status(name)["effectiveState"] == state, state)

    def change_from(before: str, state: str) -> float:
        if platform.status(name)["effectiveState"] != before:
            change(before)
        return change(state)

    for before, state in pairwise(("Active", "Paused", "ReduceOnly", "Flatten", "Halted", "Active")):
        assert_prompt(1.0, f"from {before} to {state}", partial(change_from, before, state))
    where, switch = f"--namespace={platform.system.name}", "smarttrade-kill-switch"
    platform.cluster("create", "configmap", switch, where, "--from-literal=state=Halted")
    try:
        eventually(lambda: platform.status(name)["effectiveState"] == "Halted", 30, "the switch halts")
    finally:
        platform.cluster("delete", "configmap", switch, where)
    eventually(lambda: platform.status(name)["effectiveState"] == "Active", 30, "trading goes on")


def test_drift_is_repaired_without_touching_the_pods(platform: Platform, account: MakeAccount) -> None:
    name = account("erin")
    _wait_ready(platform, name)
    pods = {pod["metadata"]["uid"] for pod in platform.pods(name)}
    rules = platform.users.get("NetworkPolicy", name)["spec"]["egress"]
    open_egress = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}

    def open_it() -> float:
        platform.users.patch("NetworkPolicy", name, {"spec": {"egress": [*rules, open_egress]}})
        return seconds_until(lambda: platform.users.get("NetworkPolicy", name)["spec"]["egress"] == rules)

    def delete_it() -> float:
        uid = platform.users.get("NetworkPolicy", name)["metadata"]["uid"]
        platform.users.delete("NetworkPolicy", name)
        return seconds_until(lambda: platform.users.get("NetworkPolicy", name)["metadata"]["uid"] != uid)

    sidecar = {"spec": {"template": {"spec": {"containers": [{"name": "miner", "image": "miner:1"}]}}}}

    def has_no_sidecar() -> bool:
        containers = platform.users.get("Deployment", name)["spec"]["template"]["spec"]["containers"]
        return len(containers) == 3

    def add_sidecar() -> float:
        platform.users.patch("Deployment", name, sidecar)
        return seconds_until(has_no_sidecar, "the sidecar is removed")

    assert_prompt(2.0, "closing the policy", open_it)
    assert_prompt(2.0, "bringing the policy back", delete_it)
    assert_prompt(2.0, "removing the sidecar", add_sidecar)
    eventually(lambda: {pod["metadata"]["uid"] for pod in platform.pods(name)} == pods, 60, "the same pods")


def _namespaced_kinds(platform: Platform) -> set[str]:
    """Every kind of the API server that a namespace can hold, but Events, which outlive what they tell of."""
    listed = platform.cluster("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
    return {kind for kind in listed if not kind.startswith("events")}


def _belonging(platform: Platform, kinds: set[str], name: str, uid: str) -> set[str]:
    """What carries the account's label or belongs to the object, in its namespace."""
    where = f"--namespace={platform.users.name}"
    found = platform.cluster.get(",".join(sorted(kinds)), where, "--ignore-not-found")["items"]
    return {
        f"{item['kind']} {item['metadata']['name']}"
        for item in found
        if (item["metadata"].get("labels") or {}).get("smarttrade.io/account") == name
        or uid in [owner["uid"] for owner in item["metadata"].get("ownerReferences") or []]
    }


async def test_a_deleted_account_leaves_nothing_but_its_audit_trail(
    platform: Platform, nats_url: str, nats_authority: Path, tmp_path: Path
) -> None:
    name = "frank"
    uid = platform.apply(name)["metadata"]["uid"]
    kinds = _namespaced_kinds(platform)
    await asyncio.to_thread(platform.wait_fills, name, 1)
    assert len(_belonging(platform, kinds, name, uid)) >= 5
    keys, identity = platform.keys(), AccountIdentity(platform.system.name, platform.users.name, name)
    publics = [key.public for key in account_keys(keys, identity)]
    provisioner = Provisioner(nats_url, keys, authority=nats_authority)
    await provisioner.connect()
    try:
        assert all([await provisioner.lookup(public) for public in publics])
        change = {"spec": {"risk": {"maxDailyLoss": "199"}}}
        platform.users.patch("TradingAccount", name, change, manager="risk-desk")
        rows = await asyncio.to_thread(eventually, lambda: _edited(platform.audit(name)), 60, "it is told")
        await asyncio.to_thread(platform.remove, name)
        assert not any([await provisioner.lookup(public) for public in publics])
    finally:
        await provisioner.close()
    assert platform.users.events("Settled")
    assert not platform.pods(name)
    assert kinds >= {"deployments.apps", "networkpolicies.networking.k8s.io", "secrets", "pods"}
    # The garbage collector takes what belonged to its Deployment.
    eventually(lambda: not _belonging(platform, kinds, name, uid), 30, "nothing is left of the account")
    platform.users.delete("Secret", f"{name}-binance")
    kept = await asyncio.to_thread(platform.export_deleted, name, tmp_path / "trail.jsonl")
    # The newest may have been told by the log, before the servers brought it into the trail a moment later.
    assert [row | {"time": ""} for row in kept[: len(rows)]] == [row | {"time": ""} for row in rows]
    assert {"accepted", "intent", "fill", "closed"} <= {row["kind"] for row in rows}


def _edited(rows: list[Manifest]) -> list[Manifest]:
    """All of them, once they say who made the object and then changed its daily loss."""
    edits = [row["record"] for row in rows if row["kind"] == "changed"]
    assert [edit["previous_generation"] for edit in edits] == [None, 1], edits
    assert all(change["by"] for change in edits[0]["changes"] if change["path"].startswith("spec.risk.max"))
    [change] = edits[1]["changes"]
    assert (change["path"], change["new"]) == ("spec.risk.maxDailyLoss", "199")
    assert [writer["manager"] for writer in change["by"]] == ["risk-desk"]
    return rows
