"""Commands by hand: what each does, what it refuses, and that an answer never claims what is not known."""

from __future__ import annotations

from decimal import Decimal

import pytest

from smarttrade.exchange.reports import Balance, OrderKind, VenueStatus
from smarttrade.execution import commands_wire as wire
from smarttrade.execution import effects as fx
from smarttrade.execution.agreement import Agreement
from smarttrade.execution.book import KEPT_ENDED, Book
from smarttrade.execution.commands_wire import Result
from smarttrade.execution.context import Tuning
from smarttrade.execution.orders import OrderState, Purpose
from smarttrade.execution.records import (
    HaltLifted,
    HaltOrdered,
    Instructed,
    OrderIntended,
    OrderMoved,
    decode_batch,
    encode_batch,
)
from smarttrade.execution.snapshot import decode_snapshot, encode_snapshot
from smarttrade.messages import EffectiveState, OrderStyle, Outcome, Side
from tests.unit.execution.desk import BTC, ETH, Desk

HOLD_MS = Tuning().hold_ms + 2_000


@pytest.fixture
def desk() -> Desk:
    return Desk().lead()


def command(desk: Desk, asked: wire.AnyCommand, patience_ms: float = 0.0) -> wire.Answer:
    """Give a command, let time pass, and take its one answer."""
    desk.feed(fx.CommandReceived(command=asked, token=9))
    if patience_ms:
        desk.advance(patience_ms)
    [answered] = desk.take(fx.CommandAnswered)
    assert answered.token == 9
    return answered.answer


def bid(desk: Desk, market: str = BTC) -> str:
    desk.decide("1", market, style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    desk.accept(send.cid)
    return send.cid


def hold(desk: Desk, quantity: str = "2") -> None:
    desk.decide(quantity)
    [send] = desk.sends()
    desk.fill(send.cid)


def unknown(desk: Desk) -> str:
    desk.decide("1")
    [send] = desk.sends()
    desk.uncertain(send.cid)
    desk.take(fx.Query)
    return send.cid


def test_orders_are_listed_with_their_state(desk: Desk) -> None:
    cid = bid(desk)
    [row] = command(desk, wire.ListOrders()).orders
    assert (row.order, row.market, row.side, row.state) == (cid, BTC, "Buy", "New")


def test_a_standby_lists_but_changes_nothing() -> None:
    leader = Desk().lead()
    cid = bid(leader)
    standby = Desk("b", log=leader.log)
    standby.control(generation=1)
    standby.replay()
    assert [row.order for row in command(standby, wire.ListOrders()).orders] == [cid]
    answer = command(standby, wire.CancelOrders(orders=(cid,)))
    assert (answer.result, answer.code) == (Result.REFUSED, "NotLeading")
    assert standby.take(fx.Cancel) == []


def test_a_cancel_is_answered_when_the_exchange_has_confirmed_it(desk: Desk) -> None:
    cid = bid(desk)
    desk.feed(fx.CommandReceived(command=wire.CancelOrders(orders=(cid,)), token=9))
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]
    assert desk.take(fx.CommandAnswered) == []
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED)))
    [answered] = desk.take(fx.CommandAnswered)
    assert answered.answer.result is Result.DONE
    assert "Canceled" in answered.answer.lines[0].message


def test_a_cancel_that_is_not_confirmed_is_said_to_be_unknown(desk: Desk) -> None:
    cid = bid(desk)
    answer = command(desk, wire.CancelOrders(orders=(cid,)), patience_ms=6_000)
    assert answer.result is Result.UNKNOWN
    assert "not confirmed" in answer.lines[0].message


def test_cancelling_everything_takes_every_own_order(desk: Desk) -> None:
    cids = {bid(desk), bid(desk, ETH)}
    desk.feed(fx.CommandReceived(command=wire.CancelOrders(everything=True), token=9))
    assert {cancel.cid for cancel in desk.take(fx.Cancel)} == cids


