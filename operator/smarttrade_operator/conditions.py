"""The verdicts on an account, from what was applied, what its pods say and what Kubernetes says of them.

Pure. A verdict that rests on reports is Unknown when nobody reports: silence is neither good nor bad news.
Right after the operator starts, nobody has reported yet; then what the status said before still stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from smarttrade.messages import Check
from smarttrade_operator.diagnose import Problem
from smarttrade_operator.drift import Drift
from smarttrade_operator.reports import PodVoice, Voices
from smarttrade_operator.sharing import Claim

Condition = dict[str, Any]

REPORTED = ("DataFresh", "Reconciled", "WithinRisk", "CredentialsValid")
OWN = ("Ready", "ConfigApplied", "PodsHealthy", "Drifted")
_MESSAGE_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition without its bookkeeping; `status` is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything that the conditions of one account are judged from.

    `failures` are the steps of the last reconcile that did not succeed, the most basic first;
    `pending_fields` are fields set in the specification that have no effect yet. Until `revoked_s` (seconds
    since the epoch) issued credentials are to be refused.
    """

    generation: int
    voices: Voices = field(default_factory=Voices)
    failures: tuple[Problem, ...] = ()
    pod_problems: tuple[Problem, ...] = ()
    contested: tuple[Drift, ...] = ()
    pending_fields: tuple[str, ...] = ()
    deleting: bool = False
    replicas: int = 1
    ready_replicas: int = 0
    claims: tuple[Claim, ...] = ()
    revoked_s: int = 0


def judge(findings: Findings) -> list[Verdict]:
    """All verdicts, in the order in which they are shown."""
    reported = _judge_reports(findings.voices)
    return [
        _judge_ready(findings, reported),
        _judge_config(findings),
        _judge_pods(findings),
        *reported,
        _judge_drift(findings.contested),
    ]


def _judge_ready(findings: Findings, reported: list[Verdict]) -> Verdict:
    if findings.deleting:
        return Verdict("Ready", "False", "Deleting", "the deletion policy is being applied")
    leader = findings.voices.leader
    if leader is None:
        return _judge_leaderless(findings)
    broken = next((verdict for verdict in reported if verdict.status == "False"), None)
    if broken:
        return Verdict("Ready", "False", broken.reason, f"{broken.type}: {broken.message}")
    heartbeat = leader.monitoring.evaluation if leader.monitoring else None
    if heartbeat is None:
        silence = "False" if findings.voices.settled else "Unknown"
        return Verdict("Ready", silence, "EvaluationSilent", f"pod {leader.pod}: evaluation does not report")
    if not heartbeat.ready:
        return Verdict(
            "Ready", "False", "EvaluationNotReady", heartbeat.error or f"pod {leader.pod} warms up"
        )
    trouble = f"; {heartbeat.error}" if heartbeat.error else ""
    return Verdict("Ready", "True", "Trading", f"pod {leader.pod} leads{trouble}")


def _judge_leaderless(findings: Findings) -> Verdict:
    cause = next(iter((*findings.failures, *findings.pod_problems)), None)
    if cause:
        return Verdict("Ready", "False", cause.reason, cause.message)
    if not findings.voices.settled:
        return Verdict("Ready", "Unknown", "NoReport", "the operator has just started to listen to reports")
    reason = "NoLeader" if findings.voices.pods else "NoReport"
    return Verdict("Ready", "False", reason, "no pod of the account has reported that it leads")


def _judge_config(findings: Findings) -> Verdict:
    if findings.failures:
        first = findings.failures[0]
        message = "; ".join(f"{failure.reason}: {failure.message}" for failure in findings.failures)
        return Verdict("ConfigApplied", "False", first.reason, message)
    refused = _refusal(findings.voices)
    if refused:
        return Verdict("ConfigApplied", "False", refused.reason, refused.message)
    behind = [_describe_lag(pod, findings.generation) for pod in findings.voices.pods]
    lagging = [text for text in behind if text]
    if lagging or not findings.voices.pods:
        message = "; ".join(lagging) or "no pod has reported yet"
        return Verdict("ConfigApplied", "Unknown", "AwaitingPods", message)
    if findings.pending_fields:
        fields = ", ".join(findings.pending_fields)
        return Verdict(
            "ConfigApplied", "False", "FieldsWithoutEffect", f"not in effect in this version: {fields}"
        )
    return Verdict("ConfigApplied", "True", "Applied", f"all pods run generation {findings.generation}")


