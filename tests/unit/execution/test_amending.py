"""A resting order that is only too large is lowered where it stands, where the exchange can do that."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from smarttrade.exchange.reports import OrderReport, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.context import Tuning
from smarttrade.execution.snapshot import decode_snapshot, encode_snapshot
from smarttrade.messages import Outcome, Side
from tests.unit.execution.desk import BTC, Desk

BID = ("bid", Side.BUY, "99", "1")


@pytest.fixture
def desk() -> Desk:
    return Desk().lead()


def resting(desk: Desk) -> str:
    """An order that has rested for long enough."""
    desk.rest(BID)
    [send] = desk.sends()
    desk.accept(send.cid)
    desk.advance(1_000)
    return send.cid


def smaller(desk: Desk, quantity: str = "0.4") -> str:
    return desk.rest(("bid", Side.BUY, "99", quantity))


def lowered(desk: Desk, cid: str, quantity: str, filled: str = "0") -> OrderReport:
    return msgspec.structs.replace(desk.report(cid, filled=filled), quantity=Decimal(quantity))


def test_a_smaller_order_at_the_same_price_keeps_its_place_and_its_id(desk: Desk) -> None:
    cid = resting(desk)
    decision = smaller(desk)
    [amend] = desk.take(fx.Amend)
    assert (amend.cid, amend.order_id, amend.quantity) == (cid, f"o-{cid}", Decimal("0.4"))
    assert decision not in desk.outcomes()
    desk.feed(fx.OrderSeen(report=lowered(desk, cid, "0.4")))
    assert desk.order(cid).quantity == Decimal("0.4")
    assert desk.outcomes()[decision] == (Outcome.REACHED, "")
    desk.advance(2_000)
    assert desk.take(fx.Cancel) == []
    assert desk.sends() == []


def test_the_old_quantity_counts_until_the_exchange_tells_of_the_new_one(desk: Desk) -> None:
    cid = resting(desk)
    smaller(desk)
    assert desk.core.accounting.exposure().of(BTC).long == 1
    desk.feed(fx.OrderSeen(report=lowered(desk, cid, "0.4")))
    assert desk.core.accounting.exposure().of(BTC).long == Decimal("0.4")


def test_a_late_report_does_not_raise_the_quantity_again(desk: Desk) -> None:
    cid = resting(desk)
    late = desk.report(cid, filled="0.1")
    smaller(desk)
    desk.feed(fx.OrderSeen(report=lowered(desk, cid, "0.4")))
    desk.feed(fx.OrderSeen(report=late))
    assert desk.order(cid).quantity == Decimal("0.4")
    assert desk.position() == Decimal("0.1")


def test_what_has_filled_is_part_of_the_new_quantity(desk: Desk) -> None:
    cid = resting(desk)
    desk.feed(fx.OrderSeen(report=desk.report(cid, filled="0.3")))
    smaller(desk)
    [amend] = desk.take(fx.Amend)
    assert amend.quantity == Decimal("0.4")
    desk.feed(fx.OrderSeen(report=lowered(desk, cid, "0.4", "0.3")))
    assert desk.core.accounting.exposure().of(BTC).long == Decimal("0.4")
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.FILLED, "0.4")))
    assert desk.order(cid).settled
    assert desk.position() == Decimal("0.4")


def test_an_order_is_not_amended_before_it_has_rested_its_minimum(desk: Desk) -> None:
    desk.rest(BID)
    [send] = desk.sends()
    desk.accept(send.cid)
    smaller(desk)
    assert desk.take(fx.Amend) == []
    desk.advance(600)
    assert len(desk.take(fx.Amend)) == 1


@pytest.mark.parametrize("answered", [True, False])
def test_what_is_not_amended_is_cancelled_and_placed_anew(desk: Desk, answered: bool) -> None:
    cid = resting(desk)
    smaller(desk)
    assert len(desk.take(fx.Amend)) == 1
    if answered:
        desk.feed(fx.AmendFailed(cid=cid, reason="order amend is not supported"))
    desk.advance(2_100)
    assert {cancel.cid for cancel in desk.take(fx.Cancel)} == {cid}
    assert desk.take(fx.Amend) == []
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED)))
    desk.advance(300)
    [send] = desk.sends()
    assert send.quantity == Decimal("0.4")


@pytest.mark.parametrize(
    "wanted",
    [
        ("bid", Side.BUY, "99", "1.5"),
        ("bid", Side.BUY, "98", "0.4"),
        ("bid", Side.BUY, "99", "0.00001"),
        ("bid", Side.SELL, "101", "0.4"),
    ],
)
def test_what_is_wrong_in_another_way_is_replaced(desk: Desk, wanted: tuple[str, Side, str, str]) -> None:
    cid = resting(desk)
    desk.rest(wanted)
    assert desk.take(fx.Amend) == []
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]


def test_where_the_exchange_cannot_amend_the_order_is_replaced() -> None:
    desk = Desk(tuning=Tuning(replicas=2, amends=False)).lead()
    cid = resting(desk)
    smaller(desk)
    assert desk.take(fx.Amend) == []
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]


def test_an_order_may_be_lowered_again(desk: Desk) -> None:
    cid = resting(desk)
    smaller(desk)
    desk.take(fx.Amend)
    desk.feed(fx.OrderSeen(report=lowered(desk, cid, "0.4")))
    smaller(desk, "0.2")
    [amend] = desk.take(fx.Amend)
    assert amend.quantity == Decimal("0.2")


def test_a_new_leader_learns_of_an_amendment_whose_answer_the_last_one_did_not_live_to_see(
    desk: Desk,
) -> None:
    cid = resting(desk)
    smaller(desk)
    new = Desk("b", log=desk.log)
    new.now_ms = desk.now_ms + 2_000
    new.replay()
    new.lead()
    assert new.order(cid).quantity == 1
    new.reconcile(lowered(new, cid, "0.4"))
    assert new.order(cid).quantity == Decimal("0.4")
    assert new.take(fx.Cancel) == []
    restored = decode_snapshot(encode_snapshot(new.core.ctx.book.snapshot(1)))
    assert [order.quantity for order in restored.orders] == [Decimal("0.4")]


def test_a_report_of_another_quantity_changes_no_other_order(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.feed(fx.SendSucceeded(cid=send.cid, report=lowered(desk, send.cid, "0.4")))
    assert desk.order(send.cid).quantity == 1
