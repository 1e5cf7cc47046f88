"""The documented assumptions of freqtrade's backtests, one candle at a time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from smarttrade.freqtrade.interface import IStrategy
from smarttrade.freqtrade.rules import Bar, find_exits
from smarttrade.freqtrade.signals import NO_SIGNAL, Signal
from smarttrade.freqtrade.stops import stoploss_from_absolute, stoploss_from_open
from smarttrade.freqtrade.terms import read_terms
from smarttrade.freqtrade.trade import Trade

MINUTE = 60_000
EXIT = Signal(enter=False, exit=True, can_enter=False, enter_tag=None, exit_tag=None)
BOTH = Signal(enter=True, exit=True, can_enter=False, enter_tag=None, exit_tag=None)
TRAILING = {
    "trailing_stop": True,
    "trailing_stop_positive": 0.01,
    "trailing_stop_positive_offset": 0.03,
    "trailing_only_offset_is_reached": True,
}


def exits(
    prices: tuple[float, float, float, float], minutes: int = 5, signal: Signal = NO_SIGNAL, **said: Any
) -> list[tuple[str, float]]:
    """Ways out of a trade entered at 100 `minutes` before a candle of five minutes, fees left out."""
    strategy = IStrategy({})
    vars(strategy).update({"timeframe": "5m", "stoploss": -0.1, **said})
    trade = Trade(pair="BTC/USDT", open_ms=0, open_rate=100.0, amount=1.0, fee=0.0, tick=Decimal("0.01"))
    found = find_exits(strategy, read_terms(strategy), trade, Bar(minutes * MINUTE, *prices), signal)
    return [(each.reason, round(each.rate, 6)) for each in found]


@pytest.mark.parametrize(
    ("said", "minutes", "prices", "expected"),
    [
        ({"minimal_roi": {"0": 0.02}}, 5, (100, 105, 99, 101), [("roi", 102)]),
        ({"minimal_roi": {"0": 0.02}}, 5, (100, 101.9, 99, 101), []),
        ({"minimal_roi": {"0": 0.02}}, 5, (104, 106, 103, 105), [("roi", 103)]),
        ({"minimal_roi": {"0": 0.09, "60": 0.02}}, 60, (104, 106, 101, 105), [("roi", 104)]),
        ({"minimal_roi": {"0": 0.09, "62": 0.02}}, 65, (104, 106, 101, 105), [("roi", 102)]),
        ({"minimal_roi": {"0": 9, "60": -1}}, 60, (97, 99, 96, 98), [("roi", 97)]),
        ({}, 5, (95, 96, 89, 91), [("stop_loss", 90)]),
        ({}, 5, (88, 89, 80, 85), [("stop_loss", 88)]),
        ({"minimal_roi": {"0": 0.02}}, 5, (100, 105, 89, 91), [("stop_loss", 90), ("roi", 102)]),
        (TRAILING, 5, (100, 104, 102, 103), [("trailing_stop_loss", 102.96)]),
        (TRAILING, 5, (100, 102.9, 95, 96), []),
        (TRAILING, 0, (100, 104, 100, 103), [("trailing_stop_loss", 102)]),
        ({"trailing_stop": True}, 0, (100, 101, 90.5, 95), [("trailing_stop_loss", 90.5)]),
        (
            {**TRAILING, "minimal_roi": {"0": 0.02}},
            5,
            (100, 104, 102, 103),
            [("roi", 102), ("trailing_stop_loss", 102.96)],
        ),
    ],
)
def test_stops_and_profit_targets(
    said: dict[str, Any],
    minutes: int,
    prices: tuple[float, float, float, float],
    expected: list[tuple[str, float]],
) -> None:
    assert exits(prices, minutes, **said) == expected


@pytest.mark.parametrize(
    ("said", "signal", "expected"),
    [
        ({}, EXIT, [("exit_signal", 99)]),
        ({"use_exit_signal": False}, EXIT, []),
        ({"exit_profit_only": True}, EXIT, []),
        ({"sell_profit_only": True}, EXIT, []),
        ({}, BOTH, []),
        ({"minimal_roi": {"0": 0.01}}, BOTH, [("roi", 101)]),
        ({"minimal_roi": {"0": 0.01}, "ignore_roi_if_entry_signal": True}, BOTH, []),
        ({"custom_exit": lambda **_: "tired"}, NO_SIGNAL, [("tired", 99)]),
        ({"custom_exit": lambda **_: 1 / 0}, NO_SIGNAL, []),
    ],
)
def test_exit_signals(said: dict[str, Any], signal: Signal, expected: list[tuple[str, float]]) -> None:
    assert exits((99, 102, 98, 100), signal=signal, **said) == expected


def test_a_stop_of_the_strategys_own_only_rises() -> None:
    said = {"use_custom_stoploss": True, "custom_stoploss": lambda **_: -0.5}
    assert exits((100, 110, 91, 95), **said) == []
    said["custom_stoploss"] = lambda **now: stoploss_from_absolute(104, now["current_rate"])
    assert exits((106, 110, 103, 105), **said) == [("trailing_stop_loss", 104)]


def test_a_stop_lies_on_the_tick_above() -> None:
    trade = Trade(pair="X/Y", open_ms=0, open_rate=33.33, amount=1.0, fee=0.0, tick=Decimal("0.01"))
    trade.start_stop(-0.1)
    assert trade.stop_loss == 30.0


@pytest.mark.parametrize(
    ("stop", "profit", "expected"),
    [(-0.05, 0.1, 0.136364), (0.02, 0.1, 0.072727), (0.2, 0.1, 0.0), (0, -1, 1.0)],
)
def test_a_stop_seen_from_the_entry(stop: float, profit: float, expected: float) -> None:
    assert round(stoploss_from_open(stop, profit), 6) == expected
