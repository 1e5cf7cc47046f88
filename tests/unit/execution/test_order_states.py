"""Every change of an order's state, legal or not: FIX's, and those of an order of unknown fate."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest

from smarttrade.exchange.reports import OrderKind, VenueStatus
from smarttrade.execution.errors import IllegalTransitionError
from smarttrade.execution.orders import Order, OrderState, Purpose, state_from_venue
from smarttrade.messages import Side

S = OrderState
_ANY_END = {S.FILLED, S.CANCELED, S.REJECTED, S.EXPIRED}
LEGAL: dict[OrderState, set[OrderState]] = {
    S.PENDING_NEW: {S.NEW, S.PARTIALLY_FILLED, S.PENDING_CANCEL, S.UNKNOWN, S.VOID} | _ANY_END,
    S.UNKNOWN: {S.NEW, S.PARTIALLY_FILLED, S.PENDING_CANCEL, S.VOID} | _ANY_END,
    S.NEW: {S.PARTIALLY_FILLED, S.PENDING_CANCEL} | _ANY_END,
    S.PARTIALLY_FILLED: {S.PENDING_CANCEL, S.FILLED, S.CANCELED, S.EXPIRED},
    # A cancel that is refused leaves the order as it was; a fill may overtake it.
    S.PENDING_CANCEL: {S.NEW, S.PARTIALLY_FILLED, S.FILLED, S.CANCELED, S.EXPIRED},
    # An exchange may tell of the last fill after the end.
    S.CANCELED: {S.FILLED},
    S.EXPIRED: {S.FILLED},
    # What was held to have never arrived may show after all.
    S.VOID: {S.NEW, S.PARTIALLY_FILLED, S.PENDING_CANCEL} | _ANY_END,
    S.REJECTED: set(),
    S.FILLED: set(),
}


def build(state: OrderState, filled: str = "0") -> Order:
    return Order(
        cid="c",
        market="BTC/USDT",
        side=Side.BUY,
        kind=OrderKind.LIMIT,
        price=Decimal(1),
        quantity=Decimal(2),
        purpose=Purpose.TARGET,
        decision_id="d",
        leg=1,
        attempt=1,
        deadline_ms=0,
        window_ms=800,
        state=state,
        filled=Decimal(filled),
    )


def test_the_table_names_every_state() -> None:
    assert LEGAL.keys() == set(OrderState)


@pytest.mark.parametrize(("before", "after"), list(product(OrderState, OrderState)))
def test_an_order_moves_as_the_table_allows_and_in_no_other_way(
    before: OrderState, after: OrderState
) -> None:
    order = build(before)
    if after is before or after in LEGAL[before]:
        order.move(after)
        assert order.state is after
        return
    with pytest.raises(IllegalTransitionError, match=f"order c: {before} cannot become {after}"):
        order.move(after)
    assert order.state is before


@pytest.mark.parametrize(
    ("before", "status", "filled"), list(product(OrderState, VenueStatus, ("0", "1", "2")))
)
def test_whatever_the_exchange_reports_of_an_order_is_a_legal_move_or_none(
    before: OrderState, status: VenueStatus, filled: str
) -> None:
    order = build(before, "1")
    state = state_from_venue(order, status, Decimal(filled))
    assert state is None or state is before or state in LEGAL[before]
