from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from smarttrade.api import State
from smarttrade.sweep.judge import Verdict, judge
from smarttrade.sweep.ranges import Axis
from smarttrade.sweep.unit import Outcome

AXES = [Axis("n", tuple(range(100)))]


def metrics(score: float | None, trades: int = 50) -> dict[str, float | int | None]:
    return {"sharpe": score, "trades": trades, "max_drawdown": 0.1}


def verdict(
    scores: Sequence[Sequence[tuple[float | None, float | None]]],
    trades: int = 50,
    state: State = State.ACTIVE,
) -> Verdict:
    """`scores[candidate][fold]` is (in sample, out of sample)."""
    outcomes = [
        Outcome({"n": number + 5}, fold, metrics(inside, trades), metrics(outside, trades))
        for number, folds in enumerate(scores)
        for fold, (inside, outside) in enumerate(folds)
    ]
    random.Random(1).shuffle(outcomes)
    return judge(outcomes, "sharpe", len(scores[0]), AXES, state)


def test_the_best_in_sample_comes_first_whatever_came_out_of_sample() -> None:
    told = verdict([[(1.0, 9.0)], [(3.0, 1.6)], [(2.0, 5.0)]])
    assert [row.candidate["n"] for row in told.rows] == [6, 7, 5]
    assert told.choices[0].out_of_sample == 1.6
    assert told.kept == pytest.approx(1.6 / 3)
    assert told.warnings == []


def test_each_fold_chooses_for_itself() -> None:
    told = verdict([[(1.0, 0.8), (4.0, 3.0)], [(2.0, 1.0), (1.0, 9.0)]])
    assert [choice.row.candidate["n"] for choice in told.choices] == [6, 5]
    assert told.kept == pytest.approx((1.0 + 3.0) / (2.0 + 4.0))


def test_results_that_part_are_warned_of() -> None:
    told = verdict([[(3.0, 0.4)], [(1.0, 0.2)]])
    assert any("kept 13% of its in-sample score" in warning for warning in told.warnings)


def test_a_gain_that_became_a_loss_is_warned_of() -> None:
    told = verdict([[(3.0, -0.4)], [(1.0, 0.2)]])
    assert any("turned its in-sample gain to a loss" in warning for warning in told.warnings)


def test_a_ranking_that_turns_over_is_warned_of() -> None:
    told = verdict([[(float(n), float(10 - n) + 20)] for n in range(10)])
    assert told.related == pytest.approx(-1)
    assert any("rank correlation -1.00" in warning for warning in told.warnings)


def test_rank_correlation_is_spearmans() -> None:
    draw = random.Random(4)
    inside = [draw.gauss(0, 1) for _ in range(40)]
    outside = [value + draw.gauss(0, 1) for value in inside]
    told = verdict([[pair] for pair in zip(inside, outside, strict=True)])
    ranks = [sorted(side).index for side in (inside, outside)]
    squares = sum((ranks[0](a) - ranks[1](b)) ** 2 for a, b in zip(inside, outside, strict=True))
    assert told.related == pytest.approx(1 - 6 * squares / (40 * (40**2 - 1)))


def test_few_trades_are_warned_of() -> None:
    assert any("only 7 trades" in warning for warning in verdict([[(2.0, 2.0)]], trades=7).warnings)


def test_an_account_that_opens_nothing_is_named_as_the_reason() -> None:
    [warning] = verdict([[(None, None)]], trades=0, state=State.PAUSED).warnings
    assert "spec.state is Paused" in warning


def test_the_edge_of_a_range_is_warned_of() -> None:
    edge = [Outcome({"n": 99}, 0, metrics(2.0), metrics(2.0))]
    assert judge(edge, "sharpe", 1, AXES).warnings == [
        "the best n (99) is at the edge of its range: widen the range"
    ]


def test_a_candidate_without_a_score_is_last_and_one_without_all_folds_is_left_out() -> None:
    told = verdict([[(None, None)], [(-5.0, -5.0)]])
    assert [row.candidate["n"] for row in told.rows] == [6, 5]
    half = [Outcome({"n": 5}, 0, metrics(1.0), metrics(1.0))]
    assert judge(half, "sharpe", 2, AXES).warnings == [
        "no candidate ran on all folds: there is nothing to judge yet"
    ]
