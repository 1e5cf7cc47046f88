"""Two accounts of SmartTrade on one exchange account: each that sees the other opens nothing any more."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from smarttrade.exchange.reports import OrderReport, TradeReport, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.context import Tuning
from smarttrade.execution.identifiers import OrderIds
from smarttrade.identity import AccountIdentity
from smarttrade.messages import OrderStyle, Outcome, Side
from tests.unit.execution.desk import ACCOUNT, BTC, ETH, KEY, Desk
from tests.unit.execution.former_ids import KeylessIds

OTHER_KEY = b"the key of another installation"
FORMER = KeylessIds(ACCOUNT, b"")
"""This account's ids from before they had keys, and those of every account of the same name."""


@pytest.fixture
def desk() -> Desk:
    return Desk().lead()


def order(
    cid: str, status: VenueStatus = VenueStatus.OPEN, time_ms: int = 1, filled: str = "0"
) -> OrderReport:
    return OrderReport(
        client_order_id=cid,
        order_id=f"x-{cid}",
        market=BTC,
        side=Side.BUY,
        status=status,
        price=Decimal(90),
        quantity=Decimal(1),
        filled=Decimal(filled),
        time_ms=time_ms,
    )


def theirs(name: str = "d") -> str:
    return OrderIds(ACCOUNT, OTHER_KEY).build(name, 1, 1)


def denied(desk: Desk, quantity: str = "2") -> str:
    """The code with which more is refused."""
    decision = desk.decide(quantity)
    assert desk.sends() == []
    outcome, code = desk.outcomes()[decision]
    assert outcome is Outcome.DENIED
    return code


def buy(desk: Desk, quantity: str = "1") -> None:
    desk.decide(quantity)
    for send in desk.sends():
        desk.fill(send.cid)
    assert desk.position() == Decimal(quantity)


def test_two_installations_of_one_name_that_have_both_sent_stop_each_other_whoever_looks_first() -> None:
    one, other = Desk().lead(), Desk("b", key=OTHER_KEY).lead()
    resting = []
    for desk in (one, other):
        buy(desk)
        desk.decide("1", ETH, style=OrderStyle.PASSIVE)
        [send] = desk.sends()
        desk.accept(send.cid)
        resting.append(desk.report(send.cid))
    for desk in (one, other):
        desk.reconcile(*resting)
        assert desk.reconciled() == (False, "SharedExchangeAccount")
        assert denied(desk) == "SharedExchangeAccount"
        assert desk.take(fx.Cancel) == [], "neither touches the other's"


def test_exits_go_on(desk: Desk) -> None:
    buy(desk, "2")
    desk.reconcile(order(theirs()))
    desk.decide("1")
    [send] = desk.sends()
    assert (send.side, send.quantity) == (Side.SELL, 1)
    desk.fill(send.cid)
    desk.decide("0")
    for send in desk.sends():
        desk.fill(send.cid)
    assert desk.position() == 0


def test_protection_is_placed_all_the_same(desk: Desk) -> None:
    desk.decide("1", stop_loss=Decimal(95))
    [entry] = desk.sends()
    desk.reconcile(order(theirs()))
    desk.fill(entry.cid)
    [stop] = desk.sends()
    assert (stop.side, stop.trigger) == (Side.SELL, Decimal(95))


def test_the_user_stream_gives_the_other_away_before_any_comparison(desk: Desk) -> None:
    buy(desk)
    desk.feed(fx.OrderSeen(report=order(theirs())))
    assert denied(desk) == "SharedExchangeAccount"


def test_it_stays_until_the_pods_are_started_anew_also_over_a_loss_of_the_lead(desk: Desk) -> None:
    buy(desk)
    desk.reconcile(order(theirs()))
    desk.reconcile()
    assert desk.reconciled() == (False, "SharedExchangeAccount")
    assert desk.core.successor().ctx.stranger
    anew = Desk("b", log=desk.log)
    anew.replay()
    anew.lead()
    assert anew.reconciled() == (True, "InAgreement")


