"""Which children an account no longer needs; only what it controls is pruned (see `ownership`)."""

from __future__ import annotations

from collections.abc import Iterable

from smarttrade_operator.kinds import Manifest
from smarttrade_operator.ownership import is_controlled_by


def superfluous(children: Iterable[Manifest], desired: Iterable[Manifest], uid: str) -> list[Manifest]:
    """Children controlled by the account with this uid that are not among the desired ones."""
    wanted = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in desired}
    return [
        child
        for child in children
        if (child["kind"], child["metadata"]["name"]) not in wanted
        and is_controlled_by(child, uid)
        and not child["metadata"].get("deletionTimestamp")
    ]
