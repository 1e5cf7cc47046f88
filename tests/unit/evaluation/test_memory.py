"""A strategy that begins anew from its memory decides as if it had never stopped."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from smarttrade.evaluation.core import Core
from smarttrade.evaluation.memory import Remembered, UnusableMemoryError, read_memory
from smarttrade.evaluation.strategy import Strategy, Wants
from smarttrade.messages import MEMORY_LIMIT, Candle, Decision, decode, encode
from smarttrade.strategies import load_built_in
from tests.unit.evaluation.strategies import IDENTITY, MARKET, OTHER, candle, setup, view

MARK = "marked"
PRICES = [100 + minute * 7919 % 11 + minute % 5 for minute in range(500)]
PRICES[60:80] = [150] * 20  # out of the grid: its anchor moves


def build(name: str, **parameters: Any) -> Core:
    core = Core(IDENTITY, name, load_built_in(name)(setup(MARKET, OTHER), parameters), 1)
    core.on_view(view("0"))
    return core


def candles(*minutes: int) -> list[Candle]:
    return [
        candle(minute, str(PRICES[minute] + (market == OTHER) * minute % 3), market)
        for minute in minutes
        for market in (MARKET, OTHER)
    ]


def decided(core: Core, *minutes: int) -> list[bytes]:
    """What is decided on these candles, as it goes on the bus."""
    return [encode(decision) for each in candles(*minutes) for decision in core.on_event(each)]


def anew(name: str, memory: str, history: list[Candle], **parameters: Any) -> Core:
    restarted = build(name, **parameters)
    read = read_memory(memory, MARK, restarted.strategy)
    assert read is not None
    restarted.resume(read)
    restarted.fill(history)
    return restarted


@pytest.mark.parametrize("name", ["grid", "bollinger", "rsi-reversion", "donchian", "pairs", "ma-cross"])
def test_a_restarted_strategy_decides_the_same_to_the_byte(name: str) -> None:
    parameters = {"ma-cross": {"kind": "sma", "fast": 3, "slow": 8}, "pairs": {"period": 10}}.get(name, {})
    always = build(name, **parameters)
    always.fill(candles(*range(40)))
    decided(always, *range(40, 350))
    restarted = anew(name, always.remember(MARK), candles(*range(50, 350)), **parameters)
    assert _wants(decided(restarted, *range(350, 400))) == _wants(decided(always, *range(350, 400)))


def _wants(written: list[bytes]) -> list[tuple[str, Any]]:
    """Without the reason's figures: recursive means differ in the last digits of a double for long."""
    return [(each.id, each.want) for each in (decode(one, Decision) for one in written)]


def test_the_grids_anchor_is_the_one_that_it_began_with_and_its_decisions_are_the_same_bytes() -> None:
    always = build("grid", step="0.1")
    always.fill(candles(*range(40)))
    decided(always, *range(40, 58))
    history = candles(*range(30, 58))
    restarted = anew("grid", always.remember(MARK), history, step="0.1")
    without = build("grid", step="0.1")
    without.fill(history)
    later = decided(always, 58, 59)
    assert decided(restarted, 58, 59) == later
    assert decided(without, 58, 59) != later


def test_what_came_after_the_memory_is_replayed_on_it() -> None:
    always = build("grid")
    always.fill(candles(*range(40)))
    memory = always.remember(MARK)
    decided(always, *range(40, 90))  # the anchor moves at minute 60
    restarted = anew("grid", memory, candles(*range(90)))
    assert decided(restarted, 90, 91) == decided(always, 90, 91)


def test_a_memory_of_a_candle_that_has_not_come_yet_waits_for_it() -> None:
    always = build("grid")
    always.fill(candles(*range(40)))
    decided(always, 40)
    restarted = anew("grid", always.remember(MARK), candles(*range(20, 40)))
    assert decided(restarted, 40) == []
    assert decided(restarted, 41) == decided(always, 41)


def test_a_memory_between_two_markets_candles_of_one_time_is_not_mixed_with_the_second() -> None:
    always = build("grid")
    always.fill(candles(*range(60)))
    first, second = candles(60)
    always.on_event(first)
    memory = always.remember(MARK)
    always.on_event(second)
    restarted = anew("grid", memory, [second, first, *candles(*range(60))])
    assert decided(restarted, 61) == decided(always, 61)


def test_what_a_fraction_came_to_is_remembered_too() -> None:
    always = build("ma-cross", fast=1, slow=3, kind="sma")
    always.fill([candle(minute, "100") for minute in range(3)])
    always.on_event(candle(3, "110"))  # a cross: settled at this price
    for minute in range(4, 30):
        always.on_event(candle(minute, str(110 + minute)))
    memory = always.remember(MARK)
    restarted = anew(
        "ma-cross", memory, [candle(m, str(110 + m)) for m in range(10, 30)], fast=1, slow=3, kind="sma"
    )
    [one], [other] = restarted.on_event(candle(30, "150")), always.on_event(candle(30, "150"))
    assert one == other


def test_another_specifications_memory_is_not_taken() -> None:
    core = build("grid")
    assert read_memory(core.remember("one"), "other", core.strategy) is None
    assert read_memory("", "one", core.strategy) is None


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"v":2,"strategy":"marked","seen":[],"values":{}}',
        '{"strategy":"marked","seen":[[1]]}',
        '{"v":1,"strategy":"marked","seen":[],"values":{"_held":{},"anchors":{"BTC/USDT":[]}}}',
    ],
    ids=["text", "a list", "a later version", "cut", "another type"],
)
def test_a_memory_that_is_none_is_refused_before_anything_of_it_is_taken(text: str) -> None:
    with pytest.raises(UnusableMemoryError):
        read_memory(text, MARK, build("grid").strategy)


def test_a_memory_does_not_wait_for_a_series_that_the_strategy_has_no_more() -> None:
    seen = [(MARKET, "1m", 0), ("GONE/USDT", "1m", 9), (MARKET, "1h", 9)]
    values = {"anchors": {MARKET: "70"}, "other": 1}
    text = encode({"strategy": MARK, "seen": seen, "values": values}).decode()
    grid = anew("grid", text, [candle(0, "71")])
    [decision] = grid.on_event(candle(1, "71"))
    assert decision.reason == "anchor 70"


class Hoarder(Strategy):
    hoard = Remembered(dict[str, Any])

    def on_candle(self, candle: Candle) -> Wants:
        return self.target(candle.market, Decimal(1))


@pytest.mark.parametrize(
    ("hoarded", "says"),
    [("x" * MEMORY_LIMIT, f"keep at most {MEMORY_LIMIT}"), (object(), "not plain data")],
    ids=["too long", "an object"],
)
def test_what_cannot_be_remembered_is_refused_with_what_to_do(hoarded: object, says: str) -> None:
    strategy = Hoarder(setup())
    core = Core(IDENTITY, "hoarder", strategy, 1)
    strategy.hoard["it"] = hoarded
    with pytest.raises(UnusableMemoryError, match=says):
        core.remember(MARK)
