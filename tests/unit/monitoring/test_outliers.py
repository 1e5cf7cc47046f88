"""Ticks far from those before them are delivered, flagged and counted, never dropped."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from smarttrade.backtest.trades import build_trade_history
from smarttrade.messages import MarketBatch, Quote, Trade, decode, encode
from smarttrade.monitoring.clock import ExchangeClock
from smarttrade.monitoring.market import MarketMonitor
from smarttrade.monitoring.metrics import Metrics
from smarttrade.monitoring.outliers import WINDOW, OutlierRule, flag_trade
from smarttrade.simulator.recorded import RecordedTrade, Recording
from tests.unit.monitoring.events import MARKET, quote, trade

SECOND = 1_000


def judge(rule: OutlierRule, price: float, time_ms: int) -> bool:
    return rule.judge(Decimal(str(price)), time_ms)


def settled(*prices: float) -> OutlierRule:
    """A rule that has seen these prices again and again, one a second, until the window is full of them."""
    rule = OutlierRule()
    for second in range(WINDOW):
        judge(rule, prices[second % len(prices)], second * SECOND)
    return rule


NOW = WINDOW * SECOND


def test_nothing_is_an_outlier_before_there_are_fifty_prices() -> None:
    rule = OutlierRule()
    judged = [judge(rule, price, n * SECOND) for n, price in enumerate([100.0] * (WINDOW - 1) + [900.0])]
    assert not any(judged)
    assert judge(rule, 900.0, NOW)


@pytest.mark.parametrize(("price", "outlier"), [(100.4, False), (99.6, False), (100.6, True), (99.4, True)])
def test_after_equal_prices_half_a_per_cent_is_no_outlier(price: float, outlier: bool) -> None:
    assert judge(settled(100.0), price, NOW) is outlier


@pytest.mark.parametrize(("price", "outlier"), [(110.4, False), (89.6, False), (110.6, True), (89.4, True)])
def test_in_a_market_that_swings_ten_deviations_more_are_none(price: float, outlier: bool) -> None:
    """The median of 99 and 101 is 100, and each deviates from it by 1."""
    assert judge(settled(99.0, 101.0), price, NOW) is outlier


def test_a_crash_is_flagged_at_first_and_then_is_the_price() -> None:
    rule = settled(100.0)
    judged = [judge(rule, 80.0, NOW + second * SECOND) for second in range(WINDOW)]
    assert judged == [True] * (WINDOW // 2) + [False] * (WINDOW // 2)


def test_errors_between_good_prices_do_not_make_these_outliers() -> None:
    rule = settled(100.0)
    for number in range(200):
        price = 5.0 if number % 3 == 0 else 100.0
        assert judge(rule, price, NOW + number * 100) is (price == 5.0)


@given(st.lists(st.floats(50, 150), max_size=80), st.lists(st.floats(50, 150), max_size=80), st.data())
def test_pods_that_began_at_different_times_agree(
    one: list[float], other: list[float], data: st.DataObject
) -> None:
    common = data.draw(st.lists(st.floats(50, 150), min_size=WINDOW, max_size=90))
    rules = [OutlierRule(), OutlierRule()]
    for rule, before in zip(rules, (one, other), strict=True):
        for price in before:
            judge(rule, price, 1)
        for number, price in enumerate(common):
            judge(rule, price, 2 * SECOND + number * 37)
    for number in range(20):
        price, time_ms = data.draw(st.floats(1, 1_000)), 10 * SECOND + number * 333
        assert len({judge(rule, price, time_ms) for rule in rules}) == 1


# --- what is done with them ------------------------------------------------------------------------------


class Scene:
    def __init__(self) -> None:
        self.delivered: list[Any] = []
        self.registry = CollectorRegistry()
        venue: Any = type("Venue", (), {"consecutive_trade_ids": True})()
        self.monitor = MarketMonitor(
            venue,
            MARKET,
            ExchangeClock(),
            self.delivered.append,
            Metrics(self.registry),
            stale_ms=5_000,
            copy=self._copy,
        )

    async def _copy(self, market: str, first: int, last: int) -> list[Trade]:
        return []

    def counted(self, stream: str) -> float | None:
        labels = {"market": MARKET, "stream": stream}
        return self.registry.get_sample_value("smarttrade_ticks_outlying_total", labels)


async def test_an_outlying_trade_is_delivered_in_its_place_flagged_counted_and_told_once() -> None:
    scene = Scene()
    usual = [trade(number, number * SECOND, "100") for number in range(1, WINDOW + 1)]
    far = [trade(WINDOW + n, (WINDOW + n) * SECOND, "180") for n in (1, 2, 3)]
    back = trade(WINDOW + 4, (WINDOW + 4) * SECOND, "100")
    with capture_logs() as logs:
        await scene.monitor.tape.deliver([*usual, *far, back])
    assert [each.id for each in scene.delivered] == [str(number) for number in range(1, WINDOW + 5)]
    assert [each.id for each in scene.delivered if each.outlier] == [each.id for each in far]
    assert scene.counted("trade") == 3
    told = [entry for entry in logs if entry["event"] == "trade far from those before it"]
    assert [(entry["trade"], entry["price"], entry["usual"]) for entry in told] == [
        (far[0].id, "180", "99.5 to 100.5")
    ]
    copied = await asyncio.wait_for(scene.monitor.tape.copy(WINDOW, WINDOW + 1), 1)
    assert [each.outlier for each in copied] == [False, True]


def test_an_outlying_quote_is_delivered_flagged_counted_and_told_once() -> None:
    scene = Scene()
    with capture_logs() as logs:
        for number in range(1, WINDOW + 4):
            bid, ask = ("99", "101") if number <= WINDOW else ("119", "121")
            made = msgspec.structs.replace(quote(bid, ask, number), time_ms=number * SECOND)
            scene.monitor._take_quote(made)
    assert [each.update_id for each in scene.delivered if each.outlier] == [WINDOW + n for n in (1, 2, 3)]
    assert len(scene.delivered) == WINDOW + 3
    assert scene.counted("quote") == 3
    assert [(entry["event"], entry["usual"]) for entry in logs] == [
        ("quote far from those before it", "99.5 to 100.5")
    ]


def test_a_wide_spread_around_the_same_middle_is_no_outlier() -> None:
    scene = Scene()
    for number in range(1, WINDOW + 4):
        bid, ask = ("99.9", "100.1") if number <= WINDOW else ("90", "110")
        scene.monitor._take_quote(msgspec.structs.replace(quote(bid, ask, number), time_ms=number * SECOND))
    assert not any(each.outlier for each in scene.delivered)


def test_the_flag_travels_and_costs_nothing_where_there_is_none() -> None:
    usual, far = trade(1, 1), msgspec.structs.replace(trade(2, 2), outlier=True)
    wide = msgspec.structs.replace(quote("1", "2"), outlier=True)
    batch = MarketBatch(feed="f", seq=1, events=[usual, far, wide])
    written = encode(batch)
    assert written.count(b"outlier") == 2
    assert decode(written, MarketBatch).events == [usual, far, wide]


def test_a_backtest_of_the_same_trades_flags_the_same_ones() -> None:
    draw, rows, price = random.Random(3), [], 100.0
    for number in range(600):
        price *= 1 + draw.gauss(0, 0.001)
        shown = price * (1.2 if draw.random() < 0.02 else 1)
        rows.append(trade(number + 1, 1_000_000 + number * 250, f"{shown:.2f}"))
    rule = OutlierRule()
    live = [flag_trade(rule, each).outlier for each in rows]
    recorded = [RecordedTrade(each.time_ms, each.price, each.quantity, False) for each in rows]
    events = build_trade_history({MARKET: Recording([], recorded, [])}).events[MARKET]
    assert [event.outlier for event in events if not isinstance(event, Quote)] == live
    assert 3 < sum(live) < 30
