"""Takes an account away in order: flat, then deleted, then gone.

Each step waits for what the account itself says. Where one does not come to its end the account is left as it
then is, Flatten included, and nothing is deleted: half of it done in silence is what must not happen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from smarttrade.cli.errors import EXIT_UNKNOWN
from smarttrade.cli.objects import Accounts

Say = Callable[[str], None]

ALLOW_DELETION = "smarttrade.io/allow-deletion"
_LOOK_S = 0.3


def delete_account(
    accounts: Accounts,
    name: str,
    namespace: str | None,
    *,
    flatten: bool,
    allow: bool,
    patience_s: float,
    say: Say,
) -> int:
    """The exit code. SmartTradeError where the API server refuses a step."""
    if flatten and not _flatten(accounts, name, namespace, patience_s, say):
        return EXIT_UNKNOWN
    if allow:
        accounts.patch(name, namespace, {"metadata": {"annotations": {ALLOW_DELETION: "true"}}})
    uid = accounts.delete(name, namespace)
    say("deleted: the operator applies the deletion policy")
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        found = accounts.find(name, namespace)
        if found is None or found["metadata"]["uid"] != uid:
            say("gone")
            return 0
        time.sleep(_LOOK_S)
    say(f"not gone within {patience_s:.0f} s: see `smarttrade status {name}`")
    return EXIT_UNKNOWN


def _flatten(accounts: Accounts, name: str, namespace: str | None, patience_s: float, say: Say) -> bool:
    generation = accounts.patch(name, namespace, {"spec": {"state": "Flatten"}})["metadata"]["generation"]
    say("state Flatten: entries are cancelled and positions sold within the price collar")
    until, left = time.monotonic() + patience_s, ""
    while time.monotonic() < until:
        status = accounts.read(name, namespace).get("status") or {}
        left = describe_left(status, generation)
        if not left:
            say("flat")
            return True
        time.sleep(_LOOK_S)
    say(f"not flat within {patience_s:.0f} s ({left}); nothing was deleted")
    return False


def describe_left(status: dict[str, Any], generation: int) -> str:
    """What keeps an account from being flat, by its status; empty when nothing does."""
    applied = _condition(status, "ConfigApplied")
    if applied.get("observedGeneration", 0) < generation or applied.get("status") == "Unknown":
        return "the account has not yet taken note of it"
    if status.get("effectiveState") not in ("Flatten", "Halted"):
        return f"its effective state is {status.get('effectiveState') or 'unknown'}"
    orders = int(status.get("openOrders") or 0) + int(status.get("unknownOrders") or 0)
    held = [
        each["symbol"]
        for each in status.get("positions") or []
        if any(c in "123456789" for c in each["quantity"])
    ]
    parts = [f"{orders} orders open or unknown"] if orders else []
    parts += [f"positions in {', '.join(held)}"] if held else []
    return "; ".join(parts)


def _condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    found = (each for each in status.get("conditions") or [] if each["type"] == kind)
    return next(found, {})
