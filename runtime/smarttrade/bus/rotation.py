"""When an account's NATS users were renewed out of turn, and which of the older ones are cut off.

Two moments, because the pods must hold new credentials before the old ones end. What bites: the servers
compare with the time at which a user's token was issued, whoever it is, so whatever is issued from then on,
the operator's own access too, must say a later time; and a revocation that is taken back lets the thief in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ROTATE = "smarttrade.io/rotate-credentials"
"""The annotation with the time at which a renewal out of turn was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Seconds since the epoch, 0 for never: credentials are given out anew after `renewed_s`, and what was
    issued until `revoked_s` is refused."""

    renewed_s: int = 0
    revoked_s: int = 0

    @classmethod
    def carried_out(cls, revoked_s: int) -> Rotation:
        """Nothing is asked for beyond what has been done."""
        return cls(renewed_s=revoked_s, revoked_s=revoked_s)

    @property
    def is_cut(self) -> bool:
        """Nothing older than the last renewal is valid any more."""
        return self.revoked_s >= self.renewed_s

    def issue(self, start: int) -> tuple[int, tuple[str, ...]]:
        """When the users of the period that began at `start` are issued, and what tells their keys from those
        of the period's other users."""
        if self.renewed_s < start:
            return start, ()
        return self.renewed_s + 1, (f"renewed-{self.renewed_s}",)

    @property
    def claims(self) -> dict[str, Any]:
        """What the account's token says of it."""
        return {"revocations": {"*": self.revoked_s}} if self.revoked_s else {}


NEVER = Rotation()
