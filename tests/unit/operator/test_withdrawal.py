"""Which passwords for the egress gateways are in the list of withdrawn ones."""

from __future__ import annotations

from smarttrade.bus.accounts import LIFETIME_S
from smarttrade_operator.withdrawal import MOST, merge

NOW_S = 1_800_000_000


def test_what_was_withdrawn_stays_until_no_such_password_could_be_valid() -> None:
    known = {"a.gone": NOW_S - LIFETIME_S + 1, "b.over": NOW_S - LIFETIME_S}
    assert merge(known, {"c.new": NOW_S - 5}, NOW_S) == {"a.gone": NOW_S - LIFETIME_S + 1, "c.new": NOW_S - 5}


def test_an_account_that_was_made_anew_is_let_in_with_its_new_password() -> None:
    assert merge({"a.a": NOW_S - 5}, {"a.a": 0}, NOW_S) == {}
    assert merge({"a.a": NOW_S - 9}, {"a.a": NOW_S - 5}, NOW_S) == {"a.a": NOW_S - 5}


def test_accounts_that_were_made_only_to_be_deleted_push_nobody_out() -> None:
    known = {f"mallory.m-{number}": NOW_S - number for number in range(2 * MOST)}
    present = {"alice.alice": NOW_S - LIFETIME_S // 2}
    merged = merge(known, present, NOW_S)
    assert len(merged) == MOST
    assert merged["alice.alice"] == present["alice.alice"]
    assert "mallory.m-0" in merged
