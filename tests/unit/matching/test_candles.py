"""Candle-driven fills: never the lucky path."""

from decimal import Decimal

import pytest

from smarttrade.matching import Status
from smarttrade.matching.candles import CandleModel, CandlePrices, apply_candle
from smarttrade.matching.units import to_units
from tests.unit.matching.desk import SYMBOL, Desk, free

EXACT = CandleModel(half_spread=Decimal(0), slippage=Decimal(0))


@pytest.fixture
def desk():
    desk = Desk()
    desk.trade("100", "1")
    return desk


@pytest.fixture
def alice(desk):
    return desk.user("alice")


def candle(desk, open_, high, low, close, volume="1000", model=EXACT):
    prices = [to_units(Decimal(text)) for text in (open_, high, low, close, volume)]
    apply_candle(desk.engine, SYMBOL, CandlePrices(*prices), desk.now_ms, model)
    desk.collect()


@pytest.mark.parametrize(("low", "filled"), [("95", []), ("94.99", [("95", "1")])])
def test_limit_needs_the_price_to_trade_through(desk, alice, low, filled):
    order = desk.place(alice, "buy", "1", "95")
    candle(desk, "100", "101", low, "100")
    assert desk.fills(order) == filled


def test_gap_does_not_improve_a_limit(desk, alice):
    order = desk.place(alice, "buy", "1", "95")
    candle(desk, "80", "85", "79", "82")
    assert desk.fills(order) == [("95", "1")]


@pytest.mark.parametrize(("open_", "price"), [("100", "89.95"), ("80", "79.96")])
def test_stop_fills_at_the_worse_of_stop_and_open_with_slippage(desk, alice, open_, price):
    order = desk.place(alice, "sell", "1", kind="STOP_LOSS", stop="90")
    candle(desk, open_, "101", "79", "85", model=CandleModel(Decimal(0), Decimal("0.0005")))
    assert desk.fills(order) == [(price, "1")]


def test_pair_reached_on_both_sides_books_the_loss(desk, alice):
    oco = desk.oco(alice, "sell", "1", "110", "90")
    candle(desk, "100", "120", "80", "115")
    limit, stop = oco.orders
    assert (limit.status, desk.fills(stop)) == (Status.EXPIRED, [("90", "1")])


def test_take_profit_needs_more_than_a_touch(desk, alice):
    order = desk.place(alice, "sell", "1", kind="TAKE_PROFIT", stop="110")
    candle(desk, "100", "110", "99", "105")
    assert not order.triggered
    candle(desk, "105", "110.01", "99", "105")
    assert desk.fills(order) == [("110", "1")]


def test_stop_limit_left_behind_by_a_gap_rests_and_fills_in_a_later_candle(desk, alice):
    order = desk.place(alice, "sell", "1", "89", kind="STOP_LOSS_LIMIT", stop="90")
    candle(desk, "80", "95", "79", "82")
    assert (order.triggered, desk.fills(order)) == (True, [])
    candle(desk, "82", "95", "81", "90")
    assert desk.fills(order) == [("89", "1")]


def test_participation_bounds_what_a_candle_fills(desk, alice):
    order = desk.place(alice, "buy", "10", "95")
    model = CandleModel(Decimal(0), Decimal(0), participation=Decimal("0.1"))
    candle(desk, "100", "101", "90", "100", volume="30", model=model)
    assert desk.fills(order) == [("95", "3")]


def test_order_placed_after_the_candle_pays_half_the_spread(desk, alice):
    candle(desk, "100", "101", "99", "100", model=CandleModel(half_spread=Decimal("0.001")))
    order = desk.place(alice, "buy", "1", "105", tif="IOC")
    assert desk.fills(order) == [("100.1", "1")]


def test_money_is_conserved_over_candles(desk, alice):
    desk.oco(alice, "sell", "1", "110", "90")
    desk.place(alice, "buy", "2", "95")
    for prices in (("100", "105", "91", "99"), ("99", "103", "85", "88"), ("88", "120", "80", "100")):
        candle(desk, *prices)
    assert (desk.total("BTC"), desk.total("USDT")) == (100, 1_000_000)
    assert free(alice, "BTC") == "101"