def _refusal(voices: Voices) -> Check | None:
    """A pod that cannot apply the specification says so itself."""
    checks = (check for pod in voices.pods for check in _checks(pod))
    return next((check for check in checks if check.type == "ConfigApplied" and not check.ok), None)


def _describe_lag(pod: PodVoice, generation: int) -> str:
    running = {
        "execution": pod.execution.generation if pod.execution else generation,
        "monitoring": pod.monitoring.generation if pod.monitoring else generation,
        "evaluation": _evaluation_generation(pod, generation),
    }
    late = [f"{role} runs generation {value}" for role, value in running.items() if value < generation]
    return f"pod {pod.pod}: {', '.join(late)}" if late else ""


def _evaluation_generation(pod: PodVoice, default: int) -> int:
    return pod.monitoring.evaluation.generation if pod.monitoring and pod.monitoring.evaluation else default


def _judge_pods(findings: Findings) -> Verdict:
    if findings.pod_problems:
        message = "; ".join(problem.message for problem in findings.pod_problems)
        return Verdict("PodsHealthy", "False", findings.pod_problems[0].reason, message)
    if findings.ready_replicas < findings.replicas:
        return Verdict("PodsHealthy", "Unknown", "Starting", "not all replicas are ready")
    return Verdict("PodsHealthy", "True", "AllReady", "all replicas are ready")


def _judge_reports(voices: Voices) -> list[Verdict]:
    checks = _worst_by_type(_checks(voices.spokesman))
    verdicts = [_from_check(check) for check in checks.values() if check.type not in (*REPORTED, *OWN)]
    for name in reversed(REPORTED):
        check = checks.get(name)
        verdicts.insert(0, _from_check(check) if check else Verdict(name, "Unknown", "NoReport"))
    return verdicts


def _checks(voice: PodVoice | None) -> list[Check]:
    if voice is None:
        return []
    return [
        *(voice.execution.checks if voice.execution else []),
        *(voice.monitoring.checks if voice.monitoring else []),
    ]


def _worst_by_type(checks: Iterable[Check]) -> dict[str, Check]:
    worst: dict[str, Check] = {}
    for check in checks:
        if check.type not in worst or not check.ok:
            worst[check.type] = check
    return worst


def _from_check(check: Check) -> Verdict:
    return Verdict(check.type, "True" if check.ok else "False", check.reason or "Reported", check.message)


def _judge_drift(contested: tuple[Drift, ...]) -> Verdict:
    if not contested:
        return Verdict("Drifted", "False", "InSync")
    message = "; ".join(drift.message for drift in contested)
    return Verdict("Drifted", "True", "RepairContested", f"repaired three times, changed again: {message}")


def stamp(
    verdicts: Iterable[Verdict], previous: Iterable[Condition], generation: int, now: datetime
) -> list[Condition]:
    """As the API shows them; the transition time moves only when the status does."""
    before = {condition["type"]: condition for condition in previous}
    return [_stamp(verdict, before.get(verdict.type), generation, now) for verdict in verdicts]


def _stamp(verdict: Verdict, before: Condition | None, generation: int, now: datetime) -> Condition:
    unchanged = before is not None and before["status"] == verdict.status
    since = before["lastTransitionTime"] if before and unchanged else now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": verdict.type,
        "status": verdict.status,
        "reason": verdict.reason,
        "message": verdict.message[:_MESSAGE_LIMIT],
        "lastTransitionTime": since,
        "observedGeneration": generation,
    }
