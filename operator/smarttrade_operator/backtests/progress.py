"""What a Backtest has come to, from its jobs and their pods.

The verdict comes out of a pod that ran the user's code: it is checked like any other input, and can say
something false of its own backtest only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from smarttrade.api.backtest import BacktestPhase, BacktestSpec, BacktestStatus
from smarttrade_operator.diagnose import Problem
from smarttrade_operator.kinds import Manifest

Status = dict[str, Any]

_TOLD = ("candidates", "best", "kept", "warnings", "results")
_MESSAGE = 1000
LOST = "the verdict went with the pod that said it; the results' file has everything"


def build_status(
    backtest: Manifest,
    number: int,
    shards: Manifest | None,
    collector: Manifest | None,
    pods: Iterable[Manifest],
    problem: Problem | None,
    now: datetime,
) -> Status:
    """The whole status of an object whose children are there; `shards` is the job of round `number`."""
    spec = BacktestSpec.model_validate(backtest["spec"])
    status: Status = {
        "progress": f"{number * spec.shards + _succeeded(shards)}/{spec.rounds * spec.shards}",
        "round": number + 1 if spec.trials else None,
        "startTime": _value(backtest, "status", "startTime") or _begun(shards),
    }
    for job in (shards, collector):
        if has_condition(job, "Failed"):
            assert job is not None
            reason = _reason(job, pods)
            return _finished(backtest, status | {"phase": BacktestPhase.FAILED.value, "message": reason}, now)
    if has_condition(collector, "Complete"):
        assert collector is not None
        return _finished(backtest, status | _succeeded_with(collector, pods), now)
    collecting = has_condition(shards, "Complete") and number + 1 == spec.rounds
    phase = BacktestPhase.COLLECTING if collecting else BacktestPhase.RUNNING
    status["phase"] = phase.value
    if problem is None:
        return _with_conditions(backtest, status, now)
    return _with_conditions(backtest, status | {"message": problem.message[:_MESSAGE]}, now, problem.reason)


def ends_at(backtest: Manifest, now: datetime) -> datetime:
    """When the time is over that all jobs have together; it runs from now before the first one."""
    begun = _value(backtest, "status", "startTime")
    since = datetime.fromisoformat(begun.replace("Z", "+00:00")) if begun else now
    return since + timedelta(seconds=BacktestSpec.model_validate(backtest["spec"]).timeout_seconds)


def seconds_left(backtest: Manifest, now: datetime) -> int | None:
    """Of the time that all jobs have together; None before the first one."""
    if not _value(backtest, "status", "startTime"):
        return None
    return math.ceil((ends_at(backtest, now) - now).total_seconds())


def round_of(backtest: Manifest) -> int:
    """The round that the status speaks of, from 0. A status that is lost begins anew, where all is there."""
    number = int(_value(backtest, "status", "round") or 1) - 1
    return min(number, BacktestSpec.model_validate(backtest["spec"]).rounds - 1)


def build_pending(backtest: Manifest, message: str, now: datetime) -> Status:
    """The status of an object that cannot begin yet."""
    status = {"phase": BacktestPhase.PENDING.value, "message": message}
    return _with_conditions(backtest, status, now)


def build_refused(backtest: Manifest, why: str, now: datetime) -> Status:
    """The status of a run whose verdict the API server does not take: said once, not tried for ever."""
    text = f"the verdict cannot be shown, the results' file has everything: {why}"[:_MESSAGE]
    return _finished(backtest, {"phase": BacktestPhase.FAILED.value, "message": text}, now)


def is_over(backtest: Mapping[str, Any]) -> bool:
    phase = (backtest.get("status") or {}).get("phase")
    return phase in (BacktestPhase.SUCCEEDED.value, BacktestPhase.FAILED.value)


def has_condition(job: Manifest | None, kind: str) -> bool:
    conditions = _value(job, "status", "conditions") or []
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)


def _value(manifest: Manifest | None, *path: str) -> Any:
    found: Any = manifest
    for name in path:
        found = (found or {}).get(name)
    return found


def _begun(job: Manifest | None) -> str | None:
    begun: str | None = _value(job, "status", "startTime") or _value(job, "metadata", "creationTimestamp")
    return begun


def _succeeded(job: Manifest | None) -> int:
    return int(_value(job, "status", "succeeded") or 0)


def _finished(backtest: Manifest, status: Status, now: datetime) -> Status:
    done = (backtest.get("status") or {}).get("completionTime") or _text(now)
    return _with_conditions(backtest, status | {"completionTime": done}, now)


def _succeeded_with(collector: Manifest, pods: Iterable[Manifest]) -> Status:
    message = next(filter(None, (_terminated(pod).get("message") for pod in _of(collector, pods))), None)
    if message is None:
        return {"phase": BacktestPhase.SUCCEEDED.value, "message": LOST}
    try:
        told = json.loads(message)
        known = {name: value for name, value in told.items() if name in _TOLD}
        checked = BacktestStatus.model_validate(known, extra="forbid", by_alias=True, by_name=False)
    except (ValueError, AttributeError, RecursionError):
        text = "the collector's verdict is malformed: look at its pod's log"
        return {"phase": BacktestPhase.FAILED.value, "message": text}
    verdict: Status = checked.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    return verdict | {"phase": BacktestPhase.SUCCEEDED.value}


def _reason(job: Manifest, pods: Iterable[Manifest]) -> str:
    """What a failed pod said last, else what the job says."""
    said = [
        _terminated(pod).get("message")
        for pod in _of(job, pods)
        if _value(pod, "status", "phase") == "Failed"
    ]
    told = next((text.strip() for text in said if text and text.strip()), "")
    conditions = _value(job, "status", "conditions") or []
    failed = next(each for each in conditions if each["type"] == "Failed")
    return (told or f"{failed.get('reason', '')}: {failed.get('message', '')}")[-_MESSAGE:]


def _of(job: Manifest, pods: Iterable[Manifest]) -> list[Manifest]:
    name = job["metadata"]["name"]
    return [
        pod
        for pod in pods
        if (pod["metadata"].get("labels") or {}).get("batch.kubernetes.io/job-name") == name
    ]


def _terminated(pod: Manifest) -> dict[str, Any]:
    statuses = _value(pod, "status", "containerStatuses") or []
    state: dict[str, Any] = (statuses[0].get("state") or {}).get("terminated") or {} if statuses else {}
    return state


def _with_conditions(backtest: Manifest, status: Status, now: datetime, reason: str = "") -> Status:
    generation = backtest["metadata"]["generation"]
    complete = {"Succeeded": "True", "Failed": "False"}.get(status["phase"], "Unknown")
    before = next(
        (
            each
            for each in (backtest.get("status") or {}).get("conditions") or []
            if each["type"] == "Complete"
        ),
        None,
    )
    same = before is not None and before["status"] == complete
    condition = {
        "type": "Complete",
        "status": complete,
        "reason": reason or status["phase"],
        "message": status.get("message") or "",
        "lastTransitionTime": before["lastTransitionTime"] if before and same else _text(now),
        "observedGeneration": generation,
    }
    told = status | {"observedGeneration": generation, "conditions": [condition]}
    return {name: value for name, value in told.items() if value is not None}


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
