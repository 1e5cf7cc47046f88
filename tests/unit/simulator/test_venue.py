"""The exchange behind the protocol: what queries find, and depth behind the best price."""

from decimal import Decimal

import pytest

from smarttrade.matching import BUY, SELL, Market, OrderRequest, OrderType
from smarttrade.simulator import history
from smarttrade.simulator.clock import ExchangeClock
from smarttrade.simulator.config import MarketConfig, UserConfig, build_market
from smarttrade.simulator.depth import deepen
from smarttrade.simulator.faults import FaultPlan
from smarttrade.simulator.journal import Journal
from smarttrade.simulator.venue import Venue


@pytest.fixture
def venue():
    return Venue([Market("BTC", "USDT")], ExchangeClock(), Journal(), FaultPlan())


@pytest.fixture
def alice(venue):
    config = UserConfig(name="alice", key="k", secret="s", balances={"USDT": Decimal(1000)})
    return venue.add_user(config).account


def buy(venue, alice, client_id):
    request = OrderRequest("BTC/USDT", BUY, OrderType.LIMIT, client_id, Decimal("0.1"), price=Decimal(100))
    return venue.place(alice, request)[0]


def test_oldest_finished_orders_make_room_and_open_ones_stay(venue, alice, monkeypatch):
    monkeypatch.setattr(history, "ORDERS_KEPT", 10)
    resting = buy(venue, alice, "resting")
    for number in range(30):
        venue.cancel(buy(venue, alice, f"c{number}"))
    kept = venue.history.orders["alice"]
    assert len(kept) <= 10
    assert kept[resting.id] is resting
    assert venue.history.find_by_client_id(alice, "BTC/USDT", "c0") is None
    assert venue.history.find_by_client_id(alice, "BTC/USDT", "c29") is not None


def test_client_id_finds_its_newest_order(venue, alice):
    venue.cancel(buy(venue, alice, "same"))
    newer = buy(venue, alice, "same")
    assert venue.history.find_by_client_id(alice, "BTC/USDT", "same") is newer


@pytest.mark.parametrize(("side", "best"), [(BUY, 100_00), (SELL, 100_01)])
def test_levels_behind_the_best_keep_their_size_while_the_market_moves(side, best):
    market = Market("BTC", "USDT")
    here = deepen(market, best * 10**6, 5 * 10**8, side, 20)
    moved = deepen(market, (best + side * 2) * 10**6, 5 * 10**8, side, 20)
    assert len(here) == len(moved) == 20
    common = (set(here) & set(moved)) - {best * 10**6, (best + side * 2) * 10**6}
    assert len(common) >= 15
    assert all(here[price] == moved[price] > 0 for price in common)
    assert all((price - best * 10**6) * side <= 0 for price in here)


@pytest.mark.parametrize(
    ("symbol", "price", "tick", "step"),
    [
        ("BTC/USDT", "60000", "0.01", "0.00001"),
        ("DOGE/USDT", "0.1", "1E-7", "1"),
        ("XRP/ETH", "0.0015", "1E-8", "1"),
        ("PEPE/USDT", "0.00001", "1E-8", "1"),
    ],
)
def test_rules_of_a_market_follow_from_its_price(symbol, price, tick, step):
    market = build_market(MarketConfig(symbol=symbol), Decimal(price))
    assert (market.tick_size, market.step_size) == (Decimal(tick), Decimal(step))
