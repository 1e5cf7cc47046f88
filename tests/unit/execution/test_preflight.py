"""No order before the preflight has passed: what is found, what it forbids, what ends it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from smarttrade.exchange.key import KeyReport
from smarttrade.exchange.reports import Balance, Fees, OrderReport, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.clock import ExchangeClock
from smarttrade.execution.context import Tuning
from smarttrade.execution.preflight import Facts, judge
from smarttrade.execution.preflight_probe import smallest_trial
from smarttrade.execution.view import Hold
from smarttrade.messages import Check, ExecutionReport, Outcome, Side
from tests.unit.execution.desk import BTC, ETH, Desk, build_filters, build_spec

GOOD = KeyReport(can_trade=True, can_withdraw=False, restricted=True, account_id="7")
FEES = {BTC: Fees(Decimal("0.001"), Decimal("0.001"))}


def codes(spec: Any = None, **facts: Any) -> list[str]:
    found = judge(spec or build_spec(), Facts(**{"key": GOOD, "fees": FEES, **facts}))
    assert all(hold.message for hold in found)
    return [hold.code for hold in found]


def test_an_account_in_order_passes() -> None:
    assert codes(filters={BTC: build_filters(BTC)}, trials={BTC: ""}) == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"can_withdraw": True}, "KeyCanWithdraw"),
        ({"can_withdraw": None}, "PermissionsUnknown"),
        ({"can_trade": False}, "KeyCannotTrade"),
    ],
)
def test_a_key_that_may_too_much_or_too_little_is_refused(changed: dict[str, Any], code: str) -> None:
    assert codes(key=msgspec.structs.replace(GOOD, **changed)) == [code]


@pytest.mark.parametrize("can_withdraw", [True, None])
def test_the_object_may_accept_a_key_that_can_withdraw(can_withdraw: bool | None) -> None:
    spec = build_spec(exchange={"withdrawals": "Accept"})
    assert codes(spec, key=msgspec.structs.replace(GOOD, can_withdraw=can_withdraw)) == []


def test_a_trial_order_that_is_refused_stops_its_market() -> None:
    found = judge(build_spec(), Facts(key=GOOD, trials={BTC: "", ETH: "FilterFailure: LOT_SIZE"}))
    assert [(hold.code, hold.market) for hold in found] == [("TrialOrderRefused", ETH)]


def test_a_fee_above_the_collar_and_a_minimum_above_the_limit_are_found() -> None:
    filters = msgspec.structs.replace(build_filters(BTC), minimum_notional=Decimal(2_500))
    found = codes(filters={BTC: filters}, fees={BTC: Fees(Decimal(0), Decimal("0.03"))})
    assert found == ["MinimumAboveLimit", "FeeAboveCollar"]


def test_a_suspended_market_is_found() -> None:
    assert codes(filters={BTC: msgspec.structs.replace(build_filters(BTC), active=False)}) == [
        "MarketSuspended"
    ]


def test_what_the_exchange_does_not_answer_does_not_pass() -> None:
    assert codes(key=None, unanswered={"key permissions": "timeout"}) == ["PreflightUnanswered"]


@pytest.mark.parametrize(("price", "quantity"), [("100", "0.06"), ("60000", "0.0001"), ("3", "2")])
def test_a_trial_order_is_above_every_minimum(price: str, quantity: str) -> None:
    filters = build_filters(BTC)
    trial = smallest_trial(Decimal(price), filters)
    assert trial == Decimal(quantity)
    assert trial * Decimal(price) >= filters.minimum_notional
    assert trial % filters.lot == 0


# --- in the core --------------------------------------------------------------------------------------------


def live(**spec: Any) -> Desk:
    return Desk(tuning=Tuning(replicas=2, preflight=True)).lead(**spec)


def passed(desk: Desk, *findings: Hold, fingerprints: tuple[str, ...] = ()) -> None:
    desk.feed(fx.PreflightRead(findings=findings, fingerprints=fingerprints))


def condition(desk: Desk) -> Check:
    desk.advance(6_000)
    report = desk.published(ExecutionReport)[-1]
    return next(check for check in report.checks if check.type == "Preflight")


def denied(desk: Desk, market: str = BTC) -> str:
    """The code that a decision is denied with; nothing may have been sent."""
    decision = desk.decide("1", market)
    assert desk.sends() == []
    outcome, code = desk.outcomes()[decision]
    assert outcome is Outcome.DENIED
    return code


def test_orders_wait_while_the_preflight_is_pending_and_leave_when_it_has_passed() -> None:
    desk = live()
    desk.decide("1")
    assert condition(desk).reason == "PreflightPending"
    assert desk.sends() == []
    passed(desk)
    desk.advance(300)
    assert len(desk.sends()) == 1


def test_orders_go_out_once_it_has_passed() -> None:
    desk = live()
    passed(desk)
    desk.decide("1")
    assert len(desk.sends()) == 1
    assert condition(desk).ok


def test_a_clock_that_is_not_known_well_enough_is_a_reason_and_nothing_is_sent() -> None:
    desk = live()
    passed(desk)
    assert condition(desk).ok
    slow = {"sent_ms": desk.now_ms - 600, "received_ms": desk.now_ms, "exchange_ms": desk.exchange_ms() - 300}
    desk.core.ctx.clock = ExchangeClock()
    desk.feed(fx.ClockSampled(**slow))
    assert denied(desk) == "ClockSkew"
    assert (condition(desk).ok, condition(desk).reason) == (False, "ClockSkew")


def test_a_finding_forbids_and_is_the_reason_of_the_condition() -> None:
    desk = live()
    passed(desk, Hold("KeyCanWithdraw", "the key may withdraw"))
    assert denied(desk) == "KeyCanWithdraw"
    shown = condition(desk)
    assert (shown.ok, shown.reason) == (False, "KeyCanWithdraw")


def test_a_finding_of_one_market_leaves_the_other_alone() -> None:
    desk = live()
    passed(desk, Hold("TrialOrderRefused", "LOT_SIZE", BTC))
    assert denied(desk, BTC) == "TrialOrderRefused"
    desk.decide("1", ETH)
    assert len(desk.sends()) == 1


def test_an_account_that_never_traded_does_not_even_sell_what_it_adopted() -> None:
    held = [{"symbol": BTC, "quantity": "2", "averagePrice": "100"}]
    desk = live(capital={"initialPositions": held})
    desk.decide("0")
    assert desk.sends() == []


def test_an_account_that_has_traded_may_reduce_while_a_new_leader_still_checks() -> None:
    desk = live()
    passed(desk)
    desk.decide("2")
    [send] = desk.sends()
    desk.fill(send.cid)
    successor = Desk("b", tuning=Tuning(replicas=2, preflight=True), log=desk.log)
    successor.replay()
    successor.now_ms = desk.now_ms + 1_000
    successor.lead()
    successor._event = 10
    successor.decide("0")
    assert len(successor.sends()) == 1


def test_a_wallet_below_the_allocation_is_refused_until_it_is_filled() -> None:
    desk = live()
    desk.reconcile(balances=(Balance(asset="USDT", free=Decimal(9_000), total=Decimal(9_000)),))
    passed(desk)
    assert denied(desk) == "BalanceBelowAllocation"
    desk.advance(1_100)
    desk.reconcile(balances=(Balance(asset="USDT", free=Decimal(10_000), total=Decimal(10_000)),))
    desk.decide("1")
    assert len(desk.sends()) == 1


def test_a_wallet_that_was_enough_once_may_be_lower_later() -> None:
    desk = live()
    passed(desk)
    desk.decide("1")
    [send] = desk.sends()
    desk.fill(send.cid)
    desk.reconcile(balances=(Balance(asset="BTC", free=Decimal(1), total=Decimal(1)),))
    desk.decide("2")
    assert len(desk.sends()) == 1


def test_a_raised_allocation_is_looked_for_in_the_wallet_again() -> None:
    desk = live()
    passed(desk)
    desk.advance(100)
    desk.control(capital={"allocation": "200000"})
    assert denied(desk) == "BalanceBelowAllocation"


# --- exclusive --------------------------------------------------------------------------------------------


def clearance(desk: Desk, cleared: tuple[str, ...] = (), shared: str = "") -> None:
    desk.feed(fx.ControlRead(generation=2, spec=build_spec(), cleared=cleared, shared=shared))


def test_an_exchange_account_that_the_operator_has_not_cleared_is_not_used() -> None:
    desk = live()
    passed(desk, fingerprints=("k", "a"))
    desk.decide("1")
    assert condition(desk).reason == "ExchangeAccountUnchecked"
    clearance(desk, cleared=("k",))
    assert condition(desk).reason == "ExchangeAccountUnchecked"
    assert desk.sends() == []
    clearance(desk, cleared=("k", "a"))
    desk.advance(300)
    assert len(desk.sends()) == 1


def test_an_exchange_account_that_another_account_uses_is_not_used() -> None:
    desk = live()
    passed(desk, fingerprints=("k", "a"))
    clearance(desk, shared="TradingAccount bob/bob")
    assert denied(desk) == "ExchangeAccountShared"
    assert "bob/bob" in condition(desk).message


def test_fingerprints_are_reported_and_survive_the_loss_of_the_lead() -> None:
    desk = live()
    passed(desk, fingerprints=("k", "a"))
    condition(desk)
    assert desk.published(ExecutionReport)[-1].fingerprints == ("k", "a")
    assert desk.core.successor().ctx.fingerprints == ("k", "a")


def test_the_later_of_two_installations_on_one_exchange_account_finds_the_others_order_and_stops() -> None:
    desk = live()
    passed(desk)
    stranger = OrderReport(
        client_order_id="sTabcdefghijkl2345",
        order_id="9",
        market=BTC,
        side=Side.BUY,
        status=VenueStatus.OPEN,
        price=Decimal(90),
        quantity=Decimal(1),
        filled=Decimal(0),
        time_ms=desk.exchange_ms(),
    )
    desk.reconcile(stranger)
    assert denied(desk) == "SharedExchangeAccount"
    desk.reconcile()
    desk.advance(1_100)
    assert denied(desk) == "SharedExchangeAccount"
    assert desk.take(fx.Cancel) == []
