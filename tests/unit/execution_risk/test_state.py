from __future__ import annotations

from itertools import permutations

import pytest

from smarttrade.execution.state import (
    TABLE,
    Demand,
    Permissions,
    Protection,
    Reducing,
    Source,
    build_demands,
    effective_state,
)
from smarttrade.messages import EffectiveState
from tests.unit.execution_risk.building import BTC, ETH

S = EffectiveState


def test_the_table_says_what_every_state_means() -> None:
    assert dict(TABLE) == {
        S.ACTIVE: Permissions(True, Reducing.DECISIONS, True, Protection.KEPT),
        S.REDUCE_ONLY: Permissions(False, Reducing.DECISIONS, False, Protection.KEPT),
        S.PAUSED: Permissions(False, Reducing.NOTHING, False, Protection.KEPT),
        S.FLATTEN: Permissions(False, Reducing.EXIT, False, Protection.REPLACED),
        S.HALTED: Permissions(False, Reducing.NOTHING, False, Protection.CANCELLED),
    }


def test_a_position_is_unprotected_only_where_protection_is_cancelled() -> None:
    assert [state for state, row in TABLE.items() if row.unprotected] == [S.HALTED]


def test_the_most_closed_demand_holds_in_whatever_order_they_come() -> None:
    demands = [
        Demand(S.REDUCE_ONLY, Source.BREACH),
        Demand(S.PAUSED, Source.SPEC),
        Demand(S.ACTIVE, Source.SPEC),
    ]
    for order in permutations(demands):
        assert effective_state(order).state is S.PAUSED


@pytest.mark.parametrize("wanted", list(S))
def test_the_kill_switch_halts_whatever_the_user_wants(wanted: EffectiveState) -> None:
    effective = effective_state(build_demands(wanted, kill=True))
    assert effective.state is S.HALTED


def test_a_breach_restricts_until_it_is_acknowledged_and_says_which() -> None:
    effective = effective_state(build_demands(S.ACTIVE, breach=(S.REDUCE_ONLY, "DailyLoss-1")))
    assert (effective.state, effective.source) == (S.REDUCE_ONLY, Source.BREACH)
    assert "DailyLoss-1 is not acknowledged" in effective.explanation


def test_a_suspended_market_restricts_itself_only() -> None:
    demands = build_demands(S.ACTIVE, venue=[(BTC, S.REDUCE_ONLY, "BTC/USDT is suspended")])
    assert effective_state(demands, BTC).state is S.REDUCE_ONLY
    assert effective_state(demands, ETH).state is S.ACTIVE
    assert effective_state(demands).state is S.ACTIVE


def test_without_demands_the_account_is_active() -> None:
    assert effective_state([]).state is S.ACTIVE
