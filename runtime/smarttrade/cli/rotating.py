"""Asks for other NATS credentials of an account, and waits until the old ones are refused.

The operator does it: the new ones reach the pods first. Until the wait is over a thief still has access, so
the command does not say that it is done before the account's status says it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from smarttrade.bus.rotation import ROTATE
from smarttrade.cli.errors import EXIT_UNKNOWN
from smarttrade.cli.objects import Accounts

_LOOK_S = 1.0


def rotate_credentials(
    accounts: Accounts,
    name: str,
    namespace: str | None,
    *,
    patience_s: float,
    say: Callable[[str], None],
    look_s: float = _LOOK_S,
) -> int:
    """The exit code. SmartTradeError where the API server refuses."""
    asked = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    accounts.patch(name, namespace, {"metadata": {"annotations": {ROTATE: asked}}})
    say("asked for new credentials: the pods take them up, then the old ones are refused (about two minutes)")
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        status = accounts.read(name, namespace).get("status") or {}
        if status.get("credentialsRevokedUntil", "") >= asked:
            say("done: everything issued before is refused; the egress gateways follow within two minutes")
            return 0
        time.sleep(look_s)
    say(f"the old ones are not known to be refused within {patience_s:.0f} s: see `smarttrade status {name}`")
    return EXIT_UNKNOWN