def test_an_order_that_is_not_ours_is_left_alone(desk: Desk) -> None:
    answer = command(desk, wire.CancelOrders(orders=("web_4711",)))
    assert answer.result is Result.REFUSED
    assert desk.take(fx.Cancel) == []


def test_an_order_of_unknown_fate_is_cancelled_all_the_same(desk: Desk) -> None:
    cid = unknown(desk)
    desk.feed(fx.CommandReceived(command=wire.CancelOrders(orders=(cid,)), token=9))
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]
    desk.advance(5_100)
    [answered] = desk.take(fx.CommandAnswered)
    assert answered.answer.result is Result.UNKNOWN


def test_cancels_go_out_while_the_log_is_out_of_reach(desk: Desk) -> None:
    cid = bid(desk)
    desk.auto_ack = False
    desk.feed(fx.BusDisconnected())
    desk.sleep(2_000)
    desk.feed(fx.CommandReceived(command=wire.CancelOrders(orders=(cid,)), token=9))
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]


def test_close_sells_the_position_and_says_so(desk: Desk) -> None:
    hold(desk)
    desk.feed(fx.CommandReceived(command=wire.ClosePositions(markets=(BTC,), by="ann"), token=9))
    [send] = desk.sends()
    assert (send.side, send.quantity) == (Side.SELL, Decimal(2))
    desk.fill(send.cid)
    [answered] = desk.take(fx.CommandAnswered)
    assert answered.answer.result is Result.DONE
    assert "sold" in answered.answer.lines[0].message
    assert desk.position() == 0


def test_close_says_unknown_while_the_sale_has_not_ended(desk: Desk) -> None:
    hold(desk)
    desk.feed(fx.CommandReceived(command=wire.ClosePositions(everything=True), token=9))
    [send] = desk.sends()
    desk.accept(send.cid)
    desk.advance(16_000)
    [answered] = desk.take(fx.CommandAnswered)
    assert answered.answer.result is Result.UNKNOWN
    assert "2 BTC" in answered.answer.lines[0].message


@pytest.mark.parametrize("state", ["Paused", "Halted"])
def test_close_is_refused_where_the_state_forbids_it_and_says_what_to_do(desk: Desk, state: str) -> None:
    hold(desk)
    desk.control(state=state)
    answer = command(desk, wire.ClosePositions(markets=(BTC,)))
    assert answer.result is Result.REFUSED
    assert "smarttrade flatten" in answer.lines[0].message
    assert desk.sends() == []


def test_closing_nothing_is_done(desk: Desk) -> None:
    assert command(desk, wire.ClosePositions(markets=(ETH,))).result is Result.DONE


def test_an_unknown_order_is_not_resolved_while_the_exchange_may_still_accept_it(desk: Desk) -> None:
    cid = unknown(desk)
    answer = command(desk, wire.ResolveOrder(order=cid))
    assert answer.result is Result.REFUSED
    assert desk.order(cid).state is OrderState.UNKNOWN


def test_an_unknown_order_that_was_not_placed_is_tried_again_under_a_new_id() -> None:
    desk = Desk(tuning=Tuning(hold_ms=2_000)).lead()
    cid = unknown(desk)
    desk.sleep(1_500)
    [early] = command(desk, wire.ResolveOrder(order=cid)).lines
    assert "its hold has not surely passed" in early.message
    desk.sleep(1_500)
    desk.feed(fx.LeaseRenewed(until_ms=desk.now_ms + 700))
    assert command(desk, wire.ResolveOrder(order=cid)).result is Result.DONE
    assert desk.order(cid).state is OrderState.VOID
    desk.advance(100)
    [again] = desk.sends()
    assert again.cid != cid


