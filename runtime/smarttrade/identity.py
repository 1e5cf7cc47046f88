"""Who an account is, and how everything that must be reproducible by another replica is derived from it.

An account is (installation, namespace, name), never a Kubernetes uid: an object that was deleted and
created again, or restored from a backup, is the same account and adopts its own orders.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

_SEPARATOR = "\x1f"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"  # base32 of RFC 4648, in lower case
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_TOKEN_BITS = 130
_SHIFTS = range(_TOKEN_BITS - 10, -1, -10)


@dataclass(frozen=True, slots=True)
class AccountIdentity:
    """One account of one installation."""

    installation: str
    namespace: str
    name: str

    @property
    def key(self) -> str:
        """`installation/namespace/name`, for logs and for deriving keys."""
        return f"{self.installation}/{self.namespace}/{self.name}"

    @property
    def token(self) -> str:
        """26 lower-case alphanumerics that stand for the account in NATS subjects and names."""
        return stable_hash(self.installation, self.namespace, self.name)


def stable_hash(*parts: str, length: int = 26) -> str:
    """Lower-case base32 characters (26 are 130 bits of SHA-256) of the parts, in order; `length` is even."""
    return _spell(hashlib.sha256(_SEPARATOR.join(parts).encode()).digest(), length)


def keyed_hash(key: bytes, *parts: str, length: int = 26) -> str:
    """The same, of an HMAC-SHA256: who does not have the key can neither make nor check it."""
    return _spell(hmac.digest(key, _SEPARATOR.join(parts).encode(), hashlib.sha256), length)


def _spell(digest: bytes, length: int) -> str:
    number = int.from_bytes(digest[:17], "big") >> (17 * 8 - _TOKEN_BITS)
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS[: length // 2]])


def decision_id(account: AccountIdentity, strategy: str, market: str, event_key: str, index: int) -> str:
    """The id of the index-th decision that a strategy makes for a market on one event.

    Every replica derives the same id from the same event. The generation is not part of it: two
    generations of parameters must not execute one event twice.
    """
    return stable_hash(account.key, strategy, market, event_key, str(index))
