"""Every built-in strategy: what it does, and that its history and its live decisions agree."""

import math
from decimal import Decimal
from typing import Any

import pytest

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.core import Core
from smarttrade.messages import (
    Candle,
    Decision,
    RestingOrders,
    Side,
    Target,
)
from smarttrade.strategies import BUILT_IN, load_built_in
from tests.unit.evaluation.strategies import MARKET, OTHER, candle, core, setup, trade, view

CLOSES = [
    str(round(100 + 10 * math.sin(i / 17) + 3 * math.sin(i / 3.1) + 2 * math.sin(i * i), 2))
    for i in range(1_300)
]


def made(name: str, **parameters: Any) -> Core:
    return core(load_built_in(name)(setup(), parameters))


def held(decisions: list[list[Decision]]) -> list[bool]:
    """Whether each candle's decision was to be long; candles without one are left out."""
    targets = [decision.want for each in decisions for decision in each]
    return [isinstance(target, Target) and target.quantity > 0 for target in targets]


def run(subject: Core, *closes: float) -> list[list[Decision]]:
    return [subject.on_event(candle(minute, str(close))) for minute, close in enumerate(closes)]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_strategy_states_its_weaknesses(name: str) -> None:
    module = __import__(load_built_in(name).__module__, fromlist=["x"])
    assert "Weakness" in (module.__doc__ or "")


@pytest.mark.parametrize("name", ["ma-cross", "rsi-reversion", "bollinger", "donchian"])
def test_declared_warm_up_agrees_with_twice_as_much(name: str) -> None:
    candles = [candle(minute, close) for minute, close in enumerate(CLOSES)]
    short, long = made(name), made(name)
    warmup, split = short.strategy.warmup, 700
    short.fill(candles[split - warmup : split])
    long.fill(candles[split - 2 * warmup : split])
    after = [(short.on_event(each), long.on_event(each)) for each in candles[split:]]
    assert held([one for one, _ in after]) == held([other for _, other in after])
    assert [[each.id for each in one] for one, _ in after] == [[each.id for each in two] for _, two in after]
    assert len(set(held([one for one, _ in after]))) == 2


def test_rsi_buys_weakness_and_sells_recovery() -> None:
    subject = made("rsi-reversion", period=2, oversold=20, recovered=60)
    assert held(run(subject, 100, 99, 97, 98, 104, 103)) == [True, True, False, False]


def test_bollinger_buys_below_the_band_and_sells_above_the_mean() -> None:
    subject = made("bollinger", period=4, width="1")
    assert held(run(subject, 100, 101, 100, 101, 95, 94, 99, 100)) == [False, True, True, False, False]


def test_donchian_buys_a_new_high_and_leaves_at_its_stop() -> None:
    subject = made("donchian", period=3, atr_period=2, stop="2")
    assert held(run(subject, 100, 101, 100, 102, 110, 109, 90, 91)) == [True, True, True, False, False]


def grid_orders(subject: Core, event: Candle) -> list[tuple[str, str]]:
    [decision] = subject.on_event(event)
    assert isinstance(decision.want, RestingOrders)
    return [(order.key, str(order.price.normalize())) for order in decision.want.orders]


def test_grid_rests_buys_below_and_sells_of_what_is_held_above() -> None:
    subject = made("grid", levels=2, step="0.01", fraction="1")
    assert grid_orders(subject, candle(0, "100")) == [("buy-1", "99"), ("buy-2", "98")]
    subject.on_view(view("0", "24"))  # of 2 * 24.27
    assert grid_orders(subject, candle(1, "100")) == [("buy-1", "99"), ("sell-1", "101")]
    subject.on_view(view("0", "25"))
    assert grid_orders(subject, candle(2, "100")) == [("sell-1", "101"), ("sell-2", "102")]


def test_grid_never_sells_more_than_is_held_nor_spends_more_than_its_share() -> None:
    subject = made("grid", levels=3, step="0.01", fraction="0.9")
    for quantity in ("0", "3", "20", "45", "100"):
        subject.on_view(view("0", quantity))
        [decision] = subject.on_event(candle(int(Decimal(quantity)), "100"))
        assert isinstance(decision.want, RestingOrders)
        orders = decision.want.orders
        sold = sum(order.quantity for order in orders if order.side is Side.SELL)
        spent = sum(order.quantity * order.price for order in orders if order.side is Side.BUY)
        assert sold <= Decimal(quantity)
        assert not spent or spent + Decimal(quantity) * 100 <= 4_500
        subject._opened.clear()


def test_all_that_a_grid_may_come_to_hold_is_never_worth_more_than_its_share_within_it() -> None:
    """Execution values it at the price now, not at those that it waits for."""
    subject = made("grid", levels=5, step="0.01", fraction="0.9")
    for number, close in enumerate(("100", "94.5", "105.9")):
        [decision] = subject.on_event(candle(number, close))
        assert isinstance(decision.want, RestingOrders)
        buys = sum(order.quantity for order in decision.want.orders if order.side is Side.BUY)
        assert buys * Decimal(close) <= 4_500


