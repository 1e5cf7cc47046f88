"""What each state of the account does, within one control change."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from smarttrade.exchange.reports import OrderKind, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.context import Tuning
from smarttrade.execution.orders import OrderState
from smarttrade.messages import Check, EffectiveState, OrderStyle, Outcome, Side
from tests.unit.execution.desk import BTC, ETH, Desk


@pytest.fixture
def desk() -> Desk:
    return Desk().lead()


def hold(desk: Desk, quantity: str, market: str = BTC) -> None:
    desk.decide(quantity, market)
    [send] = desk.sends()
    desk.fill(send.cid)
    assert desk.position(market) == Decimal(quantity)


def rest_bid(desk: Desk, market: str = BTC) -> str:
    desk.decide("1", market, style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    assert send.kind is OrderKind.POST_ONLY
    desk.accept(send.cid)
    return send.cid


@pytest.mark.parametrize("state", ["Paused", "ReduceOnly", "Flatten", "Halted"])
def test_an_own_entry_is_cancelled_at_once_in_every_state_but_active(desk: Desk, state: str) -> None:
    cid = rest_bid(desk)
    desk.control(state=state)
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]


@pytest.mark.parametrize("state", ["Paused", "ReduceOnly", "Flatten", "Halted"])
def test_no_state_but_active_lets_a_decision_open(desk: Desk, state: str) -> None:
    desk.control(state=state)
    decision = desk.decide("1")
    assert desk.sends() == []
    outcome, code = desk.outcomes()[decision]
    assert outcome is Outcome.DENIED or (state == "Flatten" and outcome is Outcome.SUPERSEDED)
    assert code == f"State{state}" or state == "Flatten"


def test_reduce_only_lets_a_decision_reduce(desk: Desk) -> None:
    hold(desk, "2")
    desk.control(state="ReduceOnly")
    desk.decide("1")
    [send] = desk.sends()
    assert (send.side, send.quantity) == (Side.SELL, Decimal(1))


@pytest.mark.parametrize("state", ["Paused", "Halted"])
def test_paused_and_halted_let_nothing_reduce(desk: Desk, state: str) -> None:
    hold(desk, "2")
    desk.control(state=state)
    decision = desk.decide("1")
    assert desk.sends() == []
    assert desk.outcomes()[decision] == (Outcome.DENIED, f"State{state}")


def test_flatten_sells_every_position_within_the_collar_and_stays_flat(desk: Desk) -> None:
    hold(desk, "2", BTC)
    hold(desk, "3", ETH)
    desk.control(state="Flatten")
    sends = desk.sends()
    assert {send.market: send.quantity for send in sends} == {BTC: Decimal(2), ETH: Decimal(3)}
    assert {send.market: send.price for send in sends}[BTC] == Decimal("98.01")
    for send in sends:
        desk.fill(send.cid)
    desk.advance(3_000)
    assert (desk.position(BTC), desk.position(ETH)) == (0, 0)
    assert desk.sends() == []


def test_flatten_goes_on_until_all_is_sold(desk: Desk) -> None:
    hold(desk, "2")
    desk.control(state="Flatten")
    filled = 0
    for _ in range(400):
        for send in desk.sends():
            filled += 1
            desk.fill(send.cid, "0.2" if filled < 8 else None)
        desk.advance(100)
    assert desk.position() == 0
    assert filled == 8


def test_flatten_waits_for_an_order_of_unknown_fate(desk: Desk) -> None:
    hold(desk, "2")
    desk.decide("0.5")
    [sell] = desk.sends()
    desk.uncertain(sell.cid)
    desk.control(state="Flatten")
    assert desk.sends() == []
    desk.advance(200)
    desk.answer_queries(desk.report(sell.cid, VenueStatus.FILLED, "1.5"))
    [rest] = desk.sends()
    assert rest.quantity == Decimal("0.5")


def test_the_kill_switch_halts_whatever_the_object_says(desk: Desk) -> None:
    cid = rest_bid(desk)
    desk.control(kill=True)
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]
    assert desk.report_now().effective_state is EffectiveState.HALTED


def test_cancels_do_not_wait_for_the_log(desk: Desk) -> None:
    cid = rest_bid(desk)
    desk.auto_ack = False
    desk.decide("1", ETH)
    desk.control(state="Halted")
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]


def test_a_cancel_is_repeated_until_the_order_has_ended(desk: Desk) -> None:
    cid = rest_bid(desk)
    desk.control(state="Halted")
    desk.take(fx.Cancel)
    desk.feed(fx.CancelFailed(cid=cid, gone=False, reason="timeout"))
    desk.advance(300)
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED)))
    desk.advance(3_000)
    assert desk.take(fx.Cancel) == []


def test_a_cancel_that_found_nothing_asks_what_became_of_the_order(desk: Desk) -> None:
    cid = rest_bid(desk)
    desk.control(state="Halted")
    desk.feed(fx.CancelFailed(cid=cid, gone=True, reason="unknown order"))
    assert desk.answer_queries(desk.report(cid, VenueStatus.FILLED, "1")) == 1
    assert desk.position() == 1


@pytest.mark.parametrize(("policy", "sold"), [("CancelOrders", False), ("Flatten", True), ("Retain", False)])
def test_deletion_does_what_its_policy_says_and_then_reports_settled(
    desk: Desk, policy: str, sold: bool
) -> None:
    hold(desk, "2", ETH)
    cid = rest_bid(desk, BTC)
    desk.control(deleting=True, deletionPolicy=policy)
    for cancel in desk.take(fx.Cancel):
        desk.feed(fx.OrderSeen(report=desk.report(cancel.cid, VenueStatus.CANCELED)))
    for send in desk.sends():
        desk.fill(send.cid)
    assert (desk.position(ETH) == 0) is sold
    report = desk.report_now()
    assert _check(report.checks, "Settled").ok
    assert desk.order(cid).ended is (policy != "Retain")


def test_settled_is_not_reported_while_an_order_is_open(desk: Desk) -> None:
    rest_bid(desk)
    desk.control(deleting=True, deletionPolicy="CancelOrders")
    assert not _check(desk.report_now().checks, "Settled").ok


def test_a_breach_closes_entries_until_its_id_is_acknowledged(desk: Desk) -> None:
    desk.control(risk={"maxDailyLoss": "10"})
    hold(desk, "2")
    desk.quote(BTC, "90", "90.02")
    desk.advance(1_100)
    report = desk.report_now()
    assert report.effective_state is EffectiveState.REDUCE_ONLY
    assert report.breach_reason == "DailyLoss"
    decision = desk.decide("3")
    assert desk.outcomes()[decision][0] is Outcome.DENIED
    desk.control(3, risk={"maxDailyLoss": "10"}, acknowledgedBreach=report.breach_id)
    desk.advance(1_100)
    assert desk.report_now().effective_state is EffectiveState.ACTIVE


def test_cut_off_from_the_bus_the_resting_entries_are_cancelled_after_the_time_declared(desk: Desk) -> None:
    cid = rest_bid(desk)
    desk.feed(fx.BusDisconnected())
    desk.core.ctx.lead.lease_until_ms = desk.now_ms
    for _ in range(95):
        desk.sleep(100)
        desk.feed(fx.Tick())
    assert desk.take(fx.Cancel) == []
    for _ in range(10):
        desk.sleep(100)
        desk.feed(fx.Tick())
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]


def _check(checks: list[Check], kind: str) -> Check:
    return next(check for check in checks if check.type == kind)


def test_halted_cancels_before_the_account_was_compared_and_whatever_the_lease() -> None:
    leader = Desk().lead()
    cid = rest_bid(leader)
    desk = Desk("b", log=leader.log)
    desk.replay()
    desk.control()
    desk.feed(fx.LeaseGained(until_ms=desk.now_ms + 700))
    desk.sleep(5_000)
    desk.control(3, state="Halted")
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]


def test_halted_cancels_an_order_of_unknown_fate_by_its_id_and_asks_on(desk: Desk) -> None:
    desk.decide("1", style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    desk.uncertain(send.cid)
    desk.control(state="Halted")
    desk.advance(950)
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [send.cid]
    desk.feed(fx.CancelFailed(cid=send.cid, gone=True, reason="no such order"))
    assert desk.order(send.cid).state is OrderState.UNKNOWN
    desk.advance(1_000)
    assert desk.take(fx.Cancel)


def test_halted_cancels_an_order_that_was_not_answered_yet_by_its_id(desk: Desk) -> None:
    desk.decide("1", style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    desk.control(state="Halted")
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [send.cid]
    assert desk.order(send.cid).state is OrderState.PENDING_NEW
    desk.feed(fx.CancelFailed(cid=send.cid, gone=True, reason="not there yet"))
    desk.accept(send.cid)
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [send.cid]


def test_what_the_log_has_after_the_halt_does_not_leave_any_more(desk: Desk) -> None:
    desk.auto_ack = False
    desk.decide("1", style=OrderStyle.PASSIVE)
    [append] = desk.take(fx.Append)
    desk.control(state="Halted")
    desk.log.append((append.after + 1, append.batch))
    desk.auto_ack = True
    desk.feed(fx.Appended(sequence=append.after + 1))
    assert desk.sends() == []
    [order] = desk.core.ctx.book.orders.values()
    assert (order.state, order.code) == (OrderState.VOID, "Withheld")


def test_the_kill_switch_stops_the_sale_of_an_account_that_is_deleted_with_flatten(desk: Desk) -> None:
    hold(desk, "1")
    desk.control(kill=True, deleting=True, deletionPolicy="Flatten")
    desk.advance(500)
    assert desk.sends() == []
    assert desk.core.accounting.state().state is EffectiveState.HALTED


# --- a market that the specification does not list any more ---


def without_bitcoin(desk: Desk, **more: Any) -> None:
    desk.control(markets=[{"symbol": ETH}], **more)


def test_a_market_taken_out_of_the_specification_stays_in_sight_while_it_holds_anything() -> None:
    desk = Desk().lead()
    desk.decide("1")
    [send] = desk.sends()
    desk.fill(send.cid)
    desk.take(fx.FollowMarkets)
    without_bitcoin(desk)
    [followed] = desk.take(fx.FollowMarkets)
    assert (followed.listed, followed.left) == ((ETH,), (BTC,))
    assert desk.core.accounting.state(BTC).state is EffectiveState.REDUCE_ONLY
    without_bitcoin(desk, state="Flatten")
    desk.quote(BTC, "100", "100.02")
    [exit_] = desk.sends()
    desk.fill(exit_.cid)
    desk.advance(1_500)
    assert desk.position() == 0
    [followed] = desk.take(fx.FollowMarkets)
    assert followed.left == ()


def test_an_entry_in_a_market_taken_out_is_cancelled_and_nothing_new_is_opened() -> None:
    desk = Desk().lead()
    desk.decide("1", style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    desk.accept(send.cid)
    without_bitcoin(desk)
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [send.cid]


def test_a_new_leader_looks_for_markets_that_the_specification_had_left_before() -> None:
    desk = Desk().lead()
    desk.decide("1")
    [send] = desk.sends()
    desk.fill(send.cid)
    later = Desk("b", tuning=Tuning(replicas=2), log=desk.log)
    later.replay()
    later.now_ms = desk.now_ms + 1_000
    later.lead(markets=[{"symbol": ETH}])
    assert later.core.ctx.left == (BTC,)
