"""A fixed set of fault histories; `make simulate` runs a hundred thousand."""

from __future__ import annotations

import json

import pytest

from tests.simulation.__main__ import SEEDS
from tests.simulation.coverage import Coverage
from tests.simulation.history import run
from tests.simulation.plan import build_plan
from tests.simulation.safeguards import SWITCHED_OFF, Safeguards
from tests.simulation.shrink import shrink

HISTORIES, BATCH, SEARCHED_ANEW = 300, 30, 600
FOUND = (2077, 7815, 8995, 11573, 600745, 602373, 700066, 810519, 12013)
"""Histories in which something was found by `make simulate` once."""
STORED = json.loads(SEEDS.read_text())


@pytest.mark.parametrize("first", range(0, HISTORIES, BATCH))
def test_nothing_is_violated_whatever_happens(first: int) -> None:
    for seed in range(first, first + BATCH):
        verdict = run(build_plan(seed))
        assert not verdict.invariant, f"seed {seed}: {verdict.invariant}: {verdict.detail}"


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_once_is_not_violated_again(seed: int) -> None:
    verdict = run(build_plan(seed))
    assert not verdict.invariant, f"{verdict.invariant}: {verdict.detail}"


@pytest.mark.parametrize("name", sorted(STORED))
def test_a_safeguard_that_is_switched_off_is_missed(name: str) -> None:
    """By its stored seed; where a change of the core has led that history elsewhere, by another one."""
    seeds = (STORED[name]["seed"], *range(SEARCHED_ANEW))
    assert any(run(build_plan(seed), SWITCHED_OFF[name]()).is_missed for seed in seeds)


def test_a_history_is_the_same_every_time() -> None:
    first, second = run(build_plan(7), trace=True), run(build_plan(7), trace=True)
    assert first.trace == second.trace
    assert len(first.trace) > 100


def test_a_violating_plan_is_shrunk_and_still_violates() -> None:
    name = "hold-before-void"
    plan = build_plan(STORED[name]["seed"])
    small = shrink(plan, STORED[name]["invariant"], SWITCHED_OFF[name], tries=60)
    assert run(small, SWITCHED_OFF[name]()).invariant == STORED[name]["invariant"]
    assert len(small.faults) + len(small.wishes) < len(plan.faults) + len(plan.wishes)
    assert not run(small, Safeguards()).invariant


def test_the_histories_are_made_of_what_matters() -> None:
    coverage = Coverage()
    for seed in range(60):
        coverage.add(run(build_plan(seed)).coverage)
    assert list(coverage.shortfalls()) == []
