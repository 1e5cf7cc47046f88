"""Candles for the tests: 2,500 of five minutes of two pairs, the same everywhere."""

from __future__ import annotations

import functools
import random

import pandas as pd
from pandas import DataFrame

PAIRS = ("BTC/USDT", "ETH/USDT")
COUNT = 2_500
FIRST_MS = 1_640_995_200_000
_HOW = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def rows(pair: str, count: int = COUNT) -> list[tuple[int, float, float, float, float, float]]:
    """Open time in ms, open, high, low, close, volume; on ticks of a hundredth."""
    draw = random.Random(pair)
    price, drift, made = {"BTC/USDT": 40_000.0, "ETH/USDT": 3_000.0}[pair], 0.0, []
    for number in range(count):
        if number % 120 == 0:
            drift = draw.gauss(0, 0.0004)
        path = [price]
        for _ in range(4):
            path.append(path[-1] * (1 + draw.gauss(drift / 4, 0.0012)))
        path = [round(each, 2) for each in path]
        price = path[-1]
        made.append(
            (
                FIRST_MS + number * 300_000,
                path[0],
                max(path),
                min(path),
                path[-1],
                round(draw.uniform(1, 9), 5),
            )
        )
    return made


@functools.cache
def candles(count: int = COUNT) -> dict[tuple[str, str], DataFrame]:
    """Frames by pair and timeframe, whole candles only."""
    made = {}
    for pair in PAIRS:
        frame = DataFrame(rows(pair, count), columns=["date", *_HOW])
        frame["date"] = pd.to_datetime(frame["date"], unit="ms", utc=True)
        made[pair, "5m"] = frame
        for timeframe, length in (("30m", 6), ("1h", 12)):
            longer = (
                frame.iloc[: count - count % length].set_index("date").resample(timeframe.replace("m", "min"))
            )
            made[pair, timeframe] = longer.agg(_HOW).reset_index()
    return made
