"""Long above, flat below, and the same from history as live."""

import math
from decimal import Decimal

import pytest

from smarttrade.errors import ConfigurationError
from smarttrade.messages import Decision, Target
from smarttrade.strategies.ma_cross import MovingAverageCross
from tests.unit.evaluation.strategies import candle, core, setup


def quantity(decision: Decision) -> Decimal:
    assert isinstance(decision.want, Target)
    return decision.want.quantity


def test_it_is_long_while_the_fast_average_is_above() -> None:
    made = core(MovingAverageCross(setup(), {"fast": 2, "slow": 4, "kind": "sma", "fraction": "0.5"}))
    closes = [100, 100, 100, 100, 110, 120, 120, 90, 80]
    decisions = [made.on_event(candle(minute, str(close))) for minute, close in enumerate(closes)]
    assert decisions[:3] == [[], [], []]
    held = [quantity(decision) for [decision] in decisions[3:]]
    assert held == [0, *[Decimal("22.72727272")] * 3, 0, 0]


def test_the_reason_says_what_was_seen() -> None:
    made = core(MovingAverageCross(setup(), {"fast": 1, "slow": 2, "kind": "sma"}))
    made.on_event(candle(0, "1"))
    assert made.on_event(candle(1, "2"))[0].reason == "sma(1) above sma(2)"


def test_declared_warm_up_is_enough_to_agree_with_a_longer_one() -> None:
    closes = [str(round(100 + 10 * math.sin(i / 17) + 3 * math.sin(i / 3.1), 2)) for i in range(1_200)]
    candles = [candle(minute, close) for minute, close in enumerate(closes)]
    strategies = [MovingAverageCross(setup()) for _ in range(2)]
    short, long = (core(strategy) for strategy in strategies)
    split, warmup = 700, strategies[0].warmup
    short.fill(candles[split - warmup : split])
    long.fill(candles[split - 2 * warmup : split])
    assert [short.on_event(each) for each in candles[split:]] == [
        long.on_event(each) for each in candles[split:]
    ]


def test_periods_must_go_together() -> None:
    with pytest.raises(ConfigurationError, match=r"fast \(30\) must be smaller than slow \(30\)"):
        MovingAverageCross(setup(), {"fast": 30})
