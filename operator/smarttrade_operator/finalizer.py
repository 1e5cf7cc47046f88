"""The one finalizer: an account is settled while its pods still run, and only then taken away.

Order matters: execution must be able to cancel or sell, so pods go after it has reported; after the pods the
NATS accounts are shut, their log is brought into the archive, and they go. Nothing here may hold the object
for ever: after `deletionTimeoutSeconds` it is released all the same, with an Event that says what was left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from smarttrade.api import DeletionPolicy
from smarttrade_operator.kinds import Manifest
from smarttrade_operator.reports import Voices

FINALIZER = "smarttrade.io/settle"
# What stopping the pods and removing the accounts from NATS may take on top of settling.
TEARDOWN_S = 60.0


class Stage(Enum):
    """What is to be done next for an object that is being deleted."""

    SETTLE = "settle"
    STOP_PODS = "stop pods"
    REMOVE_ACCOUNTS = "remove accounts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """One account that is being deleted; `age_s` counts from the deletion's timestamp.

    `ever_reported`: execution has reported once, so there may be something to settle.
    `stopped`: neither Deployment nor pods are left.
    """

    policy: DeletionPolicy
    generation: int
    timeout_s: float
    age_s: float
    voices: Voices
    ever_reported: bool
    stopped: bool

    @property
    def settled(self) -> bool:
        """The leader has taken in the deletion and has done what the policy asks."""
        return self.nothing_to_settle or (self.voices.leader is not None and not self.left)

    @property
    def nothing_to_settle(self) -> bool:
        """Execution never ran, or nobody is left who could act."""
        return self.stopped or (not self.ever_reported and not self.voices.pods)

    @property
    def left(self) -> str:
        """What the policy asks for and the leader has not yet reported as done."""
        leader = self.voices.leader
        report = leader.execution if leader else None
        if report is None:
            return "no leader has reported"
        if report.generation < self.generation:
            return "the leader has not yet read the deletion"
        said = next((check for check in report.checks if check.type == "Settled"), None)
        if said is not None and not said.ok:
            return said.message or said.reason
        if self.policy is DeletionPolicy.RETAIN:
            return ""
        if report.open_orders or report.unknown_orders:
            return f"{report.open_orders} open and {report.unknown_orders} unknown orders"
        held = [position.market for position in report.positions if position.quantity]
        # What is too small to be sold stays: the leader calls that settled, and is believed after a while.
        dust = said is not None and self.age_s >= self.timeout_s / 2
        if self.policy is DeletionPolicy.FLATTEN and held and not dust:
            return f"positions in {', '.join(held)}"
        return ""

    @property
    def stage(self) -> Stage:
        timed_out = self.age_s >= self.timeout_s
        if not self.stopped:
            if not self.settled and not timed_out:
                return Stage.SETTLE
            return Stage.STOP_PODS if self.age_s < self.timeout_s + TEARDOWN_S else Stage.REMOVE_ACCOUNTS
        return Stage.REMOVE_ACCOUNTS

    @property
    def overdue(self) -> bool:
        """So late that the object is released even if its NATS accounts could not be removed."""
        return self.age_s >= self.timeout_s + 2 * TEARDOWN_S


def has_finalizer(account: Manifest) -> bool:
    return FINALIZER in (account["metadata"].get("finalizers") or [])


def build_finalizer_patch(account: Manifest, *, present: bool) -> Manifest:
    """A merge patch that adds or removes our finalizer and fails if the object has changed meanwhile."""
    metadata = account["metadata"]
    others = [name for name in metadata.get("finalizers") or [] if name != FINALIZER]
    return {
        "metadata": {
            "finalizers": [*others, FINALIZER] if present else others,
            "resourceVersion": metadata["resourceVersion"],
        }
    }


def deletion_age_s(account: Manifest, now: datetime) -> float:
    return (now.astimezone(UTC) - _deleted_at(account)).total_seconds()


def deleted_at_s(account: Manifest) -> int:
    """Seconds since the epoch; tells this deletion from others of the name."""
    return int(_deleted_at(account).timestamp())


def _deleted_at(account: Manifest) -> datetime:
    return datetime.fromisoformat(account["metadata"]["deletionTimestamp"].replace("Z", "+00:00"))
