"""What pods report over NATS becomes the object's status."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from statistics import median
from typing import Any

from smarttrade.bus.server import LocalServer
from smarttrade.messages import AccountControl, Check, EffectiveState, EvaluationStatus, decode
from tests.component.operator.harness import Manifest, Namespace, OperatorProcess, build_account, eventually
from tests.component.operator.pods import GOOD, Pod, holding


async def _wait(namespace: Namespace, kind: str, reason: str, within_s: float = 60.0) -> Manifest:
    return await asyncio.to_thread(namespace.wait_condition, "alice", kind, reason, within_s)


async def _eventually(check: object, within_s: float = 60.0) -> object:
    return await asyncio.to_thread(eventually, check, within_s)  # type: ignore[arg-type]


async def test_a_leaders_report_makes_the_account_ready(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    async with Pod(namespace, "alice", nats.url) as pod:
        generation = namespace.get("TradingAccount", "alice")["metadata"]["generation"]
        await pod.report(generation, equity=Decimal("10123.450"), fills=3, positions=[holding("0.02")])
        await _wait(namespace, "Ready", "Trading")
        await _wait(namespace, "ConfigApplied", "Applied")

    status = namespace.get("TradingAccount", "alice")["status"]
    assert status["leader"] == "alice-pod-1"
    assert status["phase"] == "Running"
    assert status["effectiveState"] == "Active"
    assert status["equity"] == "10123.45"
    assert status["fills"] == 3
    assert status["asOf"] == "2027-01-15T08:00:00Z"
    assert status["positions"] == [
        {
            "symbol": "BTC/USDT",
            "quantity": "0.02",
            "averagePrice": "60000",
            "realizedPnl": "0",
            "unrealizedPnl": "1.5",
        }
    ]
    assert {each["type"] for each in status["conditions"]} >= {
        "Ready",
        "ConfigApplied",
        "DataFresh",
        "Reconciled",
        "WithinRisk",
        "CredentialsValid",
        "Drifted",
    }
    await _eventually(lambda: namespace.events("Trading"))


async def test_a_change_of_state_reaches_the_pods_within_a_second(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    async with Pod(namespace, "alice", nats.url) as pod:
        await _eventually(lambda: namespace.find("Deployment", "alice"))
        first = await pod.control()
        assert first is not None
        assert first.spec["state"] == "Active"
        heard: asyncio.Queue[AccountControl] = asyncio.Queue()

        async def received(message: Any) -> None:
            heard.put_nowait(decode(message.data, AccountControl))

        await pod.connections["execution"].subscribe("control.account", cb=received)
        await pod.connections["execution"].flush()
        taken_s = []
        for state in ("ReduceOnly", "Active", "Paused"):
            changed = namespace.patch("TradingAccount", "alice", {"spec": {"state": state}})
            accepted = time.monotonic()
            async with asyncio.timeout(30):
                while (await heard.get()).spec["state"] != state:
                    pass
            taken_s.append(time.monotonic() - accepted)
        assert median(taken_s) < 1.0

        # Listeners hear a value before the server has stored it.
        async with asyncio.timeout(30):
            while (control := await pod.control()) is None or control.spec["state"] != "Paused":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert control.generation == changed["metadata"]["generation"]
        assert control.spec["risk"]["maxOrderNotional"] == "1000"
    template = namespace.get("Deployment", "alice")["metadata"]["generation"]
    assert template == 1


async def test_config_is_applied_only_when_the_pods_say_so(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    async with Pod(namespace, "alice", nats.url) as pod:
        await pod.report(1)
        await _wait(namespace, "ConfigApplied", "Applied")
        namespace.patch("TradingAccount", "alice", {"spec": {"state": "ReduceOnly"}})
        await _wait(namespace, "ConfigApplied", "AwaitingPods")
        await pod.report(2, effective_state=EffectiveState.REDUCE_ONLY)
        condition = await _wait(namespace, "ConfigApplied", "Applied")
        assert condition["observedGeneration"] == 2
        assert namespace.get("TradingAccount", "alice")["status"]["effectiveState"] == "ReduceOnly"


async def test_a_field_without_effect_is_named(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    exchange = {"name": "binance", "environment": "Simulator", "deadMansSwitch": "Armed"}
    namespace.create("TradingAccount", build_account("alice", exchange=exchange))
    async with Pod(namespace, "alice", nats.url) as pod:
        await pod.report(1)
        condition = await _wait(namespace, "ConfigApplied", "FieldsWithoutEffect")
        assert "spec.exchange.deadMansSwitch" in condition["message"]
        await _wait(namespace, "Ready", "Trading")


async def test_a_failed_check_ends_readiness_with_its_reason(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    async with Pod(namespace, "alice", nats.url) as pod:
        await pod.report(1)
        ready = await _wait(namespace, "Ready", "Trading")
        breach = Check(type="WithinRisk", ok=False, reason="DailyLoss", message="lost 201 of 200")
        fields = {"breach_id": "b-1", "breach_reason": "DailyLoss", "breach_time_ms": 1_800_000_000_000}
        await pod.report(1, checks=[*GOOD, breach], **fields)
        condition = await _wait(namespace, "Ready", "DailyLoss")
        assert "lost 201 of 200" in condition["message"]
        assert condition["lastTransitionTime"] >= ready["lastTransitionTime"]
        status = namespace.get("TradingAccount", "alice")["status"]
        assert status["breach"] == {"id": "b-1", "reason": "DailyLoss", "time": "2027-01-15T08:00:00Z"}
        assert status["phase"] == "Degraded"

        await pod.report(1)
        await _wait(namespace, "Ready", "Trading")
        assert "breach" not in namespace.get("TradingAccount", "alice")["status"]
    reasons = [event["reason"] for event in namespace.items("Event")]
    assert reasons.count("DailyLoss") == 2, "one event for WithinRisk and one for Ready"


async def test_an_evaluation_that_fails_is_told(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    async with Pod(namespace, "alice", nats.url) as pod:
        failed = EvaluationStatus(
            pod=pod.name,
            generation=1,
            ready=False,
            leading=False,
            decisions=0,
            divergences=0,
            error="parameters.fast: 99 is not below slow",
        )
        await pod.report(1, monitoring={"evaluation": failed})
        condition = await _wait(namespace, "Ready", "EvaluationNotReady")
        assert "99 is not below slow" in condition["message"]


async def test_the_lead_moves_to_the_pod_of_the_higher_epoch(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    async with (
        Pod(namespace, "alice", nats.url, "alice-pod-1") as one,
        Pod(namespace, "alice", nats.url, "alice-pod-2") as two,
    ):
        await one.report(1)
        await two.report(1, leading=False)
        await _eventually(
            lambda: namespace.get("TradingAccount", "alice")["status"].get("leader") == one.name
        )
        await two.report(1, epoch=2)
        await _eventually(lambda: namespace.get("TradingAccount", "alice")["status"]["leader"] == two.name)


async def test_silence_ends_readiness_and_keeps_the_numbers(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    async with Pod(namespace, "alice", nats.url) as pod:
        await pod.report(1, equity=Decimal(9999))
        await _wait(namespace, "Ready", "Trading")
    await _wait(namespace, "Ready", "NoReport", 30)
    status = namespace.get("TradingAccount", "alice")["status"]
    assert "leader" not in status
    assert status["equity"] == "9999"


async def test_a_restarted_operator_does_not_doubt_an_account_that_trades(
    own_operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    async with Pod(namespace, "alice", nats.url) as pod:
        await pod.report(1)
        await _wait(namespace, "Ready", "Trading")
        await asyncio.to_thread(own_operator.await_calm, 1.0)
        before = namespace.get("TradingAccount", "alice")
        await asyncio.to_thread(own_operator.stop)
        await asyncio.to_thread(own_operator.start)
        await asyncio.to_thread(own_operator.await_calm, 2.0)
        await pod.report(1)
        await asyncio.to_thread(own_operator.await_calm, 1.0)
    after = namespace.get("TradingAccount", "alice")
    assert after["status"] == before["status"]
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_numbers_are_written_seldom_and_after_a_fill_soon(
    own_operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice"))

    def equity() -> str:
        return str(namespace.get("TradingAccount", "alice")["status"]["equity"])

    async with Pod(namespace, "alice", nats.url) as pod:
        await pod.report(1, equity=Decimal(1))
        await _wait(namespace, "Ready", "Trading")
        await asyncio.to_thread(own_operator.await_calm)
        before = own_operator.writes()
        for value in range(2, 30):
            await pod.report(1, equity=Decimal(value))
            await asyncio.sleep(0.1)
        assert own_operator.writes() == before
        assert equity() == "1"
        await pod.report(1, equity=Decimal(30), fills=1)
        await _eventually(lambda: equity() == "30", 30)
        assert own_operator.writes() == before + 1


async def test_nobody_reports_for_another_account(
    operator: OperatorProcess, namespace: Namespace, nats: LocalServer
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    namespace.create("TradingAccount", build_account("bob"))
    async with Pod(namespace, "bob", nats.url, "alice-pod-1") as forger:
        await asyncio.to_thread(namespace.wait, "Deployment", "alice")
        await forger.report(1)
        await asyncio.to_thread(namespace.wait_condition, "bob", "Ready", "Trading")
    assert "leader" not in namespace.get("TradingAccount", "alice")["status"]
