"""Writes the Secret with the account's NATS credentials, without ever reading one.

A Secret of the same name that is not the account's is left as it is: it may be a person's own keys, which
would otherwise get our files now, and go with the account later.
"""

from __future__ import annotations

from smarttrade_operator.apply import NameTaken
from smarttrade_operator.kinds import SECRET, Manifest
from smarttrade_operator.kube import Conflict, Kube
from smarttrade_operator.ownership import controller_of, is_controlled_by, is_left_by_predecessor


async def write_secret(kube: Kube, secret: Manifest, own: str) -> str:
    """Make it what it must be; its uid. `own` is the uid it had before, which stays the account's even if
    somebody strips it of its owner. NameTaken where it is another's; Conflict to come again."""
    metadata, controller = secret["metadata"], controller_of(secret)
    assert controller is not None
    found = await kube.look(SECRET, metadata["namespace"], metadata["name"])
    if found is not None and is_left_by_predecessor(found, secret):
        raise Conflict(f"Secret {metadata['name']} still belongs to the account's predecessor: waiting")
    if found is not None and not _is_ours(found, controller["uid"], own):
        raise NameTaken(
            f"Secret {metadata['name']} exists and does not belong to this TradingAccount: delete or rename "
            "it, or give the TradingAccount another name"
        )
    return str((await kube.apply(secret))["metadata"]["uid"])


def _is_ours(found: Manifest, uid: str, own: str) -> bool:
    stripped = controller_of(found) is None and found["metadata"]["uid"] == own
    return stripped or is_controlled_by(found, uid)
