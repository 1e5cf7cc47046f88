"""Log and exchange are compared; own orphans are adopted, strangers left alone, shortfalls told."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from smarttrade.exchange.reports import Balance, OrderReport, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.context import Tuning
from smarttrade.execution.identifiers import OrderIds, is_tagged
from smarttrade.execution.orders import FORGOTTEN, OrderState, Purpose
from smarttrade.identity import AccountIdentity
from smarttrade.messages import Check, ExecutionReport, OrderStyle, Outcome, Side
from tests.unit.execution.desk import ACCOUNT, BALANCES, BTC, ETH, IDS, KEY, Desk, build_filters


@pytest.fixture
def desk() -> Desk:
    return Desk().lead()


def stray(cid: str, market: str = BTC) -> OrderReport:
    return OrderReport(
        client_order_id=cid,
        order_id=f"x-{cid}",
        market=market,
        side=Side.BUY,
        status=VenueStatus.OPEN,
        price=Decimal(90),
        quantity=Decimal(1),
        filled=Decimal(0),
        time_ms=1,
    )


def test_an_own_order_that_the_log_does_not_know_is_adopted_counted_and_cancelled(desk: Desk) -> None:
    cid = IDS.build("lost", 1, 1)
    desk.reconcile(stray(cid))
    assert desk.order(cid).purpose is Purpose.ADOPTED
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]


@pytest.mark.parametrize(
    "cid",
    [
        "web_123456",
        "sTaaaaaaaaaaaaaaaa",
        OrderIds(AccountIdentity("tests", "bob", "bob"), KEY).build("d", 1, 1),
        OrderIds(AccountIdentity("elsewhere", "alice", "alice"), KEY).build("d", 1, 1),
        OrderIds(ACCOUNT, b"the key of another").build("d", 1, 1),
    ],
    ids=["by hand", "look-alike", "another account", "another installation", "one of the same name"],
)
def test_a_foreign_order_is_never_touched(desk: Desk, cid: str) -> None:
    desk.reconcile(stray(cid))
    desk.control(state="Halted")
    assert cid not in desk.core.ctx.book.orders
    assert desk.take(fx.Cancel) == []
    assert desk.core.ctx.foreign[BTC] == 1


def test_what_the_exchange_lets_be_open_in_a_market_is_counted_ahead_and_leaves_room_for_exits() -> None:
    desk = Desk().lead()
    seven = msgspec.structs.replace(build_filters(BTC), maximum_orders=7)
    desk.feed(fx.FiltersRead(filters=(seven, build_filters(ETH))))
    desk.reconcile(stray("by-hand"))
    decision = desk.rest(*((f"bid-{n}", Side.BUY, str(99 - n), "0.1") for n in range(4)))
    assert len(desk.sends()) == 2, "with the order by hand three, and four are kept"
    assert desk.outcomes()[decision] == (Outcome.DENIED, "ExchangeMaxOrders")
    assert desk.core.decisions.denials == {"ExchangeMaxOrders": 2}


def test_an_order_of_another_account_of_the_platform_is_reported(desk: Desk) -> None:
    desk.reconcile(stray(OrderIds(AccountIdentity("tests", "bob", "bob"), KEY).build("d", 1, 1)))
    assert desk.reconciled() == (False, "SharedExchangeAccount")


def test_an_open_order_that_the_exchange_does_not_list_is_asked_for(desk: Desk) -> None:
    desk.decide("1", style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    desk.accept(send.cid)
    desk.reconcile()
    assert desk.answer_queries(desk.report(send.cid, VenueStatus.FILLED, "1")) == 1
    assert desk.position() == 1


def test_an_order_that_the_exchange_has_forgotten_ends_once_it_was_missed_for_long_enough(desk: Desk) -> None:
    decision = desk.decide("1", style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    desk.accept(send.cid)
    desk.reconcile()
    desk.answer_queries(None)
    assert not desk.order(send.cid).ended
    for _ in range(60):
        desk.advance(500)
        desk.answer_queries(None)
    assert desk.order(send.cid).state is OrderState.CANCELED
    assert desk.order(send.cid).code == FORGOTTEN
    assert decision not in desk.outcomes()
    assert len(desk.sends()) == 1


def test_an_order_that_was_missed_and_then_listed_stays(desk: Desk) -> None:
    desk.decide("1", style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    desk.accept(send.cid)
    desk.reconcile()
    for _ in range(60):
        desk.answer_queries(None)
        desk.reconcile(desk.report(send.cid))
        desk.advance(500)
    assert desk.order(send.cid).resting


def test_a_cancel_that_finds_nothing_of_an_order_that_nobody_knows_comes_to_an_end(desk: Desk) -> None:
    desk.decide("1", style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    desk.accept(send.cid)
    desk.control(state="Halted")
    for _ in range(60):
        for cancel in desk.take(fx.Cancel):
            desk.feed(fx.CancelFailed(cid=cancel.cid, gone=True, reason="unknown order"))
        desk.advance(500)
        desk.answer_queries(None)
    assert desk.order(send.cid).ended
    desk.take(fx.Cancel)
    desk.advance(5_000)
    assert desk.take(fx.Cancel) == []
    assert desk.take(fx.Query) == []


def forgotten(desk: Desk, ttl_ms: int) -> str:
    """An accepted order that the exchange neither lists nor finds, for as long as it takes."""
    desk.decide("1", style=OrderStyle.PASSIVE, ttl_ms=ttl_ms)
    [send] = desk.sends()
    desk.accept(send.cid)
    desk.reconcile()
    for _ in range(60):
        desk.advance(500)
        desk.answer_queries(None)
    desk.take(fx.Cancel)
    return send.cid


def test_a_forgotten_order_that_is_open_after_all_is_cancelled_told_and_its_fills_count(desk: Desk) -> None:
    cid = forgotten(desk, 60_000)
    desk.feed(fx.OrderSeen(report=desk.report(cid, filled="0.3")))
    assert [cancel.cid for cancel in desk.take(fx.Cancel)] == [cid]
    assert desk.position() == Decimal("0.3")
    assert desk.reconciled() == (False, "ForgottenOrderAppeared")


def test_new_exposure_waits_until_an_order_that_appeared_is_not_open_any_more(desk: Desk) -> None:
    cid = forgotten(desk, 10_000)
    desk.feed(fx.OrderSeen(report=desk.report(cid)))
    desk.take(fx.ReadAccount)
    desk.quote(BTC, "100", "100.02")
    desk.decide("3")
    assert desk.sends() == []
    for _ in range(3):
        desk.advance(1_000)
        assert desk.take(fx.ReadAccount)
        desk.reconcile(desk.report(cid))
    assert desk.sends() == []
    desk.advance(1_000)
    desk.reconcile()
    desk.quote(BTC, "100", "100.02")
    assert [each.quantity for each in desk.sends()] == [3]


def test_a_trade_that_the_stream_lost_is_found(desk: Desk) -> None:
    desk.decide("1", style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    desk.accept(send.cid)
    desk.reconcile(desk.report(send.cid), trades=(desk.trade(desk.order(send.cid), Decimal("0.3")),))
    assert desk.position() == Decimal("0.3")


def test_a_wallet_below_the_ledger_ends_new_exposure_and_is_told(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.fill(send.cid)
    desk.reconcile(balances=(BALANCES[0], Balance(asset="BTC", free=Decimal("0.5"), total=Decimal("0.5"))))
    decision = desk.decide("2")
    outcome, code = desk.outcomes()[decision]
    assert outcome is Outcome.DENIED
    assert code == "BalanceShortfall"
    assert desk.reconciled() == (False, "BalanceShortfall")


def test_a_deposit_changes_nothing(desk: Desk) -> None:
    before = desk.report_now()
    desk.reconcile(balances=(Balance(asset="USDT", free=Decimal(9**9), total=Decimal(9**9)),))
    after = desk.report_now()
    assert (before.equity, before.positions) == (after.equity, after.positions)


def test_nothing_new_is_sent_before_the_account_was_compared(desk: Desk) -> None:
    fresh = Desk()
    fresh.reconcile = lambda *_, **__: None  # type: ignore[method-assign]
    fresh.lead()
    fresh.decide("1")
    assert fresh.sends() == []


def test_after_the_user_stream_broke_the_account_is_compared_at_once(desk: Desk) -> None:
    desk.advance(1_000)
    desk.take(fx.ReadAccount)
    desk.feed(fx.StreamBroke())
    assert len(desk.take(fx.ReadAccount)) == 1


def test_the_account_is_compared_every_half_minute(desk: Desk) -> None:
    desk.take(fx.ReadAccount)
    for _ in range(3):
        desk.advance(30_000, step_ms=500)
        assert len(desk.take(fx.ReadAccount)) == 1


def test_trades_are_read_from_the_last_comparison_on_however_long_an_order_rests(desk: Desk) -> None:
    desk.decide("1", style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    desk.accept(send.cid)
    for _ in range(10):
        desk.take(fx.ReadAccount)
        desk.advance(30_000, step_ms=500)
        [read] = desk.take(fx.ReadAccount)
        desk.reconcile(desk.report(send.cid))
    assert desk.exchange_ms() - read.since_ms <= 30_000 + Tuning().trade_lookback_ms + 1_000


def test_refused_keys_are_told(desk: Desk) -> None:
    desk.feed(fx.AccountReadFailed(reason="-2015", credentials=True))
    [check] = [c for c in desk.report_now().checks if c.type == "CredentialsValid"]
    assert not check.ok


def test_an_order_of_unknown_fate_is_reported_after_thirty_seconds(desk: Desk) -> None:
    desk.decide("1")
    [send] = desk.sends()
    desk.uncertain(send.cid)
    desk.advance(31_000, step_ms=200)
    [check] = [c for c in desk.report_now().checks if c.type == "Reconciled"]
    assert (check.ok, check.reason) == (False, "OrdersUnknown")
    assert send.cid in check.message
    assert desk.order(send.cid).state is OrderState.UNKNOWN


def reconciled(desk: Desk) -> Check:
    return next(c for c in desk.core.reporting.checks() if c.type == "Reconciled")


def test_fills_that_the_exchange_counts_and_does_not_tell_are_reported_after_thirty_seconds(
    desk: Desk,
) -> None:
    desk.decide("1")
    [send] = desk.sends()
    report = desk.report(send.cid, VenueStatus.FILLED, "1", trades=False)
    desk.feed(fx.SendSucceeded(cid=send.cid, report=report))
    desk.advance(20_000, step_ms=200)
    assert reconciled(desk).ok
    desk.advance(11_000, step_ms=200)
    told = reconciled(desk)
    assert (told.ok, told.reason) == (False, "OrdersUnknown")
    assert send.cid in told.message
    desk.feed(fx.TradesSeen(trades=(desk.trade(desk.order(send.cid), Decimal(1)),)))
    assert reconciled(desk).ok


def test_client_order_ids_are_18_alphanumerics_that_only_their_account_recognises() -> None:
    cid = IDS.build("decision", 1, 1)
    assert len(cid) == 18
    assert cid.isalnum()
    assert IDS.is_own(cid)
    assert is_tagged(cid)
    assert not OrderIds(AccountIdentity("tests", "bob", "bob"), KEY).is_own(cid)
    assert not OrderIds(ACCOUNT, b"the key of another").is_own(cid)
    assert len({IDS.build("d", leg, attempt) for leg in range(9) for attempt in range(9)}) == 81


def test_reports_that_are_older_than_what_is_known_change_nothing(desk: Desk) -> None:
    desk.decide("1", style=OrderStyle.PASSIVE)
    [send] = desk.sends()
    old = desk.report(send.cid)
    desk.feed(fx.SendSucceeded(cid=send.cid, report=desk.report(send.cid, VenueStatus.FILLED, "1")))
    desk.feed(fx.OrderSeen(report=old))
    desk.feed(fx.OrderSeen(report=msgspec.structs.replace(old, status=VenueStatus.CANCELED)))
    assert desk.order(send.cid).state is OrderState.FILLED


def test_while_the_exchange_cannot_be_compared_nothing_new_is_opened_and_the_decision_waits(
    desk: Desk,
) -> None:
    desk.feed(fx.AccountReadFailed(reason="no answer"))
    decision = desk.decide("1")
    desk.rest(("bid", Side.BUY, "9", "1"), market="ETH/USDT")
    desk.advance(500)
    assert desk.sends() == []
    assert decision not in desk.outcomes()
    desk.reconcile()
    desk.advance(100)
    assert len(desk.sends()) == 2


def test_fills_alone_are_reported_together() -> None:
    desk = Desk().lead()
    desk.report_now()
    before = len(desk.published(ExecutionReport))
    for quantity in range(1, 11):
        desk.decide(str(quantity))
        for send in desk.sends():
            desk.fill(send.cid)
    assert len(desk.published(ExecutionReport)) <= before + 1
    desk.advance(150)
    assert desk.published(ExecutionReport)[-1].fills == 10
