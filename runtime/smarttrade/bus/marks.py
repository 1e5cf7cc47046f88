"""Marks of exchange accounts, under a key of each TradingAccount's own.

Operator and pods must talk about which exchange account is meant, over the bus and in the status, without
saying which. One key for all would lie in everybody's Secret, and whoever got hold of one could find out
everybody's account by trying numbers. So each account seals its marks under its own key; the operator, which
derives all keys, opens them to compare. Sealing is a permutation of 128 bits (a Feistel network over
HMAC-SHA256), so that nothing has to be stored to get back from a mark to what is compared.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

from smarttrade.bus.keys import derive

_HALF = 8
_ROUNDS = range(6)


def build_mark_key(master: bytes, account: str) -> bytes:
    """The key that lies in the Secret of `account` (its identity's key)."""
    return derive(master, "marks", account)


def seal(key: bytes, plain: bytes) -> str:
    """32 hexadecimal digits for the 16 bytes."""
    left, right = plain[:_HALF], plain[_HALF : 2 * _HALF]
    for number in _ROUNDS:
        left, right = right, _xor(left, _mix(key, number, right))
    return (left + right).hex()


def unseal(key: bytes, mark: str) -> bytes | None:
    """The 16 bytes; None for what cannot be a mark."""
    try:
        sealed = bytes.fromhex(mark)
    except ValueError:
        return None
    if len(sealed) != 2 * _HALF:
        return None
    left, right = sealed[:_HALF], sealed[_HALF:]
    for number in reversed(_ROUNDS):
        left, right = _xor(right, _mix(key, number, left)), left
    return left + right


@lru_cache(maxsize=65_536)
def open_mark(master: bytes, account: str, mark: str) -> str:
    """What two accounts' marks are compared by. One that nobody sealed equals its own account's only."""
    plain = unseal(build_mark_key(master, account), mark)
    return plain.hex() if plain is not None else f"{account} {mark}"


def _mix(key: bytes, number: int, half: bytes) -> bytes:
    return hmac.digest(key, bytes([number]) + half, hashlib.sha256)[:_HALF]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