@pytest.mark.parametrize("levels", [1, 3, 6, 7, 13])
def test_grid_rests_all_of_its_buys_whatever_its_share_divides_to(levels: int) -> None:
    subject = made("grid", levels=levels, step="0.01", fraction="0.5")
    assert len(grid_orders(subject, candle(0, "100"))) == levels


def test_grid_moves_its_anchor_when_the_price_has_left_it() -> None:
    subject = made("grid", levels=1, step="0.01")
    assert grid_orders(subject, candle(0, "100")) == [("buy-1", "99")]
    assert grid_orders(subject, candle(1, "101.5")) == [("buy-1", "99")]
    assert grid_orders(subject, candle(2, "103")) == [("buy-1", "101.97")]


def test_dca_adds_to_what_is_held_at_its_times_and_stops_at_its_share() -> None:
    subject = made("dca", interval=60, amount="500")
    assert subject.on_event(trade(1, 59_000)) == []
    assert subject.on_event(trade(2, 60_000)) == []  # the account is not known
    subject.on_view(view("0", "2"))
    [decision] = subject.on_event(trade(3, 120_500))
    assert decision.event_key == "timer:buy:120000"
    assert isinstance(decision.want, Target)
    assert decision.want.quantity == 7
    subject.on_view(view("0", "46"))
    assert subject.on_event(trade(4, 180_500)) == []


def pair(**parameters: Any) -> Core:
    return core(load_built_in("pairs")(setup(MARKET, OTHER), parameters))


def wanted(subject: Core, minute: int, first: str, second: str) -> dict[str, bool]:
    """Which of the two is wanted, after the candles of one minute."""
    subject.on_event(candle(minute, first))
    decisions = subject.on_event(candle(minute, second, OTHER))
    return {decision.market: decision.want.quantity > 0 for decision in decisions}


def test_pairs_hold_the_cheap_one_until_the_ratio_is_back() -> None:
    subject = pair(period=10, entry="1.5", leave="0.5")
    for minute in range(10):
        wanted(subject, minute, str(100 + minute % 2), "50")
    assert wanted(subject, 10, "90", "50") == {MARKET: True, OTHER: False}
    assert wanted(subject, 11, "96", "50") == {MARKET: True, OTHER: False}
    assert wanted(subject, 12, "99.5", "50") == {MARKET: False, OTHER: False}
    assert wanted(subject, 13, "120", "50") == {MARKET: False, OTHER: True}


def test_pairs_decide_only_when_both_candles_are_there() -> None:
    subject = pair(period=10)
    for minute in range(12):
        assert subject.on_event(candle(minute, "100")) == []
        subject.on_event(candle(minute, "50", OTHER))


def quotes(subject: Core, number: int) -> dict[str, tuple[Decimal, Decimal]]:
    [decision] = subject.on_event(trade(number, number * 5_000 + 1))
    assert isinstance(decision.want, RestingOrders)
    return {order.key: (order.price, order.quantity) for order in decision.want.orders}


def test_the_market_maker_quotes_around_the_mid_and_sells_only_what_it_has() -> None:
    subject = made("avellaneda-stoikov", least_spread="0.01")
    assert subject.on_event(trade(1, 5_001)) == []
    assert set(quotes(subject, 2)) == {"buy"}
    subject.on_view(view("0", "22.5"))  # half of what it may hold: the inventory is on its target
    assert quotes(subject, 3) == {"buy": (Decimal("99.5"), 5), "sell": (Decimal("100.5"), 5)}


def test_the_market_maker_leans_against_its_inventory() -> None:
    middles = []
    for held in ("0", "22.5", "45"):
        subject = made("avellaneda-stoikov", risk_aversion="20", horizon=600)
        for number in range(1, 40):
            subject.on_event(trade(number, number * 5_000 + 1, str(100 + number % 2)))
        subject.on_view(view("0", held))
        [decision] = subject.on_event(trade(40, 200_001, "100"))
        prices = [order.price for order in decision.want.orders]
        middles.append((held, min(prices), max(prices)))
    assert middles[0][1] > middles[1][1]  # holds nothing: buys dearer than on target
    assert middles[2][2] < middles[1][2]  # holds too much: sells cheaper than on target


def test_the_market_maker_never_spends_more_than_its_share() -> None:
    subject = made("avellaneda-stoikov", fraction="0.5", order_size="0.3")
    subject.on_event(trade(1, 5_001))
    subject.on_view(view("0", "20"))
    assert quotes(subject, 2)["buy"][1] == 5  # of 25 that it may hold
    subject.on_view(view("0", "25"))
    assert set(quotes(subject, 3)) == {"sell"}


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("rsi-reversion", {"oversold": 60}, r"oversold \(60\) must be below recovered \(55\)"),
        ("pairs", {}, r"pairs needs exactly two markets, not 1: correct spec\.markets"),
        (
            "avellaneda-stoikov",
            {"order_size": "0.4", "fraction": "0.3"},
            r"must not exceed fraction \(0\.3\)",
        ),
        ("grid", {"levels": 20, "step": "0.1"}, r"levels \(20\) times step \(0\.1\) must be below 1"),
    ],
)
def test_parameters_must_go_together(name: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        made(name, **parameters)
