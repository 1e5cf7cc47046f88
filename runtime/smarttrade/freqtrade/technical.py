"""The names of the package `technical` that strategies import: resampling, and two indicators.

Own, because that package is licensed under the GPL. What bites: `resampled_merge` puts a longer candle
beside the row at whose end it is over, as freqtrade's own informative candles are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame, Series

from smarttrade.freqtrade.timeframes import timeframe_to_minutes

_HOW = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def resample_to_interval(dataframe: DataFrame, interval: int | str) -> DataFrame:
    """Candles of `interval` minutes (or a timeframe such as 1h) made of shorter ones."""
    minutes = timeframe_to_minutes(interval) if isinstance(interval, str) else interval
    whole = dataframe.set_index("date").resample(f"{minutes}min").agg(_HOW).dropna()
    return whole.reset_index()


def resampled_merge(original: DataFrame, resampled: DataFrame, fill_na: bool = True) -> DataFrame:
    """`original` with the columns of `resampled`, called `resample_MINUTES_NAME`."""
    length, minutes = _minutes(original), _minutes(resampled)
    renamed = resampled.rename(columns=lambda name: f"resample_{minutes}_{name}")
    known = resampled["date"] + pd.Timedelta(minutes=minutes - length)
    renamed["_known_from"] = known.astype(original["date"].dtype)
    merged = original.merge(renamed, how="left", left_on="date", right_on="_known_from")
    merged = merged.drop(columns="_known_from")
    return merged.ffill() if fill_na else merged


def compute_interval(dataframe: DataFrame, exchange_interval: bool = False) -> int | str:
    """Minutes between candles, or the timeframe's name."""
    minutes = _minutes(dataframe)
    if not exchange_interval:
        return minutes
    for length, unit in ((1440, "d"), (60, "h")):
        if minutes % length == 0:
            return f"{minutes // length}{unit}"
    return f"{minutes}m"


def _minutes(dataframe: DataFrame) -> int:
    return int(dataframe["date"].diff().min().total_seconds() // 60)


def chaikin_money_flow(dataframe: DataFrame, period: int = 21) -> Series:
    """Money flow volume over volume, both summed over `period` candles."""
    spread = dataframe["high"] - dataframe["low"]
    flow = ((dataframe["close"] - dataframe["low"]) - (dataframe["high"] - dataframe["close"])) / spread
    flow = flow.fillna(0.0) * dataframe["volume"]
    return flow.rolling(period).sum() / dataframe["volume"].rolling(period).sum()


cmf = chaikin_money_flow


def supertrend(dataframe: DataFrame, period: int = 10, multiplier: float = 3) -> tuple[Any, Any]:
    """The line (0 before it begins), and `up`, `down` or None of each row.

    A band of `multiplier` mean true ranges around the middle of the candle, which only tightens until a
    close breaks it.
    """
    import talib.abstract as ta

    high, low, close = (dataframe[name].to_numpy(dtype=float) for name in ("high", "low", "close"))
    ranges = ta.SMA(ta.TRANGE(dataframe), timeperiod=period)
    spread = multiplier * np.asarray(ranges, dtype=float)
    upper_basic, lower_basic = (high + low) / 2 + spread, (high + low) / 2 - spread
    line, direction = np.zeros(len(close)), np.full(len(close), None, dtype=object)
    upper = lower = 0.0
    on_upper = True
    for row in range(period, len(close)):
        before = close[row - 1]
        old_upper, old_lower = upper, lower
        upper = upper_basic[row] if upper_basic[row] < old_upper or before > old_upper else old_upper
        lower = lower_basic[row] if lower_basic[row] > old_lower or before < old_lower else old_lower
        if row == period:
            on_upper = close[row] <= upper
        else:
            on_upper = close[row] <= upper if on_upper else close[row] < lower
        line[row] = upper if on_upper else lower
        direction[row] = "down" if close[row] < line[row] else "up"
    return line, direction
