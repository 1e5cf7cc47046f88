"""Recorded quotes and trades: queue position, trading through, crossing."""

import pytest

from smarttrade.matching import Status
from tests.unit.matching.desk import Desk, free


@pytest.fixture
def desk():
    desk = Desk()
    desk.quote("100", "5", "101", "5")
    return desk


@pytest.fixture
def alice(desk):
    return desk.user("alice")


def test_order_fills_only_after_the_quantity_that_was_ahead_of_it(desk, alice):
    order = desk.place(alice, "buy", "2", "100")
    desk.trade("100", "4")
    assert desk.fills(order) == []
    desk.trade("100", "2")
    assert desk.fills(order) == [("100", "1")]


def test_quantity_shown_later_queues_behind(desk, alice):
    order = desk.place(alice, "buy", "2", "100")
    desk.quote("100", "50", "101", "5")
    desk.trade("100", "6")
    assert desk.fills(order) == [("100", "1")]


def test_cancellations_are_taken_from_behind_until_only_what_is_shown_can_be_ahead(desk, alice):
    order = desk.place(alice, "buy", "2", "100")
    desk.quote("100", "50", "101", "5")
    desk.quote("100", "5", "101", "5")
    desk.trade("100", "5")
    assert desk.fills(order) == []
    desk.quote("100", "1", "101", "5")
    desk.trade("100", "2")
    assert desk.fills(order) == [("100", "2")]


def test_price_trading_through_fills_in_full_at_the_limit(desk, alice):
    order = desk.place(alice, "buy", "20", "100")
    desk.trade("99.99", "0.001")
    assert (order.status, desk.fills(order)) == (Status.FILLED, [("100", "20")])


def test_a_touch_by_the_other_side_does_not_fill(desk, alice):
    order = desk.place(alice, "buy", "1", "99")
    desk.trade("99", "1", buyer_is_maker=False)
    assert desk.fills(order) == []


def test_quote_that_crosses_fills_up_to_the_size_shown(desk, alice):
    order = desk.place(alice, "buy", "2", "100.5")
    desk.quote("99", "5", "100.2", "0.5")
    assert desk.fills(order) == [("100.5", "0.5")]
    assert desk.state.book.best(-1) is None


def test_orders_of_users_share_a_trade_in_order_of_arrival(desk, alice):
    bob = desk.user("bob")
    first = desk.place(alice, "buy", "1", "100.5")
    second = desk.place(bob, "buy", "1", "100.5")
    desk.trade("100.5", "1.25")
    assert (desk.fills(first), desk.fills(second)) == ([("100.5", "1")], [("100.5", "0.25")])


def test_marketable_orders_take_what_is_shown_and_no_more(desk, alice):
    order = desk.place(alice, "buy", "7", "102", tif="IOC")
    assert desk.fills(order) == [("101", "5")]
    again = desk.place(alice, "buy", "1", "102", tif="IOC")
    assert desk.fills(again) == []
    desk.quote("100", "5", "101", "5")
    assert desk.fills(desk.place(alice, "buy", "1", "102", tif="IOC")) == [("101", "1")]


def test_recorded_trades_are_public_once_with_their_whole_quantity(desk, alice):
    desk.place(alice, "buy", "1", "100.5")
    desk.trade("100.5", "3")
    public = [event for event in desk.events if hasattr(event, "buyer_is_maker")]
    assert sum(trade.quantity for trade in public) == 3 * 10**8
    assert len({trade.id for trade in public}) == len(public) == 2


def test_the_world_pays_for_what_users_get(desk, alice):
    desk.place(alice, "buy", "3", "101", tif="IOC")
    assert free(alice, "BTC") == "103"
    assert (desk.total("BTC"), desk.total("USDT")) == (100, 1_000_000)


def test_a_quote_that_is_used_up_by_crossing_may_be_shown_again(desk, alice):
    order = desk.place(alice, "buy", "5", "100.5")
    desk.quote("100", "5", "100.5", "5")
    assert desk.fills(order) == [("100.5", "5")]
    desk.quote("100", "5", "100.5", "3")
    taker = desk.place(alice, "buy", "4", "100.5")
    assert desk.fills(taker) == [("100.5", "3")]
