from __future__ import annotations

from decimal import Decimal

from smarttrade.sweep.ranges import Axis, Candidate
from smarttrade.sweep.search import OptunaSearch

AXES = [
    Axis("period", (), Decimal(1), Decimal(200)),
    Axis("share", (), Decimal("0.1"), Decimal("0.9"), whole=False),
    Axis("kind", ("ema", "sma")),
]


def possible(candidate: Candidate) -> bool:
    return candidate["period"] != 3


def run(seed: int, trials: int = 60) -> list[Candidate]:
    """Maximise a hill at period 40, share 0.5, sma."""
    search, tried = OptunaSearch(AXES, trials, seed, possible), []
    for batch in search.batches():
        tried += batch
        search.tell([score(each) for each in batch])
    return tried


def score(candidate: Candidate) -> float:
    period, share = float(candidate["period"]), float(candidate["share"])
    return -abs(period - 40) / 40 - abs(share - 0.5) + (candidate["kind"] == "sma")


def test_the_same_seed_proposes_the_same_and_another_one_does_not() -> None:
    assert run(7) == run(7)
    assert run(7) != run(8)


def test_proposals_are_within_the_ranges_and_as_the_object_carries_them() -> None:
    tried = run(1)
    assert 50 <= len(tried) <= 60
    for each in tried:
        assert isinstance(each["period"], int)
        assert 1 <= each["period"] <= 200
        assert isinstance(each["share"], str)
        assert Decimal("0.1") <= Decimal(each["share"]) <= Decimal("0.9")
        assert each["kind"] in ("ema", "sma")
        assert possible(each)


def test_what_was_told_is_learned_from() -> None:
    tried = run(2, 80)
    early, late = tried[:20], tried[-20:]
    assert sum(map(score, late)) > sum(map(score, early))
