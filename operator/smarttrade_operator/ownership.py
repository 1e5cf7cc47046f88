"""Whose an object is: its controller's uid says so, never a label or a name, which anybody may choose.

The API server admits one controller for an object, and whoever could forge the reference could change the
object anyway. A name comes back when an account is made anew; a uid does not.
"""

from __future__ import annotations

from smarttrade_operator.kinds import Manifest


def controller_of(manifest: Manifest) -> Manifest | None:
    """The owner reference of the controller, None where nobody controls the object."""
    owners = manifest["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), None)


def is_controlled_by(manifest: Manifest, uid: str) -> bool:
    controller = controller_of(manifest)
    return controller is not None and controller["uid"] == uid


def is_left_by_predecessor(found: Manifest, desired: Manifest) -> bool:
    """Whether it was controlled by an earlier object of the same kind and name as `desired`'s controller:
    the garbage collector takes it away."""
    before, now = controller_of(found), controller_of(desired)
    if before is None or now is None or before["uid"] == now["uid"]:
        return False
    return (before["kind"], before["name"]) == (now["kind"], now["name"])
