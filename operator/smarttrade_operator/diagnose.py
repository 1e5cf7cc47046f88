"""Why an account's pods do not run, in the words that Kubernetes uses.

A container that crashes is Running most of the time: between two crashes its restarts tell, not its state.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from smarttrade_operator.kinds import Manifest

STUCK_S = 8.0
_MESSAGE_LIMIT = 700
_WORDS_LIMIT = 480  # room for the pod's name before them
_LAST_LINES = 3
_STRATEGY_FAILED = 4  # what evaluation exits with when the user's code raised or did not return
_SAME_REASON = {"ErrImagePull": "ImagePullBackOff", "ErrImageNeverPull": "ImagePullBackOff"}
_HARMLESS = ("ContainerCreating", "PodInitializing")


@dataclass(frozen=True, slots=True)
class Problem:
    """One failure of one pod: a CamelCase reason and what a person needs to know."""

    reason: str
    message: str


def diagnose(
    deployment: Manifest | None, pods: Iterable[Manifest], warnings: dict[str, Problem], now: datetime
) -> list[Problem]:
    """What keeps pods from running; `warnings` is the newest Warning event of stuck pods, by pod name."""
    found = [problem for pod in sorted(pods, key=_name) for problem in _examine(pod, warnings, now)]
    return found or _examine_deployment(deployment)


def stuck_pods(pods: Iterable[Manifest], now: datetime) -> list[str]:
    """Pods whose containers have not been created for so long that their events should be read."""
    return sorted(
        _name(pod)
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
        and any(_waiting(status) in _HARMLESS for status in _containers(pod))
        and _age_s(pod, now) > STUCK_S
    )


def _examine(pod: Manifest, warnings: dict[str, Problem], now: datetime) -> Iterable[Problem]:
    if pod["metadata"].get("deletionTimestamp"):
        return
    status = pod.get("status", {})
    name = _name(pod)
    if status.get("phase") == "Failed":
        yield Problem(status.get("reason") or "PodFailed", f"pod {name}: {status.get('message', 'failed')}")
        return
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield Problem(
                condition.get("reason") or "Unschedulable", f"pod {name}: {condition.get('message', '')}"
            )
    for container in _containers(pod):
        problem = _examine_container(name, container)
        if problem:
            yield problem
    if name in warnings:
        yield Problem(warnings[name].reason, f"pod {name}: {warnings[name].message}"[:_MESSAGE_LIMIT])


def _examine_container(pod: str, status: dict[str, Any]) -> Problem | None:
    where = f"pod {pod}, container {status['name']}"
    waiting = status.get("state", {}).get("waiting") or {}
    reason = waiting.get("reason")
    crashed = _crash(status)
    if crashed and not status.get("ready"):
        told = f"{where}: {_describe_crash(crashed, status)}"
        return Problem(_crash_reason(status["name"], crashed), told[:_MESSAGE_LIMIT])
    if reason and reason not in _HARMLESS:
        return Problem(
            _SAME_REASON.get(reason, reason), f"{where}: {waiting.get('message', reason)}"[:_MESSAGE_LIMIT]
        )
    return None


def _crash(status: dict[str, Any]) -> dict[str, Any] | None:
    """The newest termination with a failure, of the running or of the previous container."""
    now = status.get("state", {}).get("terminated")
    last = status.get("lastState", {}).get("terminated")
    return next((ended for ended in (now, last) if ended and ended.get("exitCode")), None)


def _crash_reason(container: str, crashed: dict[str, Any]) -> str:
    """What evaluation's memory grows by is the strategy's."""
    killed = crashed.get("reason") == "OOMKilled"
    if container == "evaluation" and (killed or crashed["exitCode"] == _STRATEGY_FAILED):
        return "StrategyFailed"
    return "OOMKilled" if killed else "CrashLoopBackOff"


def _describe_crash(crashed: dict[str, Any], status: dict[str, Any]) -> str:
    last_words = _last_words(str(crashed.get("message") or ""))
    told = f": {last_words}" if last_words else ""
    if crashed.get("reason") == "OOMKilled":
        told = f", out of memory: raise its limit in spec.resources.{status['name']}{told}"
    return f"exited with {crashed['exitCode']} ({status.get('restartCount', 0)} restarts){told}"


def _last_words(log: str) -> str:
    """What a container said last: what it ended with, if it says so, with its beginning and, which tells most
    of an exception, its end."""
    lines = [_read_line(line) for line in log.strip().splitlines()]
    told = [text for level, text in lines if level == "critical"][-1:] or [
        text for _, text in lines[-_LAST_LINES:]
    ]
    words = " | ".join(line.strip() for text in told for line in text.splitlines())
    if len(words) <= _WORDS_LIMIT:
        return words
    return f"{words[: _WORDS_LIMIT // 4]} ... {words[-_WORDS_LIMIT * 3 // 4 :]}"


def _read_line(line: str) -> tuple[str, str]:
    """Level and text; a line that is not structured has no level."""
    try:
        entry = json.loads(line)
        return str(entry["level"]), str(entry["event"])
    except (ValueError, KeyError, TypeError):
        return "", line


def _examine_deployment(deployment: Manifest | None) -> list[Problem]:
    conditions = (deployment or {}).get("status", {}).get("conditions") or []
    return [
        Problem(
            condition.get("reason") or "ReplicaFailure", str(condition.get("message", ""))[:_MESSAGE_LIMIT]
        )
        for condition in conditions
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True"
    ]


def newest_warning(events: Iterable[Manifest]) -> Problem | None:
    """The newest Warning among a pod's events."""
    warnings = [event for event in events if event.get("type") == "Warning"]
    newest = max(warnings, key=_event_time, default=None)
    return Problem(newest["reason"], str(newest.get("message", ""))) if newest else None


def _event_time(event: Manifest) -> str:
    return str(
        event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
    )


def _containers(pod: Manifest) -> list[dict[str, Any]]:
    return pod.get("status", {}).get("containerStatuses") or []


def _waiting(status: dict[str, Any]) -> str:
    return str((status.get("state", {}).get("waiting") or {}).get("reason", ""))


def _name(pod: Manifest) -> str:
    return str(pod["metadata"]["name"])


def _age_s(pod: Manifest, now: datetime) -> float:
    created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"].replace("Z", "+00:00"))
    return (now.astimezone(UTC) - created).total_seconds()
