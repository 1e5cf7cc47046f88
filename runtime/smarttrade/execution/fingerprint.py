"""Marks by which the operator finds two accounts on one exchange account, without learning which it is.

A hash of the API key and one of the exchange's own account id, each sealed under a key that this account
shares with the operator alone (see `smarttrade.bus.marks`). The API key never leaves the container; without
the account's key not even the account id, a number that is easily guessed, follows from its mark.
"""

from __future__ import annotations

import hashlib

from smarttrade.api import TradingAccountSpec
from smarttrade.bus.marks import seal

_SEPARATOR = "\x1f"
_BYTES = 16


def build_fingerprints(
    secret: bytes, spec: TradingAccountSpec, api_key: str, account_id: str
) -> tuple[str, ...]:
    """The marks of the key and of the account; none without a secret, one while the id is not known."""
    if not secret:
        return ()
    exchange = f"{spec.exchange.name}/{spec.exchange.environment}"
    marks = [_mark(secret, "key", exchange, api_key)]
    if account_id:
        marks.append(_mark(secret, "account", exchange, account_id))
    return tuple(marks)


def _mark(secret: bytes, *parts: str) -> str:
    return seal(secret, hashlib.sha256(_SEPARATOR.join(parts).encode()).digest()[:_BYTES])