def test_an_unknown_order_that_was_filled_enters_the_ledger_once(desk: Desk) -> None:
    cid = unknown(desk)
    desk.sleep(HOLD_MS)
    desk.feed(fx.LeaseRenewed(until_ms=desk.now_ms + 700))
    answer = command(desk, wire.ResolveOrder(order=cid, filled=Decimal(1), price=Decimal(100)))
    assert answer.result is Result.DONE
    assert desk.position() == 1
    desk.advance(100)
    assert [outcome for outcome, _ in desk.outcomes().values()] == [Outcome.REACHED]
    late = desk.report(cid, VenueStatus.FILLED, "1", trades=False)
    desk.feed(fx.OrderSeen(report=late))
    desk.reconcile(trades=(desk.trade(desk.order(cid), Decimal(1)),))
    assert desk.position() == 1


def test_the_trade_of_an_order_resolved_by_hand_is_not_strange_to_a_later_leader(desk: Desk) -> None:
    cid = unknown(desk)
    desk.sleep(HOLD_MS)
    desk.feed(fx.LeaseRenewed(until_ms=desk.now_ms + 700))
    command(desk, wire.ResolveOrder(order=cid, filled=Decimal(1), price=Decimal(100)))
    desk.advance(100)
    kept = desk.report(cid, VenueStatus.FILLED, "1", trades=False)
    trade = desk.trade(desk.order(cid), Decimal(1))
    later = Desk("b", tuning=Tuning(replicas=2), log=desk.log)
    later.replay()
    later.now_ms = desk.now_ms + 1_000
    later.lead()
    later.reconcile(trades=(trade,))
    later.feed(fx.HistoryRead(orders=(kept,), trades=(trade,), asked_ms=later.now_ms))
    later.core.ctx.lead.reconciled = False
    later.take(fx.ReadHistory)
    later.reconcile(trades=(trade,))
    assert later.core.ctx.lead.reconciled
    assert later.take(fx.ReadHistory) == []
    assert later.position() == 1


def test_an_order_resolved_by_hand_is_remembered_however_many_follow(desk: Desk) -> None:
    cid = unknown(desk)
    desk.sleep(HOLD_MS)
    desk.feed(fx.LeaseRenewed(until_ms=desk.now_ms + 700))
    command(desk, wire.ResolveOrder(order=cid, filled=Decimal(1), price=Decimal(100)))
    desk.advance(100)
    kept = desk.report(cid, VenueStatus.FILLED, "1", trades=False)
    trade = desk.trade(desk.order(cid), Decimal(1))
    forget_ended(desk.core.ctx.book)
    desk.feed(fx.HistoryRead(orders=(kept,), trades=(trade,), asked_ms=desk.now_ms))
    assert desk.position() == 1
    assert desk.core.ctx.book.losses.breach is None


def forget_ended(book: Book) -> None:
    """As many orders end as it takes for the oldest to leave the book."""
    for number in range(2 * KEPT_ENDED + 2):
        intent = OrderIntended(
            cid=f"c{number}",
            market=ETH,
            side=Side.BUY,
            kind=OrderKind.LIMIT_IOC,
            price=Decimal(10),
            quantity=Decimal(1),
            purpose=Purpose.TARGET,
            decision_id="d",
            leg=1,
            attempt=1,
            deadline_ms=0,
            window_ms=0,
            epoch=1,
        )
        book.apply(intent)
        book.apply(
            OrderMoved(cid=intent.cid, state=OrderState.VOID, order_id="", filled=Decimal(0), time_ms=0)
        )


def missed(desk: Desk) -> str:
    """An order that the exchange accepted and neither lists nor finds."""
    cid = bid(desk)
    desk.reconcile()
    for _ in range(20):
        desk.advance(100)
        desk.take(fx.Query)
    desk.sleep(HOLD_MS)
    desk.feed(fx.LeaseRenewed(until_ms=desk.now_ms + 700))
    return cid


def test_an_order_that_the_exchange_knows_no_more_is_resolved_by_hand(desk: Desk) -> None:
    cid = missed(desk)
    assert command(desk, wire.ResolveOrder(order=cid)).result is Result.DONE
    assert desk.order(cid).state is OrderState.CANCELED
    assert desk.position() == 0


