"""The protocol's rules, each as a statement: leaving one out lost or doubled an order."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from smarttrade.exchange.reports import OrderKind, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.context import Tuning
from smarttrade.execution.orders import OrderState
from smarttrade.execution.records import DecisionAccepted, OrderIntended
from smarttrade.messages import Answer, OrderStyle, Outcome, Target
from tests.unit.execution.desk import BTC, ETH, Desk, build_spec


@pytest.fixture
def desk() -> Desk:
    return Desk().lead()


def test_no_order_leaves_before_its_intent_is_durable(desk: Desk) -> None:
    desk.auto_ack = False
    desk.decide("1")
    assert desk.sends() == []
    [append] = desk.take(fx.Append)
    assert any(isinstance(record, OrderIntended) for record in append.batch.records)
    desk.log.append((append.after + 1, append.batch))
    desk.feed(fx.Appended(sequence=append.after + 1))
    assert len(desk.sends()) == 1


def test_an_order_is_limit_ioc_at_the_collar_and_carries_the_pinned_deadline(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    assert send.kind is OrderKind.LIMIT_IOC
    assert send.price == Decimal("102.01")
    assert send.deadline_ms == desk.exchange_ms()
    assert send.window_ms == 800


def test_a_decision_is_answered_when_it_is_durable(desk: Desk) -> None:
    desk.auto_ack = False
    desk.decide("1", token=7)
    assert desk.take(fx.Reply) == []
    [append] = desk.take(fx.Append)
    desk.feed(fx.Appended(sequence=append.after + 1))
    [reply] = desk.take(fx.Reply)
    assert (reply.token, reply.reply.answer) == (7, Answer.ACCEPTED)


def test_a_filled_order_reaches_the_target_and_ends_the_decision_once(desk: Desk) -> None:
    decision = desk.decide("1")
    [send] = desk.sends()
    desk.fill(send.cid)
    assert desk.position() == 1
    assert desk.outcomes() == {decision: (Outcome.REACHED, "")}


def test_the_same_trade_counts_once_whichever_way_it_comes(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    report = desk.report(send.cid, VenueStatus.FILLED, "1")
    desk.feed(fx.SendSucceeded(cid=send.cid, report=report))
    desk.feed(fx.OrderSeen(report=report))
    desk.feed(fx.TradesSeen(trades=report.trades))
    desk.reconcile(trades=report.trades)
    assert desk.position() == 1


def test_an_order_of_unknown_fate_is_never_sent_again_while_it_may_exist(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.uncertain(send.cid)
    desk.advance(5_000)
    desk.answer_queries(None)
    desk.advance(4_000)
    assert desk.answer_queries(None) > 0
    assert desk.sends() == []
    assert desk.order(send.cid).state is OrderState.UNKNOWN


def test_an_unknown_order_that_is_found_counts(desk: Desk) -> None:
    decision = desk.decide("1")
    [send] = desk.sends()
    desk.uncertain(send.cid)
    desk.advance(200)
    desk.answer_queries(desk.report(send.cid, VenueStatus.FILLED, "1"))
    assert desk.position() == 1
    assert desk.outcomes()[decision] == (Outcome.REACHED, "")
    assert desk.sends() == []


def test_after_the_hold_and_three_misses_the_order_is_void_and_tried_under_a_new_id(desk: Desk) -> None:
    desk.decide("1")
    [first] = desk.sends()
    desk.uncertain(first.cid)
    for _ in range(60):
        desk.advance(250)
        desk.answer_queries(None)
    [second] = desk.sends()
    assert desk.order(first.cid).state is OrderState.VOID
    assert second.cid != first.cid
    assert desk.core.ctx.exchange_ms - first.deadline_ms >= 10_000


def test_misses_before_the_hold_has_passed_prove_nothing(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.uncertain(send.cid)
    for _ in range(39):
        desk.advance(250)
        desk.answer_queries(None)
    assert desk.order(send.cid).state is OrderState.UNKNOWN


def test_queries_without_an_answer_prove_nothing(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.uncertain(send.cid)
    for _ in range(100):
        desk.advance(250)
        for query in desk.take(fx.Query):
            desk.feed(fx.QueryFailed(cid=query.cid, reason="unreachable"))
    assert desk.order(send.cid).state is OrderState.UNKNOWN
    assert desk.sends() == []


def test_a_voided_order_that_appears_after_all_counts_and_is_told(desk: Desk) -> None:
    desk = Desk(tuning=Tuning(replicas=2, hold_ms=0)).lead()
    desk.decide("1")
    [first] = desk.sends()
    desk.uncertain(first.cid)
    for _ in range(30):
        desk.advance(100)
        desk.answer_queries(None)
    desk.feed(fx.OrderSeen(report=desk.report(first.cid, VenueStatus.FILLED, "1")))
    assert desk.position() == 1
    assert desk.reconciled() == (False, "VoidedOrderAppeared")
    desk.reconcile()
    [check] = [check for check in desk.report_now().checks if check.type == "Reconciled"]
    assert check.ok
    assert f"VoidedOrderAppeared: order {first.cid}" in check.message


def test_an_unknown_order_holds_its_own_market_only(desk: Desk) -> None:
    desk.decide("1", BTC)
    [send] = desk.sends()
    desk.uncertain(send.cid)
    desk.decide("2", BTC)
    desk.decide("1", ETH)
    assert [order.market for order in desk.sends()] == [ETH]


def test_a_process_that_slept_past_the_deadline_does_not_send(desk: Desk) -> None:
    desk.auto_ack = False
    desk.decide("1")
    [append] = desk.take(fx.Append)
    desk.sleep(5_000)
    desk.feed(fx.LeaseRenewed(until_ms=desk.now_ms + 700))
    desk.feed(fx.Appended(sequence=append.after + 1))
    assert desk.order(append.batch.records[-1].cid).state is OrderState.VOID  # type: ignore[union-attr]
    assert all(send.deadline_ms >= desk.exchange_ms() - 800 for send in desk.sends())


def test_a_process_whose_lease_ran_out_while_the_log_was_written_does_not_send(desk: Desk) -> None:
    desk.auto_ack = False
    desk.decide("1")
    [append] = desk.take(fx.Append)
    desk.sleep(701)
    desk.feed(fx.Appended(sequence=append.after + 1))
    assert desk.sends() == []


def test_a_lost_append_ends_the_lead_and_empties_the_book(desk: Desk) -> None:
    desk.auto_ack = False
    desk.decide("1")
    desk.take(fx.Append)
    desk.feed(fx.AppendFailed(reason="somebody else wrote"))
    assert desk.take(fx.Reload)
    assert desk.take(fx.ReleaseLease)
    assert desk.core.successor().ctx.book.orders == {}


def test_a_new_leader_asks_for_open_intents_before_it_sends_anything_in_that_market() -> None:
    old = Desk("a").lead()
    old.decide("1")
    [send] = old.sends()
    new = Desk("b", log=old.log)
    new.now_ms = old.now_ms + 1_500
    new.replay()
    new.lead()
    assert new.order(send.cid).state is OrderState.UNKNOWN
    assert new.sends() == []
    new.advance(200)
    new.answer_queries(new.report(send.cid, VenueStatus.FILLED, "1"))
    assert new.position() == 1
    assert new.sends() == []


def test_a_new_leader_goes_on_where_a_voided_order_was_not_yet_tried_again() -> None:
    old = Desk("a", tuning=Tuning(replicas=2, hold_ms=0)).lead()
    old.decide("1")
    [first] = old.sends()
    old.uncertain(first.cid)
    for _ in range(30):
        if old.order(first.cid).state is OrderState.VOID:
            break
        old.advance(100)
        old.core.ctx.resume_ms[BTC] = old.now_ms + 60_000
        old.answer_queries(None)
    assert old.sends() == []
    new = Desk("b", log=old.log)
    new.now_ms = old.now_ms + 100
    new.replay()
    new.feed(fx.ControlRead(generation=1, spec=old.core.ctx.spec))  # type: ignore[arg-type]
    new.lead()
    new.decide("0", ETH)
    assert any(
        record.decision_id == old.order(first.cid).decision_id and record.attempt == 2
        for record in new.records()
        if isinstance(record, OrderIntended)
    )


def test_no_client_order_id_is_ever_used_twice(desk: Desk) -> None:
    for round_ in range(20):
        desk.decide(str(round_ % 2), BTC)
        for send in desk.sends():
            desk.fill(send.cid)
    cids = [record.cid for record in desk.records() if isinstance(record, OrderIntended)]
    assert len(cids) == 20 - 1
    assert len(set(cids)) == len(cids)


def test_a_decision_at_or_below_the_high_water_mark_is_never_executed(desk: Desk) -> None:
    older = desk.decision(_target(desk, "2"))
    desk.decide("1")
    [send] = desk.sends()
    desk.fill(send.cid)
    desk.send(older, token=9)
    [reply] = [r for r in desk.take(fx.Reply) if r.token == 9]
    assert reply.reply.answer is Answer.SUPERSEDED
    assert desk.sends() == []


def test_a_decision_that_comes_again_is_accepted_again_and_executed_once(desk: Desk) -> None:
    decision = desk.decision(_target(desk, "1"))
    desk.send(decision)
    desk.send(decision, token=5)
    assert len(desk.sends()) == 1
    assert [r.reply.code for r in desk.take(fx.Reply) if r.token == 5] == ["AlreadyLogged"]
    assert sum(isinstance(record, DecisionAccepted) for record in desk.records()) == 1


def test_a_decision_that_comes_again_is_not_called_accepted_before_the_log_has_it(desk: Desk) -> None:
    desk.auto_ack = False
    decision = desk.decision(_target(desk, "1"))
    desk.send(decision)
    desk.send(decision, token=5)
    assert desk.take(fx.Reply) == []
    [append] = desk.take(fx.Append)
    desk.feed(fx.Appended(sequence=append.after + 1))
    assert {reply.token for reply in desk.take(fx.Reply)} == {1, 5}


def test_a_standby_refuses_decisions() -> None:
    desk = Desk()
    desk.decide("1")
    [reply] = desk.take(fx.Reply)
    assert (reply.reply.answer, reply.reply.code) == (Answer.DENIED, "NotLeading")


def test_a_newer_decision_supersedes_and_the_older_never_runs_after_it(desk: Desk) -> None:
    first = desk.decide("1")
    [send] = desk.sends()
    second = desk.decide("0")
    desk.fill(send.cid)
    [correction] = desk.sends()
    desk.fill(correction.cid)
    assert desk.position() == 0
    assert desk.outcomes() == {first: (Outcome.SUPERSEDED, ""), second: (Outcome.REACHED, "")}


def test_three_refused_timestamps_park_the_decision(desk: Desk) -> None:
    decision = desk.decide("1")
    attempts = 0
    for _ in range(10):
        for send in desk.sends():
            attempts += 1
            desk.reject(send.cid, "DeadlineMissed")
        desk.advance(300)
    assert attempts == 3
    assert desk.outcomes()[decision] == (Outcome.PARKED, "DeadlineMissed")


def test_a_certain_refusal_ends_the_decision_with_its_code(desk: Desk) -> None:
    decision = desk.decide("1")
    [send] = desk.sends()
    desk.reject(send.cid, "InsufficientBalance")
    desk.advance(5_000)
    assert desk.outcomes()[decision] == (Outcome.REJECTED, "InsufficientBalance")
    assert desk.sends() == []


def test_residual_legs_end_after_five_with_growing_pauses(desk: Desk) -> None:
    decision = desk.decide("1")
    legs: list[float] = []
    for _ in range(800):
        for send in desk.sends():
            legs.append(desk.now_ms)
            desk.fill(send.cid, "0")
        desk.advance(50)
    assert len(legs) == 6
    pauses = [later - earlier for earlier, later in pairwise(legs)]
    assert pauses == sorted(pauses)
    assert desk.outcomes()[decision] == (Outcome.PARKED, "NotFilled")


def test_a_partly_filled_leg_is_followed_by_the_rest(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.fill(send.cid, "0.4")
    desk.advance(500)
    [rest] = desk.sends()
    assert rest.quantity == Decimal("0.6")


def test_a_difference_within_the_dead_band_counts_as_reached(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.fill(send.cid)
    decision = desk.decide("1.009")
    assert desk.sends() == []
    assert desk.outcomes()[decision] == (Outcome.REACHED, "")


def test_an_opening_decision_expires_and_a_reducing_one_does_not(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.fill(send.cid)
    opening = desk.decide("2", ttl_ms=-1)
    assert desk.outcomes()[opening] == (Outcome.EXPIRED, "")
    desk.decide("0", ttl_ms=-1)
    assert len(desk.sends()) == 1


def test_a_late_fill_after_a_cancel_counts(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.fill(send.cid, "0")
    desk.feed(fx.OrderSeen(report=desk.report(send.cid, VenueStatus.EXPIRED, "0.5")))
    assert desk.position() == Decimal("0.5")


@pytest.mark.parametrize("told", [VenueStatus.FILLED, VenueStatus.CANCELED, VenueStatus.EXPIRED])
@pytest.mark.parametrize("ended", [VenueStatus.CANCELED, VenueStatus.EXPIRED])
def test_a_late_fill_counts_however_the_order_is_said_to_have_ended(
    desk: Desk, ended: VenueStatus, told: VenueStatus
) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.feed(fx.SendSucceeded(cid=send.cid, report=desk.report(send.cid, ended)))
    desk.feed(fx.OrderSeen(report=desk.report(send.cid, told, "0.5")))
    assert desk.position() == Decimal("0.5")
    assert desk.order(send.cid).settled


@pytest.mark.parametrize("told", [VenueStatus.FILLED, VenueStatus.CANCELED, VenueStatus.EXPIRED])
def test_an_order_whose_refusal_proves_false_counts_and_is_told(desk: Desk, told: VenueStatus) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.reject(send.cid, "InsufficientBalance")
    desk.feed(fx.OrderSeen(report=desk.report(send.cid, told, "0.5")))
    assert desk.position() == Decimal("0.5")
    assert desk.reconciled() == (False, "RejectedOrderAppeared")


def test_an_order_whose_refusal_proves_false_is_cancelled_while_it_is_open(desk: Desk) -> None:
    desk.decide("1", style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    desk.reject(send.cid, "InsufficientBalance")
    desk.reconcile(desk.report(send.cid))
    [cancel] = desk.take(fx.Cancel)
    assert (cancel.cid, cancel.order_id) == (send.cid, f"o-{send.cid}")
    desk.feed(fx.OrderSeen(report=desk.report(send.cid, VenueStatus.CANCELED, "0.3")))
    assert desk.position() == Decimal("0.3")
    assert desk.reconciled() == (False, "RejectedOrderAppeared")
    desk.reconcile()
    assert desk.reconciled() == (True, "InAgreement")


def test_fills_that_the_exchange_counted_and_nobody_delivered_are_asked_for(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    report = desk.report(send.cid, VenueStatus.FILLED, "1", trades=False)
    desk.feed(fx.SendSucceeded(cid=send.cid, report=report))
    assert desk.outcomes() == {}
    desk.advance(400)
    [asked] = desk.take(fx.FetchTrades)
    assert asked.order_id == report.order_id
    desk.feed(fx.TradesSeen(trades=(desk.trade(desk.order(send.cid), Decimal(1)),)))
    assert desk.position() == 1
    assert len(desk.outcomes()) == 1


def test_draining_takes_no_decision_and_hands_over_with_a_snapshot_when_all_has_settled(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.feed(fx.Draining())
    desk.decide("2", token=4)
    assert [r.reply.code for r in desk.take(fx.Reply) if r.token == 4] == ["Draining"]
    assert desk.take(fx.ReleaseLease) == []
    desk.fill(send.cid)
    assert desk.take(fx.SaveSnapshot)
    assert desk.take(fx.ReleaseLease)


def _target(desk: Desk, quantity: str):  # type: ignore[no-untyped-def]
    from smarttrade.messages import Target

    return Target(quantity=Decimal(quantity), valid_until_ms=desk.exchange_ms() + 60_000)


def test_a_standby_that_the_compaction_overtook_reads_the_snapshot_before_it_may_lead() -> None:
    """Sequences have gaps of their own; only what a batch says of the one before it can tell."""
    leader = Desk("a").lead()
    leader.decide("1")
    standby = Desk("b", log=leader.log)
    (first, batch), *_, (last, newest) = leader.log
    standby.feed(fx.LogRead(sequence=first, batch=batch))
    assert standby.take(fx.Reload) == []
    standby.feed(fx.LogRead(sequence=last, batch=newest))
    assert len(standby.take(fx.Reload)) == 1
    assert standby.core.ctx.outbox.sequence == first


def test_a_step_of_the_exchanges_clock_does_not_shorten_the_hold(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.uncertain(send.cid)
    ahead = desk.exchange_ms() + 60_000
    desk.feed(fx.ClockSampled(sent_ms=desk.now_ms, received_ms=desk.now_ms, exchange_ms=float(ahead)))
    for _ in range(39):
        desk.advance(250)
        desk.answer_queries(None)
    assert desk.order(send.cid).state is OrderState.UNKNOWN
    for _ in range(8):
        desk.advance(250)
        desk.answer_queries(None)
    assert desk.order(send.cid).state is OrderState.VOID


def test_a_clock_that_was_read_too_slowly_is_read_again_within_a_second(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.reject(send.cid, "DeadlineMissed")
    assert len(desk.take(fx.MeasureClock)) == 1
    asked_ms, told_ms = desk.now_ms, float(desk.exchange_ms() + 450)
    desk.advance(900)
    desk.feed(fx.ClockSampled(sent_ms=asked_ms, received_ms=desk.now_ms, exchange_ms=told_ms))
    assert [hold.code for hold in desk.core.accounting.holds()] == ["ClockSkew"]
    assert desk.take(fx.MeasureClock) == []
    desk.advance(1_100)
    assert len(desk.take(fx.MeasureClock)) == 1
    now_ms, now = desk.now_ms, float(desk.exchange_ms())
    desk.feed(fx.ClockSampled(sent_ms=now_ms, received_ms=now_ms, exchange_ms=now))
    desk.advance(1_100)
    assert desk.core.accounting.holds() == []
    assert desk.take(fx.MeasureClock) == []


def test_a_loss_made_while_nobody_could_value_the_account_is_not_forgiven_by_the_new_day(desk: Desk) -> None:
    desk.decide("10")
    for send in desk.sends():
        desk.fill(send.cid, price="100")
    desk.advance(1_500)
    day = desk.core.ctx.book.losses.day
    desk.sleep(24 * 3_600_000)
    desk.feed(fx.LeaseRenewed(until_ms=desk.now_ms + 700))
    desk.feed(fx.StreamSeen(market=BTC, fresh=False))
    desk.feed(fx.Tick())
    desk.quote(BTC, "90", "90.02")
    desk.advance(1_500)
    losses = desk.core.ctx.book.losses
    assert losses.day != day
    assert losses.baseline == 0
    assert losses.daily_loss(desk.core.accounting.valuation().pnl) == Decimal(100)


def test_a_pod_that_slept_while_it_took_the_lease_does_not_claim_the_log() -> None:
    desk = Desk()
    desk.feed(fx.ControlRead(generation=1, spec=build_spec()))
    desk.feed(fx.LeaseGained(until_ms=desk.now_ms - 600))
    assert desk.log == []
    desk.feed(fx.LeaseRenewed(until_ms=desk.now_ms + 700))
    assert len(desk.log) == 1


@pytest.mark.parametrize(("later_ms", "first"), [(1, ETH), (0, BTC)], ids=["by the event", "by the name"])
def test_what_markets_share_goes_to_whoever_decided_first_then_by_the_markets_name(
    later_ms: int, first: str
) -> None:
    """Both had to wait, for the exchange was out of reach; only one position may be open."""
    desk = Desk().lead(capital={"maxOpenPositions": 1})
    desk.feed(fx.AccountReadFailed(reason="no way"))
    want = Target(quantity=Decimal(1), valid_until_ms=desk.exchange_ms() + 60_000)
    for market, event_ms in ((ETH, 1_000), (BTC, 1_000 + later_ms)):
        decision = msgspec.structs.replace(desk.decision(want, market), event_time_ms=event_ms)
        desk.send(decision)
    assert desk.sends() == []
    desk.reconcile()
    assert [send.market for send in desk.sends()] == [first]
    assert list(desk.outcomes().values()) == [(Outcome.DENIED, "MaxOpenPositions")]
