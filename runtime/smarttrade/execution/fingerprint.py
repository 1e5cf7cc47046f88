"""Marks by which the operator finds two accounts on one exchange account, without learning which it is.

HMAC under the installation's key, of the API key and of the exchange's own account id: equal inputs give
equal marks, within one installation only. The API key never leaves the container; without the installation's
key not even the account id, a number that is easily guessed, follows from its mark.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from smarttrade.api import TradingAccountSpec

KEY_FILE = "fingerprint.key"
_SEPARATOR = "\x1f"
_LENGTH = 32


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


def read_secret(credentials: Path) -> bytes:
    """The installation's key, which lies beside the container's credentials; empty where there is none."""
    try:
        return (credentials.parent / KEY_FILE).read_bytes().strip()
    except OSError:
        return b""


def _mark(secret: bytes, *parts: str) -> str:
    digest = hmac.new(secret, _SEPARATOR.join(parts).encode(), hashlib.sha256).hexdigest()
    return digest[:_LENGTH]
