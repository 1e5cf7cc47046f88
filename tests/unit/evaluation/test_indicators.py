"""Incremental indicators equal their definitions over the whole series."""

import math
import random
from decimal import Decimal

import pytest

from smarttrade.evaluation.indicators import ATR, EMA, RSI, SMA, Bollinger, Donchian

SERIES = [100 + 10 * math.sin(i / 5) + random.Random(7).random() * i % 3 for i in range(200)]


def test_sma_is_the_mean_of_the_window() -> None:
    made = SMA(5)
    values = [made.update(value) for value in SERIES]
    assert values[:4] == [None] * 4
    assert values[60] == pytest.approx(sum(SERIES[56:61]) / 5)


def test_ema_follows_its_recursion_from_the_first_mean() -> None:
    made = EMA(3)
    assert [made.update(value) for value in (1, 2, 3, 5, 9)] == [None, None, 2.0, 3.5, 6.25]


def test_rsi_of_the_textbook() -> None:
    closes = "44.34 44.09 44.15 43.61 44.33 44.83 45.10 45.42 45.84 46.08 45.89 46.03 45.61 46.28 46.28"
    made = RSI(14)
    for close in closes.split():
        made.update(Decimal(close))
    assert made.value == pytest.approx(70.46, abs=0.01)


@pytest.mark.parametrize(("step", "expected"), [(1, 100), (-1, 0), (0, 50)])
def test_rsi_of_a_straight_line(step: int, expected: float) -> None:
    made = RSI(3)
    for i in range(10):
        made.update(100 + step * i)
    assert made.value == expected


def test_atr_counts_gaps() -> None:
    made = ATR(2)
    assert made.update(10, 8, 9) is None
    assert made.update(15, 14, 14) == pytest.approx((2 + 6) / 2)
    assert made.update(14, 13, 13) == pytest.approx(4 + (1 - 4) / 2)


def test_bollinger_is_mean_and_population_deviation() -> None:
    made = Bollinger(4, 2.0)
    for value in (2, 4, 4, 6):
        made.update(value)
    assert (made.lower, made.value, made.upper) == pytest.approx(
        (4 - 2 * math.sqrt(2), 4, 4 + 2 * math.sqrt(2))
    )


def test_donchian_is_the_range_of_the_window() -> None:
    made = Donchian(2)
    for high, low in ((10, 5), (8, 6), (9, 7)):
        made.update(high, low)
    assert (made.lower, made.upper) == (6, 9)
