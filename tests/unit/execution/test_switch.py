"""The dead man's switch: renewed in time, never beside a stop; after a firing protection comes first."""

from __future__ import annotations

from decimal import Decimal

import pytest

from smarttrade.api import RISK_ACKNOWLEDGEMENT
from smarttrade.errors import ConfigurationError
from smarttrade.exchange.reports import VenueStatus
from smarttrade.execution import effects as fx
from smarttrade.execution.context import Tuning
from smarttrade.execution.orders import Purpose
from smarttrade.execution.setup import check_capability
from smarttrade.messages import OrderStyle, Side
from tests.unit.execution.desk import Desk, build_spec

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