def test_a_trade_of_nobodys_order_leads_to_the_others_whose_order_has_ended(desk: Desk) -> None:
    buy(desk)
    desk.advance(2_000)
    cid, now_ms = theirs(), desk.exchange_ms()
    trade = TradeReport(
        trade_id="t-theirs",
        order_id=f"x-{cid}",
        market=BTC,
        side=Side.BUY,
        price=Decimal(90),
        quantity=Decimal(1),
        fee=Decimal(0),
        fee_asset="USDT",
        maker=False,
        time_ms=now_ms,
    )
    desk.take(fx.ReadHistory)
    desk.reconcile(trades=(trade,))
    assert desk.take(fx.ReadHistory)
    ended = order(cid, VenueStatus.FILLED, now_ms, "1")
    desk.feed(fx.HistoryRead(orders=(ended,), trades=(trade,), asked_ms=desk.now_ms))
    assert denied(desk) == "SharedExchangeAccount"
    assert desk.position() == 1


def test_orders_that_had_ended_before_prove_nothing(desk: Desk) -> None:
    desk.advance(2_000)
    past = order(theirs(), VenueStatus.FILLED, desk.exchange_ms() - 60_000, "1")
    desk.feed(fx.HistoryRead(orders=(past,), trades=(), asked_ms=desk.now_ms))
    buy(desk)


@pytest.mark.parametrize("cid", ["web_123456", "by-hand", "", "x-A6SIDXVSd4d8f"])
def test_orders_of_a_person_are_only_counted(desk: Desk, cid: str) -> None:
    desk.reconcile(order(cid))
    desk.feed(fx.OrderSeen(report=order(cid)))
    assert desk.core.ctx.foreign[BTC] == 1
    assert desk.reconciled() == (True, "InAgreement")
    buy(desk)


def test_an_account_that_is_created_again_with_the_same_keys_adopts_its_orders() -> None:
    cid = OrderIds(ACCOUNT, KEY).build("before", 1, 1)
    again = Desk("again").lead()
    again.reconcile(order(cid))
    assert cid in again.core.ctx.book.orders
    assert [cancel.cid for cancel in again.take(fx.Cancel)] == [cid]


# --- ids from before they had keys ---


def former_account() -> list[Any]:
    """The log of an account that the version before has traded for: 1 bought, 1 more resting."""
    desk = Desk("old")
    desk.core.ctx.ids = FORMER
    desk.lead()
    buy(desk)
    desk.decide("2", style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    desk.accept(send.cid)
    return desk.log


def test_an_account_with_open_orders_of_the_version_before_goes_on_with_them() -> None:
    desk = Desk("new", log=former_account())
    desk._trade = 100
    desk.replay()
    desk.lead()
    [resting] = desk.core.ctx.book.unsettled()
    assert FORMER.is_own(resting.cid)
    assert not desk.core.ctx.ids.is_own(resting.cid)
    desk.reconcile(desk.report(resting.cid))
    assert desk.reconciled() == (True, "InAgreement")
    desk.feed(fx.OrderSeen(report=desk.report(resting.cid, VenueStatus.FILLED, "1")))
    assert desk.position() == 2
    desk.later()
    buy(desk, "3")


def test_an_open_order_of_that_time_that_the_log_does_not_know_is_left_alone_and_stops_what_is_new(
    desk: Desk,
) -> None:
    cid = FORMER.build("lost", 1, 1)
    desk.reconcile(order(cid))
    assert desk.take(fx.Cancel) == []
    assert desk.reconciled() == (False, "SharedExchangeAccount")
    assert denied(desk) == "SharedExchangeAccount"
    desk.reconcile()
    assert desk.reconciled() == (True, "InAgreement"), "cancelled at the exchange"


def test_a_new_log_with_a_past_of_that_time_waits_for_its_owner_and_takes_nothing_over() -> None:
    desk = Desk(tuning=Tuning(replicas=2, restores=True)).lead()
    past = order(FORMER.build("lost", 1, 1), VenueStatus.FILLED, filled="1")
    desk.feed(fx.HistoryRead(orders=(past,), trades=(), asked_ms=desk.now_ms))
    breach = desk.core.ctx.book.losses.breach
    assert breach is not None
    assert breach.reason == "LogLost"
    assert desk.core.ctx.book.orders == {}


def test_an_account_of_another_name_is_no_former_self() -> None:
    assert not FORMER.may_be_former(KeylessIds(AccountIdentity("tests", "bob", "bob"), b"").build("d", 1, 1))
