"""Who changed what of an account's object is in its audit trail: once, in order, whatever happens."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from smarttrade.audit.__main__ import read_trail
from smarttrade.bus.log import AccountLog
from smarttrade.bus.server import LocalServer
from smarttrade.bus.trail import Trail
from smarttrade.errors import BusError
from tests.component.bus.tenants import eventually as eventually_async
from tests.component.operator.conftest import MakeOperator
from tests.component.operator.harness import Manifest, Namespace, OperatorProcess, build_account
from tests.component.operator.pods import Pod
from tests.component.operator.test_archive import DENIALS, archived, write_denials

RISK = build_account("alice")["spec"]["risk"]


def _apply(namespace: Namespace, manager: str, spec: Manifest) -> None:
    """Server-side apply, without taking anything from others."""
    manifest = build_account("alice") | {"spec": spec}
    path = namespace.path("TradingAccount", "alice")
    answer = namespace.client.apply(path, manifest, f"fieldManager={manager}&force=true")
    assert answer.status in (200, 201), answer.message


def _lose(namespace: Namespace, maximum: str) -> None:
    namespace.patch(
        "TradingAccount", "alice", {"spec": {"risk": {"maxDailyLoss": maximum}}}, manager="kubectl-edit"
    )


async def _rows(pod: Pod) -> list[dict[str, Any]]:
    return [row async for row in read_trail(Trail(pod.connections["execution"]), 1, 10_000)]


async def _losses(pod: Pod) -> list[tuple[str | None, str, list[str]]]:
    """Of each change of the daily loss: before, after, and by which managers."""
    records = [row["record"] for row in await _rows(pod) if row["kind"] == "changed"]
    changes = [change for record in records for change in record["changes"]]
    return [
        (change["old"], change["new"], [writer["manager"] for writer in change["by"]])
        for change in changes
        if change["path"] == "spec.risk.maxDailyLoss"
    ]


async def _until(pod: Pod, number: int) -> list[tuple[str | None, str, list[str]]]:
    async def there() -> bool:
        try:
            return len(await _losses(pod)) >= number
        except BusError:
            return False  # the servers have just come back

    await eventually_async(there, f"{number} changes are in the trail")
    return await _losses(pod)


async def test_changes_are_told_between_what_was_done_with_their_managers(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    async with Pod(namespace, "alice", nats.url) as pod:
        assert len(await _until(pod, 1)) == 1
        await write_denials(AccountLog(pod.connections["execution"]))

        async def logged() -> bool:
            return len(await _rows(pod)) == 4

        await eventually_async(logged, "the log is in the trail")
        _apply(namespace, "risk-desk", {"risk": RISK | {"maxDailyLoss": "150"}})
        await _until(pod, 2)
        _lose(namespace, "900")
        losses = await _until(pod, 3)
        change = {"spec": {"strategy": {"parameters": {"fast": None}}}}
        namespace.patch("TradingAccount", "alice", change, manager="remover")

        async def removed() -> bool:
            return len(await _rows(pod)) == 7

        await eventually_async(removed, "the removal is told")
        *rows, removal = await _rows(pod)
    assert losses[1:] == [("200", "150", ["risk-desk"]), ("150", "900", ["kubectl-edit"])]
    assert [row["kind"] for row in rows] == ["changed", *["closed"] * 3, "changed", "changed"]
    assert [row["sequence"] for row in rows] == list(range(1, 7))
    # An update that only removes leaves no note in the object: whoever held the field did not do it.
    gone = {"path": "spec.strategy.parameters.fast", "old": 10, "new": None, "by": []}
    assert removal["record"]["changes"] == [gone]
    last = rows[-1]["record"]
    assert (last["generation"], last["previous_generation"]) == (3, 2)
    assert last["object"]["spec"]["risk"]["maxDailyLoss"] == "900"

    namespace.delete("TradingAccount", "alice")
    await eventually_async(lambda: namespace.find("TradingAccount", "alice") is None, "it is gone")
    told = await asyncio.to_thread(archived, operator, namespace.name, "alice")
    assert [row["record"]["code"] for row in told if row["kind"] == "closed"] == list(DENIALS)
    changed = [row for row in told if row["kind"] == "changed"]
    kept = [row for row in (*rows, removal) if row["kind"] == "changed"]
    assert [row["record"] for row in changed[:4]] == [row["record"] for row in kept]
    paths = [change["path"] for change in changed[-1]["record"]["changes"]]
    assert "metadata.deletionTimestamp" in paths


async def test_no_change_is_lost_or_doubled_while_the_bus_or_the_operator_is_away(
    make_operator: MakeOperator, own_nats: LocalServer, namespace: Namespace
) -> None:
    operator = make_operator(own_nats, LEASE_SECONDS="5")
    await asyncio.to_thread(operator.start)
    namespace.create("TradingAccount", build_account("alice"))
    async with Pod(namespace, "alice", own_nats.url) as pod:
        await _until(pod, 1)
        await own_nats.stop()
        for maximum in ("201", "202"):
            _lose(namespace, maximum)
            generation = namespace.get("TradingAccount", "alice")["metadata"]["generation"]
            await eventually_async(lambda: _observed(namespace) == generation, "the operator has seen it")  # noqa: B023
        await own_nats.start()
        edits = [("200", "201", ["kubectl-edit"]), ("201", "202", ["kubectl-edit"])]
        assert (await _until(pod, 3))[1:] == edits

        operator.stop(signal.SIGKILL)
        for maximum in ("203", "204"):
            _lose(namespace, maximum)
        again = make_operator(own_nats, "operator-b", LEASE_SECONDS="5", RESYNC_SECONDS="1")
        await asyncio.to_thread(again.start)
        assert (await _until(pod, 4))[1:] == [*edits, ("202", "204", ["kubectl-edit"])]
        assert again.stop() == 0
        await asyncio.to_thread(again.start)
        _lose(namespace, "205")
        assert (await _until(pod, 5))[4:] == [("204", "205", ["kubectl-edit"])]
        records = [row["record"] for row in await _rows(pod)]
        assert [(r["previous_generation"], r["generation"]) for r in records] == [
            (None, 1),
            (1, 2),
            (2, 3),
            (3, 5),
            (5, 6),
        ]


def _observed(namespace: Namespace) -> int:
    status = namespace.get("TradingAccount", "alice").get("status") or {}
    return int(status.get("observedGeneration", 0))
