"""Resting orders: little churn, never two on one key; a passive target becomes marketable in time."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from smarttrade.exchange.reports import OrderKind, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.messages import OrderStyle, Outcome, Side
from tests.unit.execution.desk import BTC, Desk

BID = ("bid", Side.BUY, "99", "1")


@pytest.fixture
def desk() -> Desk:
    return Desk().lead()


def accept_all(desk: Desk) -> list[str]:
    cids = [send.cid for send in desk.sends()]
    for cid in cids:
        desk.accept(cid)
    return cids


def test_a_set_is_placed_post_only_and_reached_when_all_of_it_rests(desk: Desk) -> None:
    decision = desk.rest(BID, ("bid-2", Side.BUY, "98", "1"))
    sends = desk.sends()
    assert {send.kind for send in sends} == {OrderKind.POST_ONLY}
    assert desk.outcomes() == {}
    for send in sends:
        desk.accept(send.cid)
    assert desk.outcomes() == {decision: (Outcome.REACHED, "")}


def test_an_order_that_is_near_enough_stays(desk: Desk) -> None:
    desk.rest(BID)
    accept_all(desk)
    desk.advance(1_000)
    decision = desk.rest(("bid", Side.BUY, "99.01", "1.05"))
    assert desk.take(fx.Cancel) == []
    assert desk.sends() == []
    assert desk.outcomes()[decision] == (Outcome.REACHED, "")


@pytest.mark.parametrize("wanted", [("bid", Side.BUY, "99.02", "1"), ("bid", Side.BUY, "99", "1.2")])
def test_an_order_that_is_off_is_replaced_only_after_it_is_gone(
    desk: Desk, wanted: tuple[str, Side, str, str]
) -> None:
    desk.rest(BID)
    [cid] = accept_all(desk)
    desk.advance(1_000)
    desk.rest(wanted)
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]
    assert desk.sends() == []
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED)))
    desk.advance(300)
    [send] = desk.sends()
    assert (send.price, send.quantity) == (Decimal(wanted[2]), Decimal(wanted[3]))


def test_an_order_rests_at_least_its_minimum(desk: Desk) -> None:
    desk.rest(BID)
    accept_all(desk)
    desk.rest(("bid", Side.BUY, "98", "1"))
    assert desk.take(fx.Cancel) == []
    desk.advance(600)
    assert len(desk.take(fx.Cancel)) == 1


def test_the_newest_set_wins_and_what_it_does_not_name_goes(desk: Desk) -> None:
    desk.rest(BID, ("bid-2", Side.BUY, "98", "1"))
    accept_all(desk)
    desk.advance(1_000)
    desk.rest(BID)
    [cancel] = desk.take(fx.Cancel)
    assert desk.order(cancel.cid).key == "bid-2"


def test_what_has_filled_is_not_placed_again_for_the_same_set(desk: Desk) -> None:
    desk.rest(BID)
    [cid] = accept_all(desk)
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.FILLED, "1", price="99")))
    desk.advance(2_000)
    assert desk.position() == 1
    assert desk.sends() == []


def test_a_set_whose_time_is_over_is_cancelled(desk: Desk) -> None:
    desk.rest(BID, ttl_ms=2_000)
    [cid] = accept_all(desk)
    desk.advance(2_200)
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]


def test_an_order_of_a_set_that_risk_denies_ends_the_decision_with_its_code(desk: Desk) -> None:
    decision = desk.rest(("bid", Side.BUY, "99", "50"))
    assert desk.sends() == []
    assert desk.outcomes()[decision] == (Outcome.DENIED, "MaxOrderNotional")


def test_a_new_leader_keeps_the_set_that_rests(desk: Desk) -> None:
    desk.rest(BID)
    [cid] = accept_all(desk)
    new = Desk("b", log=desk.log)
    new.now_ms = desk.now_ms + 2_000
    new.replay()
    new.lead()
    new.reconcile(desk.report(cid))
    new.advance(1_000)
    assert new.sends() == []
    assert new.take(fx.Cancel) == []


def test_a_passive_target_rests_and_becomes_marketable_after_its_time(desk: Desk) -> None:
    desk.control(orders={"passiveTimeout": "5s"})
    desk.decide("1", style=OrderStyle.PASSIVE)
    [cid] = accept_all(desk)
    assert desk.order(cid).kind is OrderKind.POST_ONLY
    desk.advance(5_200)
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED)))
    desk.advance(500)
    [send] = desk.sends()
    assert send.kind is OrderKind.LIMIT_IOC


def test_a_resting_order_of_a_superseded_target_is_cancelled_before_the_new_one_is_worked(desk: Desk) -> None:
    desk.decide("1", style=OrderStyle.PASSIVE)
    [cid] = accept_all(desk)
    desk.decide("2")
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]
    assert desk.sends() == []
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED, "0.4", price="100")))
    desk.advance(500)
    [send] = desk.sends()
    assert send.quantity == Decimal("1.6")


def test_post_only_that_would_match_is_tried_again_at_a_new_price(desk: Desk) -> None:
    desk.decide("1", style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    desk.reject(send.cid, "WouldMatch")
    desk.quote(BTC, "99", "99.02")
    desk.advance(500)
    [again] = desk.sends()
    assert again.price == Decimal("99")


def refuse_all(desk: Desk) -> list[OrderKind]:
    """The kinds of what was sent, all of which would have matched."""
    sends = desk.sends()
    for send in sends:
        if send.kind is OrderKind.POST_ONLY:
            desk.reject(send.cid, "WouldMatch")
    return [send.kind for send in sends]


def test_a_target_that_would_match_stays_passive_until_its_time_is_over_and_only_then_takes(
    desk: Desk,
) -> None:
    desk.control(orders={"passiveTimeout": "5s"})
    desk.decide("1", style=OrderStyle.PASSIVE)
    began, kinds = desk.now_ms, refuse_all(desk)
    while desk.now_ms < began + 4_950:
        desk.advance(50)
        kinds += refuse_all(desk)
    assert set(kinds) == {OrderKind.POST_ONLY}
    assert len(kinds) == 5, "after 0.25, 0.5, 1 and 2 s: not as fast as it is refused"
    desk.advance(100)
    [send] = desk.sends()
    assert send.kind is OrderKind.LIMIT_IOC
    desk.fill(send.cid)
    assert desk.position() == 1


def test_a_post_only_order_that_the_exchange_takes_and_cancels_at_once_was_refused(desk: Desk) -> None:
    desk.control(orders={"passiveTimeout": "5s"})
    desk.decide("1", style=OrderStyle.PASSIVE)
    [cid] = accept_all(desk)
    desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED)))
    desk.advance(400)
    [send] = desk.sends()
    assert send.kind is OrderKind.POST_ONLY


def test_what_rests_after_a_refusal_rests_for_what_is_left_of_the_time(desk: Desk) -> None:
    desk.control(orders={"passiveTimeout": "5s"})
    desk.decide("1", style=OrderStyle.PASSIVE)
    assert refuse_all(desk) == [OrderKind.POST_ONLY]
    desk.advance(1_000)
    [cid] = accept_all(desk)
    desk.advance(3_900)
    assert desk.take(fx.Cancel) == []
    desk.advance(150)
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]


def test_a_new_leader_goes_on_with_what_is_left_of_a_passive_targets_time(desk: Desk) -> None:
    desk.control(orders={"passiveTimeout": "5s"})
    desk.decide("1", style=OrderStyle.PASSIVE)
    assert refuse_all(desk) == [OrderKind.POST_ONLY]
    new = Desk("b", log=desk.log)
    new.now_ms = desk.now_ms + 2_000
    new.replay()
    new.lead(orders={"passiveTimeout": "5s"})
    kinds = refuse_all(new)
    while new.now_ms < desk.now_ms + 5_050:
        new.advance(50)
        kinds += refuse_all(new)
    assert kinds[0] is OrderKind.POST_ONLY
    assert kinds[-1] is OrderKind.LIMIT_IOC


def test_without_a_time_out_a_target_that_would_match_is_parked_and_never_takes(desk: Desk) -> None:
    decision = desk.decide("1", style=OrderStyle.PASSIVE)
    kinds = refuse_all(desk)
    for _ in range(400):
        desk.advance(50)
        kinds += refuse_all(desk)
    assert kinds == [OrderKind.POST_ONLY] * 6
    assert desk.outcomes()[decision] == (Outcome.PARKED, "NotFilled")


def test_a_superseded_order_goes_even_while_another_of_the_market_is_in_doubt(desk: Desk) -> None:
    """It may fill meanwhile, and the doubt may last as long as the hold."""
    desk.rest(BID, ("bid-2", Side.BUY, "98", "1"))
    first, second = desk.sends()
    desk.accept(first.cid)
    desk.feed(fx.SendUncertain(cid=second.cid, reason="time-out"))
    desk.decide("0")
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [first.cid]
    assert desk.sends() == []


def test_an_order_that_a_newer_set_does_not_want_goes_while_another_is_in_doubt(desk: Desk) -> None:
    desk.rest(BID, ("bid-2", Side.BUY, "98", "1"))
    first, second = desk.sends()
    desk.accept(first.cid)
    desk.feed(fx.SendUncertain(cid=second.cid, reason="time-out"))
    desk.advance(1_000)
    desk.rest(("bid-3", Side.BUY, "97", "1"))
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [first.cid]
    assert desk.sends() == []


def test_a_fill_stamped_before_the_set_by_a_clock_that_is_behind_counts_for_it(desk: Desk) -> None:
    desk.rest(BID)
    [send] = desk.sends()
    desk.accept(send.cid)
    report = desk.report(send.cid, VenueStatus.FILLED, filled="1")
    desk.feed(fx.OrderSeen(report=msgspec.structs.replace(report, time_ms=report.time_ms - 300)))
    desk.advance(1_000)
    assert desk.sends() == []


def test_what_was_cancelled_after_a_part_is_placed_again_for_the_rest_only(desk: Desk) -> None:
    desk.rest(BID)
    [send] = desk.sends()
    desk.accept(send.cid)
    desk.feed(fx.OrderSeen(report=desk.report(send.cid, VenueStatus.CANCELED, filled="0.4")))
    desk.advance(1_000)
    desk.advance(1_000)
    assert [again.quantity for again in desk.sends()] == [Decimal("0.6")]


def test_every_order_of_a_set_that_a_limit_denies_is_counted_by_its_code() -> None:
    desk = Desk().lead()
    desk.rest(("a", Side.BUY, "99", "500"), ("b", Side.BUY, "98", "500"), ("c", Side.SELL, "105", "1"))
    assert desk.core.decisions.denials == {"MaxOrderNotional": 2, "WouldCrossZero": 1}
