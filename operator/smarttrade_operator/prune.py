"""Which children an account no longer needs.

A label alone never condemns an object: anybody may write labels. Only what the account owns is pruned.
"""

from __future__ import annotations

from collections.abc import Iterable

from smarttrade_operator.kinds import Manifest


def superfluous(children: Iterable[Manifest], desired: Iterable[Manifest], uid: str) -> list[Manifest]:
    """Children owned by the account with this uid that are not among the desired ones."""
    wanted = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in desired}
    return [
        child
        for child in children
        if (child["kind"], child["metadata"]["name"]) not in wanted
        and any(owner["uid"] == uid for owner in child["metadata"].get("ownerReferences") or [])
        and not child["metadata"].get("deletionTimestamp")
    ]
