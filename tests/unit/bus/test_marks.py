"""Marks of exchange accounts: one key for each account, and the operator can compare them all the same."""

from __future__ import annotations

import os

import pytest

from smarttrade.bus.accounts import build_accounts
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.marks import open_mark, seal, unseal
from smarttrade.identity import AccountIdentity

ALICE, BOB = (AccountIdentity("tests", name, name) for name in ("alice", "bob"))


def test_what_is_sealed_comes_back() -> None:
    for _ in range(100):
        key, plain = os.urandom(32), os.urandom(16)
        assert unseal(key, seal(key, plain)) == plain


def test_a_leaked_secret_opens_the_marks_of_its_own_account_only() -> None:
    keys = OperatorKeys.generate()
    leaked, other = (bytes.fromhex(build_accounts(keys, each).mark_key) for each in (ALICE, BOB))
    mark = seal(other, b"binance 00004711")
    assert leaked != other
    assert unseal(other, mark) == b"binance 00004711"
    assert unseal(leaked, mark) != b"binance 00004711"


@pytest.mark.parametrize("mark", ["", "zz", "ab", "0" * 64, "ümlaut"])
def test_what_nobody_sealed_equals_nothing_of_another_account(mark: str) -> None:
    assert open_mark(b"m", ALICE.key, mark) != open_mark(b"m", BOB.key, mark)
