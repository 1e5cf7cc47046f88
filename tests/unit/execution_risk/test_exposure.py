from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from smarttrade.execution.exposure import WorkingOrder, build_exposure
from smarttrade.messages import Side
from tests.unit.execution_risk.building import BTC, ETH, order

D = Decimal


def test_sides_are_bounded_apart_and_never_netted() -> None:
    exposure = build_exposure({}, [order(Side.BUY, "8"), order(Side.SELL, "8")]).of(BTC)
    assert (exposure.long, exposure.short, exposure.worst) == (8, -8, 8)


def test_an_oco_counts_once_as_its_greater_leg() -> None:
    legs = [order(Side.SELL, "3", group="g"), order(Side.SELL, "5", group="g"), order(Side.SELL, "1")]
    assert build_exposure({BTC: D(10)}, legs).of(BTC).short == 4


def test_two_groups_count_both() -> None:
    legs = [order(Side.SELL, "3", group="g"), order(Side.SELL, "5", group="h")]
    assert build_exposure({BTC: D(10)}, legs).of(BTC).short == 2


def test_the_total_adds_markets_at_their_marks() -> None:
    exposure = build_exposure({BTC: D(1)}, [order(Side.BUY, "2", market=ETH)])
    assert exposure.notional({BTC: D(100), ETH: D(10)}) == 120
    assert exposure.open_markets == (BTC, ETH)


def test_a_flat_market_with_nothing_out_is_not_open() -> None:
    assert build_exposure({BTC: D(0)}, []).open_markets == ()


def test_what_is_not_committed_may_be_sold() -> None:
    exposure = build_exposure({BTC: D(10)}, [order(Side.SELL, "4"), order(Side.BUY, "3")]).of(BTC)
    assert exposure.reducible(Side.SELL) == 6
    assert exposure.reduces(Side.SELL, D(6))
    assert exposure.crosses_zero(Side.SELL, D("6.00000001"))
    assert not exposure.crosses_zero(Side.BUY, D(100))


def test_a_buy_reduces_a_short_only_as_far_as_other_buys_leave() -> None:
    exposure = build_exposure({BTC: D(-10)}, [order(Side.BUY, "4")]).of(BTC)
    assert exposure.reducible(Side.BUY) == 6
    assert exposure.crosses_zero(Side.BUY, D(7))


quantities = st.integers(1, 20).map(Decimal)
orders = st.builds(
    lambda side, remaining, group: order(side, str(remaining), group=group),
    st.sampled_from(list(Side)),
    quantities,
    st.sampled_from(["", "", "a", "b"]),
)


@given(st.integers(0, 50), st.lists(orders, max_size=8), st.data())
def test_no_outcome_leaves_the_bounds(
    position: int, working: list[WorkingOrder], data: st.DataObject
) -> None:
    """Whatever part of every order fills, in an OCO only one leg of a side, the position stays within."""
    exposure = build_exposure({BTC: D(position)}, working).of(BTC)
    filled, legs = D(position), set()
    for each in data.draw(st.permutations(working)):
        key = (each.group, each.side)
        if each.group and key in legs:
            continue
        legs.add(key)
        part = data.draw(st.integers(0, int(each.remaining)))
        filled += part if each.side is Side.BUY else -part
    assert exposure.short <= filled <= exposure.long
    assert abs(filled) <= exposure.worst
