"""Candles of all intervals from trades, against folding the trades by hand."""

import random

import pytest

from smarttrade.simulator.candles import INTERVALS, CandleSeries, interval_start

START = 1_700_000_000_000 // 86_400_000 * 86_400_000


def random_trades(count=3000):
    rng, now = random.Random(5), START
    for number in range(count):
        now += rng.choice((5, 50, 400, 3000))
        yield now, rng.randrange(90, 110) * 10**8, rng.randrange(1, 9) * 10**7, rng.random() < 0.5, number


@pytest.mark.parametrize("interval", ["1s", "1m", "3m", "1h"])
def test_candles_equal_the_trades_within_them(interval):
    series, trades = CandleSeries(), list(random_trades())
    for trade in trades:
        series.add_trade(*trade)
    rows = series.query(interval, None, None, 10_000)
    last_close = None
    for row in rows:
        inside = [t for t in trades if row.open_ms <= t[0] <= row.close_ms]
        if inside:
            assert (row.close, row.trades) == (inside[-1][1], len(inside))
            assert row.volume == sum(t[2] for t in inside)
            assert row.taker_volume == sum(t[2] for t in inside if not t[3])
            prices = [t[1] for t in inside]
            assert (row.open, row.high, row.low) == (prices[0], max(prices), min(prices))
        else:
            assert (row.open, row.high, row.low, row.close, row.volume) == (last_close,) * 4 + (0,)
        last_close = row.close
    assert [row.open_ms for row in rows] == list(
        range(rows[0].open_ms, rows[-1].open_ms + 1, INTERVALS[interval])
    )


def test_weeks_begin_on_monday():
    monday = 1_699_833_600_000
    assert interval_start("1w", monday) == interval_start("1w", monday + 6 * 86_400_000) == monday
    assert interval_start("1w", monday - 1) == monday - 7 * 86_400_000


def test_closed_candles_are_told_once():
    series = CandleSeries()
    series.add_trade(START, 100, 1, True, 1)
    series.advance(START + 120_000)
    names = [name for name, _ in series.take_closed()]
    assert (names.count("1s"), names.count("1m"), series.take_closed()) == (120, 2, [])
