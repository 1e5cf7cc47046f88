"""Events on the TradingAccount: one for each transition, none for repetitions."""

from __future__ import annotations

from datetime import UTC, datetime

from smarttrade_operator.kinds import EVENT, FIELD_MANAGER, TRADING_ACCOUNT, Manifest

_NOTE_LIMIT = 1000


def build_event(
    account: Manifest, *, kind: str, reason: str, action: str, note: str, pod: str, now: datetime
) -> Manifest:
    """An `events.k8s.io/v1` Event; `kind` is Normal or Warning, `pod` the operator's pod that reports it."""
    metadata = account["metadata"]
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"generateName": f"{metadata['name']}-", "namespace": metadata["namespace"]},
        "eventTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": kind,
        "reason": reason,
        "action": action,
        "note": note[:_NOTE_LIMIT],
        "reportingController": f"smarttrade.io/{FIELD_MANAGER}",
        "reportingInstance": pod[:128],
        "regarding": {
            "apiVersion": TRADING_ACCOUNT.api_version,
            "kind": TRADING_ACCOUNT.kind,
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
    }
