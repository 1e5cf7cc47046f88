"""Candles of several days: what a backtest makes of days is what an account makes of trades."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from smarttrade.backtest.candles import timeframe_of
from smarttrade.backtest.history import History, build_history, check_timeframes
from smarttrade.errors import ConfigurationError
from smarttrade.messages import Candle, Trade
from smarttrade.monitoring.candles import CandleBuilder
from smarttrade.simulator.recorded import RecordedCandle, Recording
from tests.unit.monitoring.events import MARKET, moment, trade

DAY, HOUR = 86_400_000, 3_600_000
FIRST = moment("2023-11-28")
LONG = ("3d", "1w", "1M")


def walk(days: int) -> list[Trade]:
    """A few trades a day, over the turn of the year and a leap day."""
    draw, trades = random.Random(7), []
    for day in range(days):
        for hour in sorted(draw.sample(range(24), 3)):
            at_ms = FIRST + day * DAY + hour * HOUR
            trades.append(trade(len(trades), at_ms, str(draw.randint(90, 110)), str(draw.randint(1, 5))))
    return trades


def daily(trades: list[Trade], days: int) -> History:
    rows = []
    for open_ms in range(FIRST, FIRST + days * DAY, DAY):
        part = [each for each in trades if open_ms <= each.time_ms < open_ms + DAY]
        prices = [each.price for each in part]
        volume = sum((each.quantity for each in part), Decimal(0))
        rows.append(RecordedCandle(open_ms, prices[0], max(prices), min(prices), prices[-1], volume))
    return build_history({MARKET: Recording(rows, [], [])})


def made_live(trades: list[Trade], first: Candle) -> list[Candle]:
    """Candles that an account makes of the trades, from the one after `first` on."""
    builder = CandleBuilder(first, trust_trades=True)
    builder.complete_after(first.open_ms)
    return [candle for each in trades for candle in builder.on_trade(each)]


@pytest.mark.parametrize("timeframe", LONG)
def test_a_backtest_makes_the_candles_that_an_account_makes_of_trades(timeframe: str) -> None:
    trades = walk(131)
    told = [candle for step in daily(trades, 130).steps([timeframe]) for candle in step.told]
    candles = [candle for candle in told if isinstance(candle, Candle)]
    live = made_live(trades, candles[0])
    assert len(candles) >= 3
    assert live[: len(candles) - 1] == candles[1:]


def test_within_one_instant_days_come_before_weeks_and_weeks_before_months() -> None:
    steps = list(daily(walk(70), 70).steps(["1M", "1w", "1d", "3d"]))
    monday = next(step for step in steps if step.time_ms == moment("2024-01-01"))
    assert [candle.timeframe for candle in monday.told if isinstance(candle, Candle)] == [
        "1d",
        "3d",
        "1w",
        "1M",
    ]


@pytest.mark.parametrize(("timeframe", "base"), [("1M", "3d"), ("1M", "1w"), ("1w", "3d")])
def test_what_cannot_be_cut_at_the_beginnings_is_refused(timeframe: str, base: str) -> None:
    length = {"3d": 3, "1w": 7}[base] * DAY
    begin = moment("2024-01-01")
    rows = [RecordedCandle(begin + n * length, *[Decimal(1)] * 5) for n in range(30)]
    with pytest.raises(ConfigurationError, match=f"candles of {timeframe} cannot be made"):
        check_timeframes(build_history({MARKET: Recording(rows, [], [])}), [timeframe])


def test_weeks_that_begin_on_another_day_than_live_ones_are_refused() -> None:
    rows = [RecordedCandle(moment("2024-01-04") + n * 7 * DAY, *[Decimal(1)] * 5) for n in range(4)]
    with pytest.raises(ConfigurationError, match="1w candles of BTC/USDT begin at other times"):
        build_history({MARKET: Recording(rows, [], [])})
    mondays = [replace(row, open_ms=row.open_ms - 3 * DAY) for row in rows]
    assert build_history({MARKET: Recording(mondays, [], [])}).timeframe == "1w"


def test_months_are_no_base_because_they_have_no_length() -> None:
    with pytest.raises(ConfigurationError, match=r"one of 1s, .* 1d, 3d, 1w$"):
        timeframe_of(31 * DAY)