def test_an_order_that_the_exchange_knows_no_more_may_have_filled(desk: Desk) -> None:
    cid = missed(desk)
    answer = command(desk, wire.ResolveOrder(order=cid, filled=Decimal("0.4"), price=Decimal(99)))
    assert answer.result is Result.DONE
    assert desk.position() == Decimal("0.4")
    assert desk.order(cid).settled


def test_an_order_whose_fills_the_exchange_counts_and_does_not_tell_is_resolved_by_hand(desk: Desk) -> None:
    cid = bid(desk)
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED, "0.6", trades=False)))
    assert not desk.order(cid).settled
    desk.sleep(HOLD_MS)
    desk.feed(fx.LeaseRenewed(until_ms=desk.now_ms + 700))
    less = command(desk, wire.ResolveOrder(order=cid, filled=Decimal("0.5")))
    assert less.result is Result.REFUSED
    assert command(desk, wire.ResolveOrder(order=cid, filled=Decimal("0.6"))).result is Result.DONE
    assert desk.order(cid).settled
    assert desk.position() == Decimal("0.6")


def resolved(desk: Desk, filled: str) -> str:
    """An order of unknown fate, of which a person has said how far it was filled."""
    cid = unknown(desk)
    desk.sleep(HOLD_MS)
    desk.feed(fx.LeaseRenewed(until_ms=desk.now_ms + 700))
    command(desk, wire.ResolveOrder(order=cid, filled=Decimal(filled), price=Decimal(100)))
    return cid


def test_an_exchange_that_contradicts_a_resolution_is_told_and_not_counted(desk: Desk) -> None:
    cid = resolved(desk, "0.4")
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.FILLED, "1")))
    assert desk.position() == Decimal("0.4")
    assert desk.reconciled() == (False, "ResolvedOrderDiffers")


@pytest.mark.parametrize(("said", "told"), [("0.4", "1"), ("0.8", "0.5")])
def test_nothing_new_is_bought_until_the_ledger_agrees_with_what_the_exchange_tells_of_a_resolved_order(
    desk: Desk, said: str, told: str
) -> None:
    cid = resolved(desk, said)
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED, told)))
    denied = desk.decide("2", BTC)
    assert desk.outcomes()[denied] == (Outcome.DENIED, "ResolvedOrderDiffers")
    other = command(desk, wire.ResolveOrder(order=cid, filled=Decimal("0.9")))
    assert other.result is Result.REFUSED
    assert f"--filled {told}" not in other.lines[0].message
    assert told in other.lines[0].message
    assert command(desk, wire.ResolveOrder(order=cid, filled=Decimal(told))).result is Result.DONE
    assert desk.position() == Decimal(told)
    assert desk.order(cid).settled
    assert desk.reconciled() == (True, "InAgreement")
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED, told)))
    desk.decide("2", BTC)
    assert [send.quantity for send in desk.sends()] == [2 - Decimal(told)]


def test_every_later_leader_knows_of_the_difference_from_the_log_or_a_snapshot(desk: Desk) -> None:
    cid = resolved(desk, "0.4")
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED, "1")))
    written = len(desk.log)
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED, "1")))
    assert len(desk.log) == written, "the same word again is no news"
    replayed = Book()
    for _, batch in desk.log:
        for record in decode_batch(encode_batch(batch)).records:
            replayed.apply(record)
    restored = Book.restore(decode_snapshot(encode_snapshot(replayed.snapshot(1))))
    for book in (replayed, restored):
        assert [(order.cid, told) for order, told in book.differing()] == [(cid, Decimal(1))]
        assert [hold.code for hold in Agreement().holds(book)] == ["ResolvedOrderDiffers"]


def test_what_is_agreed_about_survives_a_snapshot(desk: Desk) -> None:
    cid = resolved(desk, "0.8")
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED, "0.5")))
    command(desk, wire.ResolveOrder(order=cid, filled=Decimal("0.5")))
    again = Book.restore(decode_snapshot(encode_snapshot(desk.core.ctx.book.snapshot(1))))
    assert (again.orders[cid].recorded, again.orders[cid].filled) == (Decimal("0.5"), Decimal("0.5"))
    assert again.ledger.quantity(BTC) == Decimal("0.5")


