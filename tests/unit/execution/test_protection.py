"""Protection: sized to the position, out of the way of a sale, back afterwards, and never bought back."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from smarttrade.exchange.reports import OrderKind, OrderReport, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.book import Book
from smarttrade.execution.context import Tuning
from smarttrade.execution.orders import OrderState, Purpose
from smarttrade.execution.records import OrderIntended
from smarttrade.execution.snapshot import decode_snapshot, encode_snapshot
from smarttrade.messages import ExecutionReport, OrderStyle, Outcome, Side
from tests.unit.execution.desk import BTC, ETH, Desk, build_filters

STOP: dict[str, Any] = {"stop_loss": Decimal(95)}
BOTH: dict[str, Any] = {**STOP, "take_profit": Decimal(110)}


@pytest.fixture
def desk() -> Desk:
    return Desk().lead()


def buy(desk: Desk, quantity: str = "1", **more: Any) -> None:
    desk.decide(quantity, **more)
    [send] = desk.sends()
    desk.fill(send.cid, price="100")


def guarded(desk: Desk, **more: Any) -> list[str]:
    """A position of 1 that rests protected; the client ids of what protects it."""
    buy(desk, **(more or STOP))
    return accept(desk)


def accept(desk: Desk) -> list[str]:
    legs = [leg for pair in desk.take(fx.SendPair) for leg in pair.legs] + desk.sends()
    for leg in legs:
        desk.accept(leg.cid)
    return [leg.cid for leg in legs]


def cancelled(desk: Desk) -> list[str]:
    """Confirm every cancel that was asked for."""
    cids = [cancel.cid for cancel in desk.take(fx.Cancel)]
    for cid in cids:
        desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED)))
    return cids


def guards(desk: Desk) -> list[str]:
    return [o.cid for o in desk.core.ctx.book.unsettled(BTC) if o.purpose is Purpose.PROTECTIVE]


# --- placing ---


def test_a_filled_entry_is_protected_by_a_stop_with_the_declared_slippage(desk: Desk) -> None:
    buy(desk, **STOP)
    [stop] = desk.sends()
    assert (stop.side, stop.kind, stop.quantity) == (Side.SELL, OrderKind.STOP_LIMIT, Decimal(1))
    assert (stop.trigger, stop.price) == (Decimal(95), Decimal("94.52"))


def test_the_plan_of_a_closed_position_does_not_protect_a_later_holding(desk: Desk) -> None:
    [stop] = guarded(desk)
    desk.feed(fx.OrderSeen(report=desk.report(stop, VenueStatus.FILLED, "1", price="94.52")))
    assert desk.position() == 0
    desk.rest(("bid", Side.BUY, "90", "1"))
    [bid] = desk.sends()
    desk.accept(bid.cid)
    desk.feed(fx.OrderSeen(report=desk.report(bid.cid, VenueStatus.FILLED, "1", price="90")))
    desk.advance(2_000)
    assert desk.position() == 1
    assert [send for send in desk.sends() if send.side is Side.SELL] == []


def test_a_plan_whose_buy_came_to_nothing_does_not_protect_a_later_holding(desk: Desk) -> None:
    desk.decide("1", ttl_ms=2_000, **STOP)
    [send] = desk.sends()
    desk.fill(send.cid, "0")
    assert desk.core.ctx.book.market(BTC).plan is None


def test_a_buy_that_is_still_out_keeps_its_plan_when_the_position_before_it_is_stopped(desk: Desk) -> None:
    [stop] = guarded(desk)
    desk.decide("2", stop_loss=Decimal(90))
    [send] = [each for each in desk.sends() if each.side is Side.BUY]
    desk.feed(fx.OrderSeen(report=desk.report(stop, VenueStatus.FILLED, "1", price="94.52")))
    desk.fill(send.cid, price="100")
    plan = desk.core.ctx.book.market(BTC).plan
    assert plan is not None
    assert plan.stop_loss == 90


def test_the_slippage_of_the_object_sets_the_limit_of_a_stop() -> None:
    desk = Desk().lead(orders={"stopSlippage": "0.02"})
    buy(desk, **STOP)
    [stop] = desk.sends()
    assert stop.price == Decimal("93.1")


def test_stop_and_profit_are_one_request_of_which_one_cancels_the_other(desk: Desk) -> None:
    buy(desk, **BOTH)
    [pair] = desk.take(fx.SendPair)
    assert (pair.limit.price, pair.stop.trigger) == (Decimal(110), Decimal(95))
    intents = [r for r in desk.records() if isinstance(r, OrderIntended) and r.group]
    assert {intent.group for intent in intents} == {pair.group}


def test_a_pair_is_one_write_to_the_log(desk: Desk) -> None:
    buy(desk, **BOTH)
    batches = [
        sum(isinstance(record, OrderIntended) and bool(record.group) for record in batch.records)
        for _, batch in desk.log
    ]
    assert sorted(batches)[-1] == 2
    assert sum(batches) == 2


def test_a_pair_counts_once_against_the_position(desk: Desk) -> None:
    guarded(desk, **BOTH)
    exposure = desk.core.accounting.exposure().of(BTC)
    assert (exposure.position, exposure.sells, exposure.short) == (Decimal(1), Decimal(1), Decimal(0))


def test_where_the_exchange_has_no_pairs_the_stop_rests() -> None:
    desk = Desk(tuning=Tuning(replicas=2, order_pairs=False)).lead()
    buy(desk, **BOTH)
    [stop] = desk.sends()
    assert stop.trigger == Decimal(95)


def test_the_object_protects_every_position_whatever_its_decision_says() -> None:
    desk = Desk().lead(risk={"protection": {"stopLoss": "0.1"}})
    buy(desk)
    [stop] = desk.sends()
    assert stop.trigger == Decimal(90)


def test_the_nearer_of_the_decisions_and_the_objects_stop_counts() -> None:
    desk = Desk().lead(risk={"protection": {"stopLoss": "0.02"}})
    buy(desk, **STOP)
    [stop] = desk.sends()
    assert stop.trigger == Decimal(98)


def test_an_entry_whose_stop_is_reached_already_is_denied(desk: Desk) -> None:
    decision = desk.decide("1", stop_loss=Decimal(101))
    assert desk.sends() == []
    assert desk.outcomes() == {decision: (Outcome.DENIED, "ProtectionCrossed")}


# --- following the position ---


def test_a_partial_entry_is_protected_as_far_as_it_has_filled(desk: Desk) -> None:
    desk.decide("2", style=OrderStyle.PASSIVE, **STOP)
    [entry] = desk.sends()
    desk.accept(entry.cid)
    desk.feed(fx.OrderSeen(report=desk.report(entry.cid, filled="0.5")))
    [stop] = desk.sends()
    assert stop.quantity == Decimal("0.5")
    assert not desk.order(entry.cid).ended


def test_protection_is_replaced_when_the_position_grows_and_never_exceeds_it(desk: Desk) -> None:
    guarded(desk)
    buy(desk, "2", **STOP)
    desk.advance(600)
    assert desk.sends() == []
    assert len(cancelled(desk)) == 1
    [stop] = desk.sends()
    assert stop.quantity == 2


def test_a_higher_stop_of_a_new_decision_replaces_the_old_one(desk: Desk) -> None:
    guarded(desk)
    desk.decide("1", stop_loss=Decimal(97))
    desk.advance(600)
    cancelled(desk)
    [stop] = desk.sends()
    assert stop.trigger == Decimal(97)


def test_a_decision_that_is_denied_takes_no_protection_away(desk: Desk) -> None:
    [stop] = guarded(desk)
    desk.control(state="Paused")
    desk.decide("0")
    desk.advance(2_000)
    assert desk.take(fx.Cancel) == []
    assert not desk.order(stop).ended


def test_a_trailing_stop_follows_the_price_up_in_steps_and_never_down(desk: Desk) -> None:
    buy(desk, trailing_stop=Decimal("0.1"))
    [first] = desk.sends()
    assert first.trigger == Decimal(90)
    desk.accept(first.cid)
    desk.quote(BTC, "100.5", "100.52")
    desk.advance(600)
    assert desk.take(fx.Cancel) == []
    desk.quote(BTC, "104", "104.02")
    desk.advance(600)
    cancelled(desk)
    [second] = desk.sends()
    assert second.trigger == Decimal("93.6")
    desk.accept(second.cid)
    desk.quote(BTC, "96", "96.02")
    desk.advance(2_000)
    assert desk.take(fx.Cancel) == []


def test_a_bid_from_before_the_purchase_does_not_pull_a_trailing_stop_above_the_market(desk: Desk) -> None:
    desk.decide("1", trailing_stop=Decimal("0.02"))
    [send] = desk.sends()
    desk.advance(10)
    desk.fill(send.cid, price="95")
    [stop] = desk.sends()
    assert stop.trigger == Decimal("93.1")
    desk.accept(stop.cid)
    desk.quote(BTC, "96", "96.02")
    desk.advance(600)
    cancelled(desk)
    [raised] = desk.sends()
    assert raised.trigger == Decimal("94.08")


def test_a_bid_between_a_first_dust_of_a_fill_and_the_purchase_counts_for_no_more_either(desk: Desk) -> None:
    desk.decide("1", trailing_stop=Decimal("0.02"))
    [send] = desk.sends()
    desk.feed(fx.OrderSeen(report=desk.report(send.cid, VenueStatus.OPEN, "0.001")))
    desk.quote(BTC, "100", "100.02")
    desk.advance(10)
    desk.fill(send.cid, price="95")
    [stop] = desk.sends()
    assert stop.trigger is not None
    assert stop.trigger < Decimal("93.2")


def test_a_trailing_stop_that_takes_the_place_of_a_fixed_one_may_be_further_away(desk: Desk) -> None:
    """Only a price that was trailed never comes down."""
    guarded(desk, stop_loss=Decimal(99))
    desk.decide("1", trailing_stop=Decimal("0.1"))
    desk.advance(600)
    cancelled(desk)
    [stop] = desk.sends()
    assert stop.trigger == Decimal(90)


def test_a_trailed_price_holds_when_a_new_decision_trails_on_and_another_leads(desk: Desk) -> None:
    guarded(desk, trailing_stop=Decimal("0.1"), stop_loss=Decimal(80))
    desk.quote(BTC, "104", "104.02")
    desk.advance(600)
    cancelled(desk)
    [stop] = desk.sends()
    assert stop.trigger == Decimal("93.6")
    desk.accept(stop.cid)
    desk.decide("1", trailing_stop=Decimal("0.1"))
    desk.advance(600)
    assert desk.core.ctx.book.markets[BTC].ratchet == Decimal("93.6")
    assert desk.take(fx.Cancel) == []


# --- making way ---


def test_a_sale_waits_until_its_protection_is_confirmed_gone_and_sells_what_remains(desk: Desk) -> None:
    [stop] = guarded(desk)
    desk.decide("0")
    assert desk.sends() == []
    [cancel] = desk.take(fx.Cancel)
    assert cancel.cid == stop
    desk.feed(fx.OrderSeen(report=desk.report(stop, VenueStatus.CANCELED, "0.4")))
    [sale] = desk.sends()
    assert (sale.kind, sale.quantity) == (OrderKind.LIMIT_IOC, Decimal("0.6"))


def test_what_is_left_of_a_sale_is_protected_again(desk: Desk) -> None:
    guarded(desk)
    desk.decide("0.4", **STOP)
    cancelled(desk)
    [sale] = desk.sends()
    desk.fill(sale.cid)
    [stop] = desk.sends()
    assert (stop.trigger, stop.quantity) == (Decimal(95), Decimal("0.4"))


def test_a_sale_that_has_to_wait_leaves_protection_where_it_is() -> None:
    desk = Desk().lead(risk={"maxOrdersPerMinute": 1})
    guarded(desk)
    desk.core.ctx.book.sent_ms.extend([desk.exchange_ms()] * 10)
    desk.decide("0")
    desk.advance(5_000)
    assert desk.take(fx.Cancel) == []
    desk.advance(56_000)
    assert desk.take(fx.Cancel)


def test_nothing_is_sold_while_the_fate_of_its_protection_is_unknown(desk: Desk) -> None:
    buy(desk, **STOP)
    [stop] = desk.sends()
    desk.uncertain(stop.cid)
    desk.decide("0")
    desk.advance(3_000)
    assert desk.sends() == []
    desk.answer_queries(desk.report(stop.cid))
    assert desk.take(fx.Cancel)


def test_a_new_leader_goes_on_between_the_cancel_and_the_sale(desk: Desk) -> None:
    [stop] = guarded(desk)
    desk.decide("0")
    report = desk.report(stop, VenueStatus.CANCELED)
    successor = Desk("b", log=desk.log)
    successor.replay()
    successor.lead()
    assert successor.answer_queries(report) == 1
    [sale] = successor.sends()
    assert (sale.side, sale.quantity) == (Side.SELL, Decimal(1))


def test_a_sale_that_is_refused_is_followed_by_protection_again(desk: Desk) -> None:
    guarded(desk)
    decision = desk.decide("0")
    cancelled(desk)
    [sale] = desk.sends()
    desk.reject(sale.cid, "InsufficientBalance")
    assert desk.outcomes()[decision][0] is Outcome.REJECTED
    [stop] = desk.sends()
    assert (stop.trigger, stop.quantity) == (Decimal(95), Decimal(1))


# --- being hit ---


def test_what_a_stop_sold_is_not_bought_back_by_the_same_decision(desk: Desk) -> None:
    desk.decide("2", **STOP)
    [entry] = desk.sends()
    desk.fill(entry.cid, "1.5")
    [stop] = accept(desk)
    desk.feed(fx.OrderSeen(report=desk.report(stop, VenueStatus.FILLED, "1.5", "94.6")))
    desk.advance(10_000)
    assert desk.sends() == []
    assert desk.position() == 0
    assert ("Parked", "ProtectionFilled") in {(str(o), c) for o, c in desk.outcomes().values()}


def test_a_stop_ends_the_resting_set_of_its_market() -> None:
    desk = Desk().lead(risk={"protection": {"stopLoss": "0.05"}})
    desk.rest(("bid", Side.BUY, "99", "1"))
    [bid] = desk.sends()
    desk.accept(bid.cid)
    desk.feed(fx.OrderSeen(report=desk.report(bid.cid, filled="0.5", price="99")))
    [stop] = accept(desk)
    desk.feed(fx.OrderSeen(report=desk.report(stop, VenueStatus.FILLED, "0.5", "94")))
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [bid.cid]
    desk.feed(fx.OrderSeen(report=desk.report(bid.cid, VenueStatus.CANCELED, "0.5")))
    desk.advance(2_000)
    assert desk.sends() == []


def test_where_no_stop_can_rest_the_leader_sells_at_the_price() -> None:
    desk = Desk(tuning=Tuning(replicas=2, stop_orders=False)).lead()
    buy(desk, **STOP)
    assert desk.sends() == []
    desk.quote(BTC, "95.5", "95.52")
    assert desk.sends() == []
    desk.quote(BTC, "94.9", "94.92")
    [sale] = desk.sends()
    assert (sale.side, sale.quantity, sale.price) == (Side.SELL, Decimal(1), Decimal("94.52"))
    assert desk.order(sale.cid).purpose is Purpose.STOP_EXIT


def test_a_leader_that_watches_does_not_sell_below_the_slippage() -> None:
    desk = Desk(tuning=Tuning(replicas=2, stop_orders=False)).lead()
    buy(desk, **STOP)
    desk.quote(BTC, "80", "80.02")
    desk.advance(2_000)
    assert desk.sends() == []


def test_the_leader_takes_the_profit_that_has_no_order_of_its_own() -> None:
    desk = Desk(tuning=Tuning(replicas=2, order_pairs=False)).lead()
    [stop] = guarded(desk, **BOTH)
    desk.quote(BTC, "110.5", "110.52")
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [stop]
    desk.feed(fx.OrderSeen(report=desk.report(stop, VenueStatus.CANCELED)))
    [sale] = desk.sends()
    assert (sale.quantity, sale.price) == (Decimal(1), Decimal(110))


def test_a_stop_that_would_trigger_at_once_is_a_sale_now(desk: Desk) -> None:
    buy(desk, **STOP)
    [stop] = desk.sends()
    desk.reject(stop.cid, "WouldTrigger")
    [sale] = desk.sends()
    assert (sale.kind, sale.price) == (OrderKind.LIMIT_IOC, Decimal("98.01"))


def refused_once(desk: Desk) -> fx.Send:
    """A stop that was refused because its price was there while nothing could be sold: the next one."""
    buy(desk, **STOP)
    [stop] = desk.sends()
    desk.core.ctx.resume_ms[BTC] = desk.now_ms + 1_000
    desk.reject(stop.cid, "WouldTrigger")
    desk.advance(500)
    [again] = desk.sends()
    return again


def test_a_stop_that_rests_at_the_second_try_sells_at_its_price_only(desk: Desk) -> None:
    again = refused_once(desk)
    assert again.kind is OrderKind.STOP_LIMIT
    desk.accept(again.cid)
    desk.advance(2_000)
    assert desk.sends() == []
    assert desk.take(fx.Cancel) == []


def test_a_stop_of_unknown_fate_sells_nothing_for_what_an_earlier_one_was_refused_for(desk: Desk) -> None:
    again = refused_once(desk)
    desk.uncertain(again.cid)
    for _ in range(60):
        desk.advance(250)
        desk.answer_queries(None)
    assert desk.order(again.cid).state is OrderState.VOID
    assert {send.kind for send in desk.sends()} == {OrderKind.STOP_LIMIT}


def test_a_refused_stop_is_tried_again_later_and_later_and_told(desk: Desk) -> None:
    buy(desk, **STOP)
    tries = []
    for _ in range(60):
        for send in desk.sends():
            tries.append(desk.now_ms)
            desk.reject(send.cid, "FilterFailure")
        desk.advance(500)
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 4 * gaps[0]
    assert unprotected(desk) == "Refused"


def test_a_stop_for_which_the_exchange_has_no_room_is_not_sent_and_its_price_is_watched(desk: Desk) -> None:
    two = msgspec.structs.replace(build_filters(BTC), maximum_stops=2)
    desk.feed(fx.FiltersRead(filters=(two, build_filters(ETH))))
    strange = [
        OrderReport(
            client_order_id="by hand",
            order_id=f"s{number}",
            market=BTC,
            side=Side.SELL,
            status=VenueStatus.OPEN,
            price=Decimal(80),
            quantity=Decimal(1),
            filled=Decimal(0),
            time_ms=1,
            trigger=Decimal(80),
        )
        for number in range(2)
    ]
    desk.reconcile(*strange)
    buy(desk, **STOP)
    desk.advance(7_000)
    assert desk.sends() == []
    assert unprotected(desk) == "NoRoomAtExchange"
    desk.reconcile(strange[0])
    [stop] = accept(desk)
    assert desk.order(stop).trigger == 95
    desk.reconcile(*strange, desk.report(stop))
    assert not desk.order(stop).ended, "what rests stays"
    desk.feed(fx.OrderSeen(report=desk.report(stop, VenueStatus.CANCELED)))
    desk.quote(BTC, "94.8", "94.9")
    [sale] = desk.sends()
    assert (sale.kind, sale.side) == (OrderKind.LIMIT_IOC, Side.SELL)


# --- states ---


def unprotected(desk: Desk) -> str:
    checks = desk.published(ExecutionReport)[-1].checks
    return next((check.reason for check in checks if check.type == "Unprotected"), "")


@pytest.mark.parametrize("state", ["ReduceOnly", "Paused"])
def test_protection_stays_in(state: str, desk: Desk) -> None:
    [stop] = guarded(desk)
    desk.control(state=state)
    desk.advance(2_000)
    assert desk.take(fx.Cancel) == []
    assert not desk.order(stop).ended
    assert unprotected(desk) == ""


def test_halted_cancels_protection_and_says_that_the_position_is_bare(desk: Desk) -> None:
    [stop] = guarded(desk)
    desk.control(state="Halted")
    assert cancelled(desk) == [stop]
    desk.advance(7_000)
    assert desk.sends() == []
    assert unprotected(desk) == "Halted"


def test_a_new_leader_tells_since_when_the_position_is_bare_from_the_log(desk: Desk) -> None:
    guarded(desk)
    desk.control(state="Halted")
    cancelled(desk)
    desk.advance(7_000)
    since = message(desk)
    new = Desk("b", log=desk.log)
    new.now_ms = desk.now_ms + 20_000
    new.replay()
    new.lead(state="Halted")
    new.advance(2_000)
    assert unprotected(new) == "Halted"
    assert message(new) == since
    restored = Book.restore(decode_snapshot(encode_snapshot(new.core.ctx.book.snapshot(1))))
    assert restored.market(BTC).bare_ms == desk.core.ctx.book.market(BTC).bare_ms > 0
    new.control(generation=3, state="Active")
    [send] = new.sends()
    new.accept(send.cid)
    assert new.core.ctx.book.market(BTC).bare_ms == 0


def message(desk: Desk) -> str:
    checks = desk.published(ExecutionReport)[-1].checks
    return next(check.message for check in checks if check.type == "Unprotected")


def test_flatten_replaces_protection_by_the_exit(desk: Desk) -> None:
    [stop] = guarded(desk)
    desk.control(state="Flatten")
    assert cancelled(desk) == [stop]
    [sale] = desk.sends()
    assert desk.order(sale.cid).purpose is Purpose.FLATTEN
    desk.fill(sale.cid)
    desk.advance(2_000)
    assert desk.sends() == []


def test_flatten_reports_what_it_could_not_sell(desk: Desk) -> None:
    guarded(desk)
    desk.control(state="Flatten")
    cancelled(desk)
    [sale] = desk.sends()
    desk.reject(sale.cid, "InsufficientBalance")
    desk.advance(900)
    desk.quote(BTC, "100", "100.02")
    [check] = [c for c in desk.core.reporting.checks() if c.type == "Flattened"]
    assert not check.ok
    assert "1" in check.message
    assert "InsufficientBalance" in check.message


def test_a_position_below_what_the_exchange_takes_is_dust_and_not_called_bare(desk: Desk) -> None:
    desk.decide("1", **STOP)
    [entry] = desk.sends()
    desk.fill(entry.cid, "0.04")
    desk.advance(6_000)
    assert [send.side for send in desk.sends()] == [Side.BUY]
    assert unprotected(desk) == ""


def test_cut_off_from_the_bus_the_leader_keeps_its_protection(desk: Desk) -> None:
    [stop] = guarded(desk)
    desk.rest(("bid", Side.BUY, "90", "1"))
    accept(desk)
    desk.feed(fx.BusDisconnected())
    desk.sleep(11_000)
    desk.feed(fx.Tick())
    cids = [cancel.cid for cancel in desk.take(fx.Cancel)]
    assert cids
    assert stop not in cids


def test_a_standby_that_is_cut_off_cancels_nothing(desk: Desk) -> None:
    desk.rest(("bid", Side.BUY, "90", "1"))
    accept(desk)
    standby = Desk("b", log=desk.log)
    standby.control()
    standby.replay()
    standby.feed(fx.BusDisconnected())
    standby.sleep(11_000)
    standby.feed(fx.Tick())
    assert standby.take(fx.Cancel) == []


def test_a_set_sells_what_protection_leaves_free() -> None:
    desk = Desk().lead(risk={"protection": {"stopLoss": "0.05"}})
    buy(desk, "2")
    [stop] = accept(desk)
    desk.rest(("ask", Side.SELL, "105", "0.5"))
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [stop]
    desk.feed(fx.OrderSeen(report=desk.report(stop, VenueStatus.CANCELED)))
    desk.advance(300)
    [ask] = desk.sends()
    assert (desk.order(ask.cid).purpose, ask.quantity) == (Purpose.RESTING, Decimal("0.5"))
    desk.accept(ask.cid)
    [rest] = desk.sends()
    assert (desk.order(rest.cid).purpose, rest.quantity) == (Purpose.PROTECTIVE, Decimal("1.5"))
