"""A new runtime image reaches a few accounts at a time, and stops when it fails.

Pure. Only a change of image on a running Deployment counts as a rollout: what users change in their own
object is theirs and is never held up, nor is a new account, nor the repair of a hand edit.

An image is judged by accounts that ran before and whose users changed nothing meanwhile, and it must have
failed in several namespaces where there are several, and in as many as it succeeded in. A tenant whose own
accounts cannot start, by mistake or on purpose, must not keep everybody else from a new version.
"""

from __future__ import annotations

from collections.abc import Callable
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
    small steps as before. `namespaces` counts those that have accounts."""

    namespaces: Callable[[], int]
    _rolling: dict[Key, _Attempt] = field(default_factory=dict)
    _failed: dict[str, set[Key]] = field(default_factory=dict)
    _succeeded: dict[str, set[Key]] = field(default_factory=dict)

    def admit(self, key: Key, generation: int, desired: Manifest, live: Manifest | None) -> bool:
        """Whether the Deployment may be applied now; RolloutStopped when its image has failed too often.

        `generation` is the account's: one that its user changes while it rolls says nothing of the image.
        """
        wanted = image_of(desired, desired)
        running = wanted if live is None else image_of(live, desired)
        if wanted is None or running is None or running == wanted:
            self._note_progress(key, generation, wanted or "", live)
            return True
        failed = self._failed.get(wanted, set()) - {key}
        if self._condemns(failed, self._succeeded.get(wanted, set())):
            names = ", ".join(sorted(map(str, failed)))
            raise RolloutStopped(f"image {wanted} did not start in {names}: correct it, or go back")
        if key not in self._rolling and len(self._rolling) >= AT_ONCE:
            return False
        if key not in self._rolling:
            self._rolling[key] = _Attempt(generation, live is not None and is_complete(live))
        return True

    def _condemns(self, failed: set[Key], succeeded: set[Key]) -> bool:
        several = min(FAILURES_BEFORE_STOP, self.namespaces())
        needed = max(several, _namespaces(succeeded))
        return len(failed) >= FAILURES_BEFORE_STOP and _namespaces(failed) >= needed

    def forget(self, key: Key) -> None:
        """The account is gone."""
        self._rolling.pop(key, None)
        for kept in (*self._failed.values(), *self._succeeded.values()):
            kept.discard(key)

    def _note_progress(self, key: Key, generation: int, wanted: str, live: Manifest | None) -> None:
        failed, attempt = self._failed.setdefault(wanted, set()), self._rolling.get(key)
        if live is None or is_complete(live):
            self._rolling.pop(key, None)
            failed.discard(key)
            if attempt is not None:
                self._succeeded.setdefault(wanted, set()).add(key)
        elif attempt is not None and has_failed(live):
            del self._rolling[key]
            if attempt.ran_before and attempt.generation == generation:
                failed.add(key)


@dataclass(frozen=True, slots=True)
class _Attempt:
    generation: int
    ran_before: bool


def _namespaces(keys: set[Key]) -> int:
    return len({key.namespace for key in keys})


def image_of(deployment: Manifest, desired: Manifest) -> str | None:
    """The platform's image that the account's containers run. None where they do not agree, which is a hand
    edit: the operator gives all of them the same. Evaluation is not asked, whose image may be the user's own,
    nor are containers that the operator never set."""
    ours = {container["name"] for container in desired["spec"]["template"]["spec"]["containers"]}
    ours.discard("evaluation")
    containers = deployment["spec"]["template"]["spec"]["containers"]
    images = {container["image"] for container in containers if container["name"] in ours}
    return images.pop() if len(images) == 1 else None


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
