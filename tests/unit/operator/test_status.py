"""Verdicts, phases and when they are worth a write."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from smarttrade.messages import Check, EvaluationStatus
from smarttrade_operator.conditions import Findings, judge, stamp
from smarttrade_operator.diagnose import Problem
from smarttrade_operator.drift import Drift
from smarttrade_operator.publish import transitions
from smarttrade_operator.reports import PodVoice, Voices
from smarttrade_operator.status import Budget, build_status, write_delay_s
from tests.component.operator.pods import GOOD, build_execution_report, build_monitoring_report, holding

NOW = datetime(2026, 5, 1, tzinfo=UTC)
CRASH = Problem("CrashLoopBackOff", "exited with 2")


def _voices(settled: bool = True, **execution: Any) -> Voices:
    execution_report = build_execution_report("p1", 4, **execution)
    return Voices((PodVoice("p1", execution_report, build_monitoring_report("p1", 4)),), settled)


def _findings(voices: Voices | None = None, **fields: Any) -> Findings:
    values = {"generation": 4, "replicas": 2, "ready_replicas": 2} | fields
    return Findings(voices=_voices() if voices is None else voices, **values)


def _verdict(findings: Findings, kind: str) -> tuple[str, str]:
    return next((v.status, v.reason) for v in judge(findings) if v.type == kind)


BROKEN = Check(type="WithinRisk", ok=False, reason="DailyLoss", message="lost")
REFUSED = Check(type="ConfigApplied", ok=False, reason="SpecificationRefused", message="fast > slow")

CASES: list[tuple[str, Findings, str, tuple[str, str]]] = [
    ("a leader with good checks", _findings(), "Ready", ("True", "Trading")),
    ("a failed check", _findings(_voices(checks=[*GOOD, BROKEN])), "Ready", ("False", "DailyLoss")),
    (
        "a failed check itself",
        _findings(_voices(checks=[*GOOD, BROKEN])),
        "WithinRisk",
        ("False", "DailyLoss"),
    ),
    ("nobody leads", _findings(_voices(leading=False)), "Ready", ("False", "NoLeader")),
    ("nobody reports", _findings(Voices()), "Ready", ("False", "NoReport")),
    ("nobody reports yet", _findings(Voices((), False)), "Ready", ("Unknown", "NoReport")),
    ("silence about data", _findings(Voices()), "DataFresh", ("Unknown", "NoReport")),
    (
        "crash without leader",
        _findings(Voices(), pod_problems=(CRASH,)),
        "Ready",
        ("False", "CrashLoopBackOff"),
    ),
    ("crash of the standby", _findings(pod_problems=(CRASH,)), "Ready", ("True", "Trading")),
    (
        "crash of the standby told",
        _findings(pod_problems=(CRASH,)),
        "PodsHealthy",
        ("False", "CrashLoopBackOff"),
    ),
    ("a replica is missing", _findings(ready_replicas=1), "PodsHealthy", ("Unknown", "Starting")),
    ("all config applied", _findings(), "ConfigApplied", ("True", "Applied")),
    ("config on its way", _findings(generation=5), "ConfigApplied", ("Unknown", "AwaitingPods")),
    (
        "config refused",
        _findings(_voices(checks=[REFUSED])),
        "ConfigApplied",
        ("False", "SpecificationRefused"),
    ),
    (
        "a field without effect",
        _findings(pending_fields=("x",)),
        "ConfigApplied",
        ("False", "FieldsWithoutEffect"),
    ),
    (
        "NATS is away",
        _findings(failures=(Problem("NatsUnavailable", "x"),)),
        "ConfigApplied",
        ("False", "NatsUnavailable"),
    ),
    ("deleting", _findings(deleting=True), "Ready", ("False", "Deleting")),
    ("no drift", _findings(), "Drifted", ("False", "InSync")),
    ("drift", _findings(contested=(Drift("x", ("y",), "z"),)), "Drifted", ("True", "RepairContested")),
]


@pytest.mark.parametrize(
    ("findings", "kind", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_verdict(findings: Findings, kind: str, expected: tuple[str, str]) -> None:
    assert _verdict(findings, kind) == expected


def test_every_condition_appears_once() -> None:
    check = Check(type="ConfigApplied", ok=True, reason="Applied")
    types = [v.type for v in judge(_findings(_voices(checks=[*GOOD, check])))]
    assert len(types) == len(set(types))


def test_an_evaluation_that_is_not_ready_ends_readiness() -> None:
    status = EvaluationStatus(
        pod="p1", generation=4, ready=False, leading=False, decisions=0, divergences=0, error="warming up"
    )
    voice = PodVoice(
        "p1", build_execution_report("p1", 4), build_monitoring_report("p1", 4, evaluation=status)
    )
    assert _verdict(_findings(Voices((voice,))), "Ready") == ("False", "EvaluationNotReady")


def test_the_transition_time_moves_with_the_status_only() -> None:
    first = stamp(judge(_findings()), [], 4, NOW)
    later = NOW.replace(hour=1)
    second = stamp(judge(_findings(Voices())), first, 5, later)
    times = {c["type"]: c["lastTransitionTime"] for c in second}
    assert times["Ready"] == "2026-05-01T01:00:00Z"
    assert times["Drifted"] == "2026-05-01T00:00:00Z"
    assert {c["observedGeneration"] for c in second} == {5}


def _status(findings: Findings, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    return build_status(findings, previous or {}, ("here", "default"), NOW)


@pytest.mark.parametrize(
    ("findings", "phase"),
    [
        (_findings(), "Running"),
        (_findings(pod_problems=(CRASH,)), "Degraded"),
        (_findings(_voices(checks=[*GOOD, BROKEN])), "Degraded"),
        (_findings(Voices()), "Pending"),
        (_findings(Voices(), pod_problems=(CRASH,)), "Failed"),
        (_findings(deleting=True), "Deleting"),
    ],
)
def test_phase(findings: Findings, phase: str) -> None:
    assert _status(findings)["phase"] == phase


def test_numbers_are_plain_decimals() -> None:
    voices = _voices(
        equity=Decimal("1E+4"), realized_pnl=Decimal("-0.0000000001"), positions=[holding("0.10")]
    )
    status = _status(_findings(voices))
    assert (status["equity"], status["realizedPnl"]) == ("10000", "0")
    assert status["positions"][0]["quantity"] == "0.1"


def test_silence_keeps_the_numbers_and_drops_the_leader() -> None:
    status = _status(_findings(Voices()), _status(_findings()))
    assert status["equity"] == "10000"
    assert "leader" not in status


def test_a_start_keeps_what_was_reported_before() -> None:
    before = _status(_findings())
    assert _status(_findings(Voices((), settled=False)), before) == before


def test_the_nats_cluster_of_an_account_never_changes() -> None:
    before = _status(_findings())
    moved = build_status(_findings(), before, ("there", "another"), NOW)
    assert (moved["installation"], moved["natsCluster"]) == ("here", "default")


def test_a_breach_disappears_with_its_report() -> None:
    fields = {"breach_id": "b1", "breach_reason": "DailyLoss", "breach_time_ms": 0}
    broken = _status(_findings(_voices(**fields)))
    assert broken["breach"]["id"] == "b1"
    assert _status(_findings(), broken)["breach"] is None


def test_nothing_new_is_not_written() -> None:
    before = _status(_findings())
    assert write_delay_s(before, _status(_findings(_voices(as_of_ms=9)), before), 1e9, 0.5) is None


@pytest.mark.parametrize(
    ("voices", "since_s", "delay_s"),
    [
        (_voices(leading=False), 1.0, 0.0),
        (_voices(leading=False), 0.0, 0.2),
        (_voices(checks=[BROKEN]), 1.0, 0.0),
        (_voices(fills=1), 0.0, 5.0),
        (_voices(fills=1), 6.0, 0.0),
        (_voices(equity=Decimal(1)), 0.0, 60.0),
        (_voices(equity=Decimal(1)), 59.0, 1.0),
        (_voices(equity=Decimal(1)), 61.0, 0.0),
    ],
)
def test_what_is_new_is_written_at_once_soon_or_seldom(
    voices: Voices, since_s: float, delay_s: float
) -> None:
    before = _status(_findings())
    assert write_delay_s(before, _status(_findings(voices), before), since_s, 0.5) == delay_s


def test_the_fleet_shares_a_budget_that_verdicts_may_overdraw() -> None:
    budget = Budget(rate_per_s=2)
    assert [budget.take(0) for _ in range(6)] == [True] * 4 + [False] * 2
    assert budget.take(0, must=True)
    assert not budget.take(0.4)
    assert budget.take(1)


def test_an_account_that_trades_in_spite_of_its_strategys_trouble_names_it() -> None:
    [voice] = _voices().pods
    assert voice.monitoring is not None
    assert voice.monitoring.evaluation is not None
    troubled = msgspec.structs.replace(voice.monitoring.evaluation, error="remembers 20000 characters")
    report = msgspec.structs.replace(voice.monitoring, evaluation=troubled)
    verdicts = judge(_findings(Voices((PodVoice("p1", voice.execution, report),), True)))
    [ready] = [verdict for verdict in verdicts if verdict.type == "Ready"]
    assert (ready.status, ready.message) == ("True", "pod p1 leads; remembers 20000 characters")


def test_events_are_for_transitions_only() -> None:
    good = stamp(judge(_findings()), [], 4, NOW)
    bad = stamp(judge(_findings(_voices(checks=[*GOOD, BROKEN]))), good, 4, NOW)
    assert [t.reason for t in transitions([], good)] == ["Trading"]
    assert [(t.kind, t.reason) for t in transitions(good, bad)] == [("Warning", "DailyLoss")] * 2
    assert list(transitions(bad, bad)) == []
    assert [t.kind for t in transitions(bad, good)] == ["Normal"] * 2


def test_another_reason_of_a_bad_verdict_is_told_once() -> None:
    def of(*checks: Check) -> list[dict[str, Any]]:
        return stamp(judge(_findings(_voices(checks=[*GOOD, *checks]))), [], 4, NOW)

    short = of(Check(type="Reconciled", ok=False, reason="BalanceShortfall", message="the wallet"))
    unknown = of(Check(type="Reconciled", ok=False, reason="OrdersUnknown", message="ask the exchange"))
    [told] = transitions(short, unknown)
    assert told == ("Reconciled", "Warning", "OrdersUnknown", "Reconciled=False: ask the exchange")
    assert list(transitions(unknown, unknown)) == []


@pytest.mark.parametrize("condition", ["Unprotected", "LogLost", "DeadMansSwitchHeldBack"])
def test_a_condition_that_is_bad_news_when_true_is_told_as_a_warning(condition: str) -> None:
    quiet = stamp(judge(_findings()), [], 4, NOW)
    check = Check(type=condition, ok=True, reason="Why", message="what")
    loud = stamp(judge(_findings(_voices(checks=[*GOOD, check]))), quiet, 4, NOW)
    assert list(transitions(quiet, loud)) == [(condition, "Warning", "Why", f"{condition}=True: what")]
