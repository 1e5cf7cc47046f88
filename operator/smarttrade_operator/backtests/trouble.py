"""What keeps a Backtest's pods from being made or from beginning.

A job that may not make a pod, because a quota or the namespace's rules refuse it, says so in events only.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from smarttrade_operator.diagnose import Problem, diagnose, newest_warning, stuck_pods
from smarttrade_operator.kinds import CORE_EVENT, JOB, POD, Kind, Manifest
from smarttrade_operator.kube import Kube

_REFUSED = "FailedCreate"


async def find_problem(
    kube: Kube, job: Manifest | None, pods: Iterable[Manifest], now: datetime
) -> Problem | None:
    """The first of them, None while all goes its way."""
    if job is None:
        return None
    mine = [pod for pod in pods if _belongs(pod, job) and not _has_ended(pod)]
    warnings = {
        name: warning for name in stuck_pods(mine, now) if (warning := await _warning(kube, POD, job, name))
    }
    if problems := diagnose(None, mine, warnings, now):
        return problems[0]
    if len(mine) >= _wanted(job):
        return None
    refused = await _warning(kube, JOB, job, job["metadata"]["name"])
    return refused if refused and refused.reason == _REFUSED else None


def _belongs(pod: Manifest, job: Manifest) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return bool(labels.get("batch.kubernetes.io/job-name") == job["metadata"]["name"])


def _has_ended(pod: Manifest) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _wanted(job: Manifest) -> int:
    """Pods that should be there at the moment."""
    spec, status = job["spec"], job.get("status") or {}
    if any(each["status"] == "True" for each in status.get("conditions") or []):
        return 0
    left = int(spec.get("completions") or 1) - int(status.get("succeeded") or 0)
    return min(int(spec.get("parallelism") or 1), left)


async def _warning(kube: Kube, kind: Kind, job: Manifest, name: str) -> Problem | None:
    selector = f"involvedObject.kind={kind.kind},involvedObject.name={name}"
    namespace = job["metadata"]["namespace"]
    return newest_warning(await kube.list_objects(CORE_EVENT, namespace, field_selector=selector))
