"""What is told about an account, and from when on."""

from __future__ import annotations

import pytest

from smarttrade.execution import effects as fx
from smarttrade.messages import AccountView, ExecutionReport
from tests.unit.execution.desk import BTC, Desk, build_spec


@pytest.fixture
def standby() -> Desk:
    """A process that was started anew, before it has read what its predecessor wrote."""
    leader = Desk("a").lead()
    leader.decide("1")
    for send in leader.sends():
        leader.fill(send.cid)
    started = Desk("b", log=leader.log)
    started.feed(fx.ControlRead(generation=1, spec=build_spec()))
    return started


def test_a_book_that_is_still_being_read_is_not_told_to_anyone(standby: Desk) -> None:
    standby.advance(10_000)
    assert standby.published(ExecutionReport) == []
    assert standby.published(AccountView) == []


def test_a_book_that_was_read_to_its_end_is_told_as_it_is(standby: Desk) -> None:
    standby.replay()
    standby.feed(fx.LogCaughtUp())
    [report], [view] = standby.published(ExecutionReport), standby.published(AccountView)
    assert report.fills == 1
    assert {p.market: p.quantity for p in report.positions}[BTC] > 0
    assert not view.leading


def test_who_starts_over_says_nothing_before_it_has_read_again(standby: Desk) -> None:
    standby.replay()
    standby.feed(fx.LogCaughtUp())
    successor = Desk("b", log=standby.log)
    successor.core = standby.core.successor()
    successor.advance(10_000)
    assert successor.published(ExecutionReport) == []
