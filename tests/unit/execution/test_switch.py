"""The dead man's switch: renewed in time, never beside a stop; after a firing protection comes first."""

from __future__ import annotations

from decimal import Decimal

import pytest

from smarttrade.api import RISK_ACKNOWLEDGEMENT
from smarttrade.errors import ConfigurationError
from smarttrade.exchange.reports import OrderReport, VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.context import Tuning
from smarttrade.execution.orders import Purpose
from smarttrade.execution.setup import check_capability
from smarttrade.messages import OrderStyle, Side
from tests.unit.execution.desk import BTC, Desk, build_spec

ARMED = {"deadMansSwitch": "Armed"}


@pytest.fixture
def desk() -> Desk:
    return Desk(tuning=Tuning(replicas=2, switch_ms=30_000)).lead(exchange=ARMED)


def timeouts(desk: Desk) -> list[int]:
    return [effect.timeout_ms for effect in desk.take(fx.ArmSwitch)]


def test_it_is_renewed_three_times_before_it_would_fire(desk: Desk) -> None:
    desk.advance(60_000)
    assert timeouts(desk) == [30_000] * 6


def test_it_is_not_armed_unless_the_object_says_so() -> None:
    desk = Desk(tuning=Tuning(replicas=2, switch_ms=30_000)).lead()
    desk.advance(60_000)
    assert timeouts(desk) == []


def test_it_is_disarmed_while_something_protective_rests_because_it_would_cancel_that_too(desk: Desk) -> None:
    desk.decide("1", stop_loss=Decimal(95))
    [entry] = desk.sends()
    desk.fill(entry.cid)
    assert timeouts(desk)[-1] == 0
    [stop] = desk.sends()
    desk.accept(stop.cid)
    desk.advance(20_000)
    assert timeouts(desk) == []


def foreign(market: str = BTC, status: VenueStatus = VenueStatus.OPEN) -> OrderReport:
    return OrderReport(
        client_order_id="somebody",
        order_id="o-somebody",
        market=market,
        side=Side.BUY,
        status=status,
        price=Decimal(90),
        quantity=Decimal(1),
        filled=Decimal(0),
        time_ms=1,
        trades=(),
    )


def told(desk: Desk) -> str:
    checks = [check for check in desk.report_now().checks if check.type == "DeadMansSwitchHeldBack"]
    assert all(check.ok for check in checks)
    return " ".join(check.message for check in checks)


@pytest.mark.parametrize("market", [BTC, "DOGE/USDT"])
def test_it_is_disarmed_and_says_so_while_an_order_of_somebody_else_rests(desk: Desk, market: str) -> None:
    desk.reconcile(foreign(market))
    assert timeouts(desk)[-1] == 0
    assert "it would cancel 1 open orders of others" in told(desk)
    assert "DeadMansSwitchHeldBack" in desk.core.ctx.problems
    desk.advance(20_000)
    assert timeouts(desk) == []
    desk.reconcile()
    assert timeouts(desk) == [30_000]
    assert told(desk) == ""
    assert "DeadMansSwitchHeldBack" not in desk.core.ctx.problems


def test_it_is_disarmed_as_soon_as_the_stream_tells_of_an_order_of_somebody_else(desk: Desk) -> None:
    desk.feed(fx.OrderSeen(report=foreign()))
    assert timeouts(desk)[-1] == 0
    desk.reconcile()
    assert timeouts(desk) == [30_000]
    desk.feed(fx.OrderSeen(report=foreign(status=VenueStatus.CANCELED)))
    assert timeouts(desk) == []


def test_a_new_leader_that_finds_protection_disarms_what_the_one_before_may_have_armed(desk: Desk) -> None:
    desk.decide("1", stop_loss=Decimal(95))
    [entry] = desk.sends()
    desk.fill(entry.cid)
    [stop] = desk.sends()
    desk.accept(stop.cid)
    timeouts(desk)
    new = Desk("b", tuning=Tuning(replicas=2, switch_ms=30_000), log=desk.log)
    new.now_ms = desk.now_ms + 2_000
    new.replay()
    new.feed(fx.ControlRead(generation=1, spec=build_spec(exchange=ARMED)))
    new.feed(fx.LeaseGained(until_ms=new.now_ms + 700))
    assert timeouts(new) == [0]
    new.lead(exchange=ARMED)
    new.answer_queries(new.report(stop.cid))
    new.advance(20_000)
    assert timeouts(new) == []