def test_an_order_that_was_resolved_and_is_open_is_cancelled(desk: Desk) -> None:
    cid = resolved(desk, "0.4")
    desk.reconcile(desk.report(cid, filled="0.4"))
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]
    assert desk.reconciled() == (False, "ResolvedOrderDiffers")
    desk.advance(10)
    desk.reconcile()
    assert desk.reconciled() == (True, "InAgreement")


def test_an_order_whose_fate_is_known_is_not_resolved(desk: Desk) -> None:
    cid = bid(desk)
    answer = command(desk, wire.ResolveOrder(order=cid, filled=Decimal(1)))
    assert answer.result is Result.REFUSED
    assert "New" in answer.lines[0].message


def test_a_holding_is_adopted_at_the_mid_price_and_only_as_far_as_the_wallet_goes(desk: Desk) -> None:
    assert command(desk, wire.AdoptHolding(market=BTC, quantity=Decimal(3))).result is Result.DONE
    assert desk.position() == 3
    assert desk.core.ctx.book.ledger.holding(BTC).average_price == Decimal("100.01")
    beyond = command(desk, wire.AdoptHolding(market=BTC, quantity=Decimal(98)))
    assert beyond.result is Result.REFUSED
    assert desk.position() == 3


def test_what_was_sold_elsewhere_is_taken_out_and_ends_the_shortfall(desk: Desk) -> None:
    hold(desk)
    desk.reconcile(balances=(Balance(asset="BTC", free=Decimal(1), total=Decimal(1)),))
    assert "BalanceShortfall" in desk.core.ctx.problems
    asked = wire.AdoptHolding(market=BTC, quantity=Decimal(-1), price=Decimal(110))
    assert command(desk, asked).result is Result.DONE
    assert desk.position() == 1
    assert desk.core.ctx.book.ledger.realized_pnl == 10
    assert "BalanceShortfall" not in desk.core.ctx.problems


def test_nothing_is_adopted_while_an_order_of_the_market_is_open(desk: Desk) -> None:
    bid(desk)
    assert command(desk, wire.AdoptHolding(market=BTC, quantity=Decimal(1))).result is Result.REFUSED
    assert desk.position() == 0


def test_every_change_by_hand_is_in_the_log_with_who_asked(desk: Desk) -> None:
    command(desk, wire.AdoptHolding(market=BTC, quantity=Decimal(1), by="ann"))
    [noted] = [record for record in desk.records() if isinstance(record, Instructed)]
    assert (noted.by, '"adopt"' in noted.command) == ("ann", True)


# --- halt -----------------------------------------------------------------------------------------------


def halt(desk: Desk, generation: int = 2) -> None:
    command(desk, wire.Halt(generation=generation))


def test_a_halt_cancels_and_nothing_is_sent_any_more(desk: Desk) -> None:
    cid = bid(desk)
    halt(desk)
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]
    desk.decide("2", ETH)
    assert desk.sends() == []
    assert desk.report_now().effective_state is EffectiveState.HALTED


def test_a_halt_ends_when_the_object_that_says_it_is_read_and_only_then(desk: Desk) -> None:
    halt(desk, generation=3)
    desk.control(generation=2, risk={"maxOpenOrders": 3})
    desk.decide("1", ETH)
    assert desk.sends() == []
    desk.control(generation=3, state="Halted")
    desk.control(generation=4, state="Active")
    desk.decide("1", ETH)
    assert len(desk.sends()) == 1
    assert any(isinstance(record, HaltLifted) for record in desk.records())


def test_a_halt_is_in_the_log_and_holds_for_the_next_leader(desk: Desk) -> None:
    halt(desk)
    successor = Desk("b", tuning=Tuning(replicas=2), log=desk.log)
    successor.replay()
    successor.now_ms = desk.now_ms + 1_000
    successor.lead()
    successor.decide("1")
    assert successor.sends() == []


