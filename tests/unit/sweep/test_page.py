from __future__ import annotations

import re
from decimal import Decimal

from smarttrade.backtest.options import Assumptions
from smarttrade.evaluation.loading import SOURCE_DIRECTORY
from smarttrade.sweep.judge import judge
from smarttrade.sweep.page import build_page
from smarttrade.sweep.ranges import Axis
from smarttrade.sweep.splits import build_folds
from smarttrade.sweep.unit import Outcome, Work
from smarttrade.timeframe import Timeframe
from tests.unit.backtest.recordings import MINUTE_MS, START_MS, account, history, random_walk
from tests.unit.backtest.test_report import Outline

AXES = [Axis("fast", (2, 3, 4)), Axis("slow", (8, 9))]
FOLDS = build_folds(START_MS, START_MS + 100 * MINUTE_MS, 1, Decimal("0.5"), Timeframe.M1)


def metrics(score: float | None) -> dict[str, float | int | None]:
    return {"sharpe": score, "trades": 40, "max_drawdown": 0.1, "return": 0.02}


def page(*scores: tuple[int, int, float | None, float | None], kind: str = "ema") -> str:
    outcomes = [
        Outcome({"fast": fast, "slow": slow}, 0, metrics(inside), metrics(outside))
        for fast, slow, inside, outside in scores
    ]
    work = Work(
        account(parameters={"kind": kind}),
        history(random_walk(100)),
        Assumptions(),
        tuple(FOLDS),
        SOURCE_DIRECTORY,
    )
    return build_page(judge(outcomes, "sharpe", 1, AXES), work, AXES, "sharpe")


FOUR = ((2, 8, 1.5, 0.2), (3, 8, 1.0, 0.9), (3, 9, -0.5, -0.7), (4, 9, 0.3, None))


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere() -> None:
    made = page(*FOUR)
    outline = Outline(made)
    assert outline.open == []
    assert not {"src", "href"} & {name for _, attributes in outline.tags for name in attributes}
    assert not re.search(r"url\(|@import|https?:|fetch\(", made)
    assert "kept 13% of its in-sample score" in outline.text


def test_a_dot_is_a_candidate_with_both_scores_and_the_chosen_one_is_marked() -> None:
    made = page(*FOUR)
    assert made.count('class="dot"') + made.count('class="dot chosen"') == 3
    (chosen,) = re.findall(r'<circle class="dot chosen"[^>]*><title>([^<]*)', made)
    assert chosen == "fast=2 slow=8: 1.50 in, 0.20 out"


def test_the_heat_maps_have_a_cell_for_each_pair_and_leave_empty_what_was_not_run() -> None:
    maps = re.findall(r'<table class="heat">.*?</table>', page(*FOUR), re.S)
    assert len(maps) == 2
    assert [len(re.findall("<td", each)) for each in maps] == [6, 6]
    assert [len(re.findall('class="none"', each)) for each in maps] == [2, 3]
    assert "1.50" in maps[0]
    assert "0.20" in maps[1]


def test_a_sweep_without_any_score_has_a_page_too() -> None:
    made = page((2, 8, None, None))
    assert "No candidate has a score in both samples." in made
    assert Outline(made).open == []
