"""A new runtime image reaches a few accounts at a time, and stops when it fails.

Pure. Only a change of image on a running Deployment counts as a rollout: what users change in their own
object is theirs and is never held up, nor is a new account.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from smarttrade.errors import SmartTradeError
from smarttrade_operator.kinds import Manifest
from smarttrade_operator.names import Key

AT_ONCE = 5
FAILURES_BEFORE_STOP = 3


class RolloutStopped(SmartTradeError):  # noqa: N818
    """The image failed in several accounts: the others keep the one they have."""


@dataclass(slots=True)
class Rollouts:
    """Which accounts are being rolled to a new image. Forgotten at a restart, which then goes on in as
    small steps as before."""

    _rolling: set[Key] = field(default_factory=set)
    _failed: dict[tuple[str, ...], set[Key]] = field(default_factory=dict)

    def admit(self, key: Key, desired: Manifest, live: Manifest | None) -> bool:
        """Whether the Deployment may be applied now; RolloutStopped when its image has failed too often."""
        wanted = images(desired)
        if live is None or images(live) == wanted:
            self._note_progress(key, wanted, live)
            return True
        failed = self._failed.get(wanted, set()) - {key}
        if len(failed) >= FAILURES_BEFORE_STOP:
            names = ", ".join(sorted(map(str, failed)))
            raise RolloutStopped(f"image {wanted[0]} did not start in {names}: correct it, or go back")
        if key not in self._rolling and len(self._rolling) >= AT_ONCE:
            return False
        self._rolling.add(key)
        return True

    def forget(self, key: Key) -> None:
        """The account is gone."""
        self._rolling.discard(key)
        for failed in self._failed.values():
            failed.discard(key)

    def _note_progress(self, key: Key, wanted: tuple[str, ...], live: Manifest | None) -> None:
        failed = self._failed.setdefault(wanted, set())
        if live is None or is_complete(live):
            self._rolling.discard(key)
            failed.discard(key)
        elif key in self._rolling and has_failed(live):
            self._rolling.discard(key)
            failed.add(key)


def images(deployment: Manifest) -> tuple[str, ...]:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return tuple(sorted({container["image"] for container in containers}))


def is_complete(deployment: Manifest) -> bool:
    """Every replica runs the newest template and is ready."""
    status, replicas = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    counts = [status.get(name) or 0 for name in ("updatedReplicas", "readyReplicas", "replicas")]
    return seen and counts == [replicas] * 3


def has_failed(deployment: Manifest) -> bool:
    """Kubernetes has given the rollout up (progressDeadlineSeconds)."""
    conditions = (deployment.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Progressing" and c["status"] == "False" for c in conditions)
