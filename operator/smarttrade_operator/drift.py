"""What differs between a child as it must be and as it is, and how often it had to be put right.

The comparison is of the whole object: server-side apply alone would leave a foreign sidecar or hostNetwork
in place for ever. `expected` is the manifest as the API server itself completes it (see `apply`), so that
no table of its defaults has to be kept here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from smarttrade_operator.kinds import FIELD_MANAGER, Manifest

REPAIRS_BEFORE_BACKOFF = 3
WINDOW_S = 60.0
QUIET_S = 300.0
_BACKOFF_S = 10.0
_BACKOFF_LIMIT_S = 300.0

# Written by Kubernetes itself, or asked for by its users in the way that Kubernetes documents.
_TOLERATED_ANNOTATIONS = ("deployment.kubernetes.io/",)
_TOLERATED_TEMPLATE_ANNOTATIONS = ("kubectl.kubernetes.io/restartedAt",)
_COMPARED_METADATA = ("labels", "annotations", "ownerReferences", "finalizers")


def essence(manifest: Manifest) -> Manifest:
    """The part of an object that somebody can set: no status, no bookkeeping, no empty values."""
    metadata = {name: manifest["metadata"].get(name) for name in _COMPARED_METADATA}
    metadata["annotations"] = _without(metadata["annotations"], _TOLERATED_ANNOTATIONS)
    body = {name: part for name, part in manifest.items() if name not in _BOOKKEEPING}
    template = body.get("spec", {}).get("template")
    if template:
        annotations = _without(template["metadata"].get("annotations"), _TOLERATED_TEMPLATE_ANNOTATIONS)
        template = template | {"metadata": template["metadata"] | {"annotations": annotations}}
        body["spec"] = body["spec"] | {"template": template}
    compact: Manifest = _compact({"metadata": metadata} | body)
    return compact


_BOOKKEEPING = ("apiVersion", "kind", "metadata", "status")


def _without(annotations: dict[str, str] | None, tolerated: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in (annotations or {}).items() if not name.startswith(tolerated)}


def _compact(part: Any) -> Any:
    """Nulls and empty maps say nothing; empty lists do (an empty list of rules is a rule)."""
    if isinstance(part, dict):
        members = {name: _compact(member) for name, member in part.items()}
        return {name: member for name, member in members.items() if member is not None and member != {}}
    if isinstance(part, list):
        return [_compact(member) for member in part]
    return part


def differences(expected: Any, live: Any, path: str = "") -> Iterator[str]:
    """The paths at which the two differ, deepest first where both are alike in shape."""
    if isinstance(expected, dict) and isinstance(live, dict):
        for name in sorted(expected.keys() | live.keys()):
            yield from differences(expected.get(name), live.get(name), f"{path}.{name}" if path else name)
    elif isinstance(expected, list) and isinstance(live, list) and len(expected) == len(live):
        for index, (one, other) in enumerate(zip(expected, live, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif expected != live:
        yield path


def other_manager(manifest: Manifest) -> str:
    """Who changed the object last besides us, by the API server's own record."""
    entries = [
        entry
        for entry in manifest["metadata"].get("managedFields") or []
        if entry.get("manager") != FIELD_MANAGER and entry.get("subresource") != "status"
    ]
    latest: Manifest = max(entries, key=lambda entry: str(entry.get("time", "")), default={})
    return str(latest.get("manager", "unknown"))


@dataclass(frozen=True, slots=True)
class Drift:
    """One deviation of one child."""

    child: str
    paths: tuple[str, ...]
    manager: str

    @property
    def message(self) -> str:
        shown = ", ".join(self.paths[:5]) + (", ..." if len(self.paths) > 5 else "")
        return f"{self.child}: {shown} (changed by {self.manager})"


@dataclass(slots=True)
class _Contest:
    drift: Drift
    first_s: float
    last_s: float
    repairs: int = 1


@dataclass(slots=True)
class DriftLedger:
    """The repairs of one account's children. Somebody who undoes a repair again and again gets a slower
    answer, not a fight: a rollout each second would hurt the account more than the deviation."""

    _contests: dict[tuple[str, tuple[str, ...]], _Contest] = field(default_factory=dict)

    def wait_s(self, drift: Drift, now_s: float) -> float:
        """How long this repair must still wait; 0 when it may be made now."""
        contest = self._contests.get((drift.child, drift.paths))
        if contest is None or contest.repairs < REPAIRS_BEFORE_BACKOFF:
            return 0.0
        backoff: float = _BACKOFF_S * 2 ** min(contest.repairs - REPAIRS_BEFORE_BACKOFF, 10)
        return max(0.0, contest.last_s + min(backoff, _BACKOFF_LIMIT_S) - now_s)

    def record(self, drift: Drift, now_s: float) -> None:
        """Count a repair that was made."""
        key = (drift.child, drift.paths)
        contest = self._contests.get(key)
        if contest is None or (
            contest.repairs < REPAIRS_BEFORE_BACKOFF and now_s - contest.first_s > WINDOW_S
        ):
            self._contests[key] = _Contest(drift, now_s, now_s)
            return
        contest.drift = drift
        contest.last_s = now_s
        contest.repairs += 1

    def contested(self, now_s: float) -> list[Drift]:
        """Deviations that came back after three repairs, until they have stayed away for five minutes."""
        self._contests = {
            key: contest
            for key, contest in self._contests.items()
            if now_s - contest.last_s < QUIET_S + self.wait_s(contest.drift, now_s)
        }
        return [c.drift for c in self._contests.values() if c.repairs >= REPAIRS_BEFORE_BACKOFF]
