"""Two accounts on one exchange account: who showed a mark first keeps it, and the other is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from smarttrade.bus.marks import build_mark_key, open_mark, seal
from smarttrade.identity import AccountIdentity
from smarttrade_operator.names import Key
from smarttrade_operator.sharing import Claim, Verdict, build_claims, judge_sharing, read_claims, write_claims

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ALICE, ANN, BOB = Key("alice", "alice"), Key("alice", "ann"), Key("bob", "bob")


def claims(*marks: str, at: datetime = NOON) -> tuple[Claim, ...]:
    return build_claims((), marks, at)


def _judge(own: Key, shown: tuple[Claim, ...], others: list[tuple[Key, tuple[Claim, ...]]]) -> Verdict:
    return judge_sharing(own, shown, others, lambda key, mark: mark)


def test_an_account_alone_is_cleared() -> None:
    own = claims("key", "account")
    verdict = _judge(ALICE, own, [(ALICE, own), (BOB, claims("other"))])
    assert (verdict.cleared, verdict.shared) == (("key", "account"), "")


def test_the_one_that_came_later_is_not_cleared_and_the_first_stays() -> None:
    first, second = claims("key", "account"), claims("other", "account", at=NOON + timedelta(seconds=1))
    assert _judge(BOB, first, [(ALICE, second)]).shared == ""
    verdict = _judge(ALICE, second, [(BOB, first)])
    assert verdict.cleared == ("other",)
    assert verdict.shared


def test_names_of_another_namespace_are_not_told() -> None:
    first, second = claims("account"), claims("account", at=NOON + timedelta(seconds=1))
    assert _judge(ALICE, second, [(ANN, first)]).shared == "TradingAccount alice/ann"
    assert "bob" not in _judge(ALICE, second, [(BOB, first)]).shared


def test_of_two_at_one_instant_exactly_one_is_cleared() -> None:
    mark = claims("account")
    both = [(ALICE, mark), (BOB, mark)]
    cleared = [bool(_judge(key, mark, both).cleared) for key in (ALICE, BOB)]
    assert sorted(cleared) == [False, True]


def test_a_mark_keeps_the_time_at_which_it_was_first_shown() -> None:
    first = claims("key")
    later = build_claims(first, ("key", "account"), NOON + timedelta(hours=1))
    assert later[0] == first[0]
    assert later[1].since > first[0].since


def test_a_mark_that_is_not_shown_any_more_is_given_up_but_silence_gives_up_nothing() -> None:
    first = claims("old", "account")
    assert build_claims(first, (), NOON) == first
    assert [claim.mark for claim in build_claims(first, ("new", "account"), NOON)] == ["new", "account"]


def test_claims_are_kept_in_the_status() -> None:
    own = claims("key", "account")
    assert read_claims({"status": {"exchangeMarks": write_claims(own)}}) == own
    assert read_claims({}) == ()


def test_accounts_that_seal_the_same_under_their_own_keys_are_found_out() -> None:
    identity = {key: AccountIdentity("tests", *key) for key in (ALICE, BOB)}
    keys = {key: build_mark_key(b"master", identity[key].key) for key in identity}
    sealed = {key: seal(keys[key], b"exchange account") for key in identity}
    assert sealed[ALICE] != sealed[BOB]
    first, second = claims(sealed[ALICE]), claims(sealed[BOB], at=NOON + timedelta(seconds=1))

    def read(key: Key, mark: str) -> str:
        return open_mark(b"master", identity[key].key, mark)

    assert judge_sharing(BOB, second, [(ALICE, first)], read).shared
    assert not judge_sharing(BOB, second, [(ALICE, second)], read).shared, "a copied mark means nothing"