def test_a_halt_outlives_the_loss_of_the_lead_in_its_own_process(desk: Desk) -> None:
    desk.auto_ack = False
    halt(desk)
    assert desk.core.successor().ctx.halted is not None


def test_a_re_created_object_is_not_halted_by_what_was_said_to_the_old_one(desk: Desk) -> None:
    desk.control(generation=6)
    halt(desk, generation=7)
    desk.control(generation=1)
    assert desk.report_now().effective_state is EffectiveState.ACTIVE


# --- a halt and the pods that it did not reach --------------------------------------------------------------


def standby_of(leader: Desk) -> Desk:
    standby = Desk("b", log=leader.log)
    standby.control(generation=1)
    standby.replay()
    return standby


def test_a_halted_standby_writes_the_halt_behind_what_it_has_read_so_that_the_leader_is_fenced(
    desk: Desk,
) -> None:
    standby = standby_of(desk)
    halt(standby)
    [fence] = standby.take(fx.Fence)
    assert fence.after == desk.log[-1][0]
    desk.log.append((fence.after + 1, fence.batch))
    desk.auto_ack = False
    desk.decide("1")
    [append] = desk.take(fx.Append)
    assert append.after < desk.log[-1][0]
    desk.feed(fx.AppendFailed(reason="somebody else wrote"))
    assert desk.sends() == []
    again = Desk("a", log=desk.log)
    again.replay()
    again.now_ms = desk.now_ms + 1_000
    again.lead()
    again.decide("1")
    assert again.sends() == []
    assert again.report_now().effective_state is EffectiveState.HALTED


def test_a_halt_that_lost_the_race_for_the_log_is_written_behind_what_won_it(desk: Desk) -> None:
    standby = standby_of(desk)
    halt(standby)
    [lost] = standby.take(fx.Fence)
    bid(desk)
    for sequence, batch in desk.log[lost.after :]:
        standby.feed(fx.LogRead(sequence=sequence, batch=batch, live=True))
    assert [fence.after for fence in standby.take(fx.Fence)][-1] == desk.log[-1][0]
    standby.advance(300)
    assert standby.take(fx.Fence)


def test_a_leader_that_hears_of_a_halt_obeys_it_and_writes_it(desk: Desk) -> None:
    cid, standby = bid(desk), standby_of(desk)
    halt(standby)
    [fence] = standby.take(fx.Fence)
    [heard] = fence.batch.records
    assert isinstance(heard, HaltOrdered)
    desk.feed(fx.HaltHeard(halt=heard))
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]
    desk.decide("2", ETH)
    assert desk.sends() == []
    assert heard in desk.records()


def test_a_halt_that_the_object_has_ended_is_not_obeyed_when_it_is_heard_late(desk: Desk) -> None:
    standby = standby_of(desk)
    halt(standby)
    [fence] = standby.take(fx.Fence)
    [heard] = fence.batch.records
    desk.control(generation=2)
    assert isinstance(heard, HaltOrdered)
    desk.feed(fx.HaltHeard(halt=heard))
    desk.decide("1")
    assert len(desk.sends()) == 1


def test_a_standby_that_is_late_does_not_write_again_what_was_lifted(desk: Desk) -> None:
    standby = standby_of(desk)
    halt(desk)
    desk.control(generation=2)
    for sequence, batch in desk.log:
        standby.feed(fx.LogRead(sequence=sequence, batch=batch))
    halt(standby)
    standby.advance(1_000)
    assert standby.core.ctx.halted is not None
    assert standby.take(fx.Fence) == []


def test_a_standby_that_was_cut_off_writes_its_halt_when_it_comes_to_lead(desk: Desk) -> None:
    standby = standby_of(desk)
    standby.feed(fx.BusDisconnected())
    halt(standby)
    standby.advance(1_000)
    assert standby.take(fx.Fence) == []
    standby.feed(fx.BusReconnected())
    standby.take(fx.Fence)
    standby.feed(fx.LeaseGained(until_ms=standby.now_ms + 700))
    assert any(isinstance(record, HaltOrdered) for record in standby.records())