def test_a_new_leader_that_finds_nothing_to_protect_leaves_it_until_it_renews_it(desk: Desk) -> None:
    new = Desk("b", tuning=Tuning(replicas=2, switch_ms=30_000), log=desk.log)
    new.replay()
    new.feed(fx.ControlRead(generation=1, spec=build_spec(exchange=ARMED)))
    new.feed(fx.LeaseGained(until_ms=new.now_ms + 700))
    assert timeouts(new) == []


def test_a_disarming_that_failed_is_tried_again_each_second_until_it_is_confirmed(desk: Desk) -> None:
    timeouts(desk)
    desk.switch_fails = True
    desk.reconcile(foreign())
    desk.advance(3_100)
    assert timeouts(desk) == [0] * 4
    desk.switch_fails = False
    desk.advance(5_000)
    assert timeouts(desk) == [0]


def test_an_arming_that_failed_may_have_had_its_effect_and_is_disarmed(desk: Desk) -> None:
    desk.switch_fails = True
    desk.advance(20_000)
    assert set(timeouts(desk)) == {30_000}
    desk.switch_fails = False
    desk.reconcile(foreign())
    desk.advance(1_100)
    assert timeouts(desk) == [0]


def test_nothing_is_asked_while_an_answer_is_outstanding(desk: Desk) -> None:
    timeouts(desk)
    desk.switch_answers = False
    desk.advance(11_000)
    assert timeouts(desk) == [30_000]
    desk.reconcile(foreign())
    desk.advance(3_000)
    assert timeouts(desk) == []
    desk.switch_answers = True
    desk.feed(fx.SwitchAnswered(timeout_ms=30_000))
    assert timeouts(desk) == [0]


def test_an_order_that_ended_unasked_is_told_as_a_firing_and_protection_comes_first() -> None:
    desk = Desk(tuning=Tuning(replicas=2, switch_ms=30_000)).lead(
        exchange=ARMED, risk={"protection": {"stopLoss": "0.05"}}
    )
    desk.decide("1")
    [entry] = desk.sends()
    desk.fill(entry.cid)
    [stop] = desk.sends()
    desk.accept(stop.cid)
    desk.decide("2", style=OrderStyle.PASSIVE)
    [bid] = desk.sends()
    desk.accept(bid.cid)
    for cid in (stop.cid, bid.cid):
        desk.feed(fx.OrderSeen(report=desk.report(cid, VenueStatus.CANCELED)))
    assert "DeadMansSwitchFired" in desk.core.ctx.problems
    [first] = desk.sends()
    assert desk.order(first.cid).purpose is Purpose.PROTECTIVE
    desk.advance(2_000)
    assert desk.sends() == []
    desk.accept(first.cid)
    desk.advance(2_000)
    assert [send.side for send in desk.sends()] == [Side.BUY]


def test_a_cancel_of_our_own_is_no_firing(desk: Desk) -> None:
    desk.decide("1", style=OrderStyle.PASSIVE)
    [bid] = desk.sends()
    desk.accept(bid.cid)
    desk.control(state="Paused", exchange=ARMED)
    desk.feed(fx.OrderSeen(report=desk.report(bid.cid, VenueStatus.CANCELED)))
    assert "DeadMansSwitchFired" not in desk.core.ctx.problems


def test_live_on_an_exchange_without_one_is_refused_with_what_to_change() -> None:
    spec = build_spec(exchange=ARMED)
    assert spec.risk_acknowledgement == RISK_ACKNOWLEDGEMENT
    with pytest.raises(ConfigurationError, match=r"binance has no dead man's switch .* Disarmed"):
        check_capability(spec)
