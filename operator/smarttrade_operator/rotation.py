"""Whether an account's NATS credentials are to be renewed out of turn, and when the old ones are cut off.

Asked for by an annotation with a time, so that asking twice is asking once. The pods come first: the new
Secret is written, and only after what a kubelet and a container take to follow is everything older refused.
That it is refused stands in the status before the servers are told, since only what stands there is known
after a restart of the operator; it never goes back, whatever becomes of the annotation.
"""

from __future__ import annotations

from datetime import datetime

from smarttrade.bus.rotation import ROTATE, Rotation
from smarttrade.errors import ConfigurationError
from smarttrade_operator.kinds import Manifest
from smarttrade_operator.status import REVOKED

# A kubelet brings a changed Secret within about 90 s, a container looks every 10 s. The operator's own access
# is dated back by less than this.
HOLD_S = 120.0
# By how much a clock may be ahead of ours; such a request is served when its time has come.
_AHEAD_S = 300.0


def read_rotation(account: Manifest, now_s: float) -> tuple[Rotation, float | None]:
    """What object and status say, and the seconds until a request from a clock ahead of ours is due.

    ConfigurationError for an annotation that is no such time; `read_revoked` still holds then.
    """
    revoked = read_revoked(account)
    text = (account["metadata"].get("annotations") or {}).get(ROTATE)
    if text is None:
        return Rotation.carried_out(revoked), None
    asked = _read_time(text)
    if asked is None or asked > now_s + _AHEAD_S:
        raise ConfigurationError(
            f"annotation {ROTATE}: {text[:40]!r} is not a time up to now like 2026-11-30T12:00:00Z"
        )
    if asked > now_s:
        return Rotation.carried_out(revoked), asked - now_s
    return Rotation(renewed_s=max(asked, revoked), revoked_s=revoked), None


def read_revoked(account: Manifest) -> int:
    """Until when issued credentials are refused, in seconds since the epoch; 0 for none."""
    return _read_time((account.get("status") or {}).get(REVOKED) or "") or 0


def hold_s(rotation: Rotation, written_s: float, now_s: float) -> float | None:
    """Seconds until the older credentials are to be cut, at `written_s` having written the new ones; None
    where there is nothing to cut."""
    if rotation.is_cut:
        return None
    return max(rotation.renewed_s, written_s) + HOLD_S - now_s


def _read_time(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
        return int(moment.timestamp()) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
