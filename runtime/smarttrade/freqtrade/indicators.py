"""The small indicators that freqtrade strategies import as `qtpylib`, over whole columns.

Written from their definitions. What bites: deviations are those of a sample (n - 1), and bands begin with
the rows that there are, so the first values of a frame are made of less than a window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame, Series


def _column(values: Any, like: Any) -> Series:
    """A scalar or an array as a column beside `like`."""
    if isinstance(values, Series):
        return values
    return Series(values, index=like.index if isinstance(like, Series) else None)


def crossed(series1: Any, series2: Any, direction: str | None = None) -> Series:
    """Rows in which the first is on the other side of the second than in the row before."""
    first = _column(series1, series2)
    second = _column(series2, first)
    above = (first > second) & (first.shift(1) <= second.shift(1))
    below = (first < second) & (first.shift(1) >= second.shift(1))
    return above | below if direction is None else above if direction == "above" else below


def crossed_above(series1: Any, series2: Any) -> Series:
    return crossed(series1, series2, "above")


def crossed_below(series1: Any, series2: Any) -> Series:
    return crossed(series1, series2, "below")


def _windows(series: Series, window: int, fold: Callable[..., Any], **options: Any) -> Series:
    """Every whole window for itself: running sums would carry rounding from row to row."""
    whole = np.lib.stride_tricks.sliding_window_view(series.to_numpy(dtype=float), window)
    folded = np.concatenate([np.full(window - 1, np.nan), fold(whole, axis=-1, **options)])
    return Series(folded, index=series.index)


def rolling_mean(series: Any, window: int = 200, min_periods: int | None = None) -> Series:
    series, least = Series(series), min_periods or window
    if least == window < len(series):
        return _windows(series, window, np.mean)
    return series.rolling(window, min_periods=least).mean()


def rolling_std(series: Any, window: int = 200, min_periods: int | None = None) -> Series:
    series, least = Series(series), min_periods or window
    if least == window < len(series):
        return _windows(series, window, np.std, ddof=1)
    return series.rolling(window, min_periods=least).std()


def rolling_min(series: Any, window: int = 14, min_periods: int | None = None) -> Series:
    return Series(series).rolling(window, min_periods=min_periods or window).min()


def rolling_max(series: Any, window: int = 14, min_periods: int | None = None) -> Series:
    return Series(series).rolling(window, min_periods=min_periods or window).max()


def rolling_weighted_mean(series: Any, window: int = 200, min_periods: int | None = None) -> Series:
    return Series(series).ewm(span=window, min_periods=min_periods or window).mean()


def hull_moving_average(series: Any, window: int = 200, min_periods: int | None = None) -> Series:
    """Hull's mean of exponentially weighted ones: twice the half window's less the window's, smoothed."""
    lag = 2 * rolling_weighted_mean(series, window / 2, min_periods or window)  # type: ignore[arg-type]
    lag -= rolling_weighted_mean(series, window, min_periods)
    return rolling_weighted_mean(lag, np.sqrt(window), min_periods or window)


sma, wma, hma = rolling_mean, rolling_weighted_mean, hull_moving_average


def bollinger_bands(series: Any, window: int = 20, stds: float = 2) -> DataFrame:
    """Columns `upper`, `mid`, `lower`."""
    mean = rolling_mean(series, window, 1)
    spread = stds * rolling_std(series, window, 1)
    return DataFrame({"upper": mean + spread, "mid": mean, "lower": mean - spread})


def weighted_bollinger_bands(series: Any, window: int = 20, stds: float = 2) -> DataFrame:
    mean = rolling_weighted_mean(series, window)
    spread = stds * rolling_std(series, window)
    return DataFrame({"upper": mean + spread, "mid": mean, "lower": mean - spread})


def typical_price(bars: DataFrame) -> Series:
    return (bars["high"] + bars["low"] + bars["close"]) / 3.0


def mid_price(bars: DataFrame) -> Series:
    return (bars["high"] + bars["low"]) / 2.0


def ibs(bars: DataFrame) -> Series:
    """Where in its range a candle closed, 0 to 1, to two places."""
    return ((bars["close"] - bars["low"]) / (bars["high"] - bars["low"])).round(2)


def true_range(bars: DataFrame) -> Series:
    before = bars["close"].shift(1)
    ranges = [bars["high"] - bars["low"], (bars["high"] - before).abs(), (bars["low"] - before).abs()]
    return pd.concat(ranges, axis=1).max(axis=1)


def atr(bars: DataFrame, window: int = 14, exp: bool = False) -> Series:
    ranges = true_range(bars)
    return rolling_weighted_mean(ranges, window) if exp else rolling_mean(ranges, window)


def heikinashi(bars: DataFrame) -> DataFrame:
    """Candles averaged with the one before: columns `open`, `high`, `low`, `close`."""
    close = (bars["open"] + bars["high"] + bars["low"] + bars["close"]) / 4
    opened = np.empty(len(bars))
    value = (bars["open"].iloc[0] + bars["close"].iloc[0]) / 2 if len(bars) else 0.0
    for row, closed in enumerate(close.to_numpy()):
        opened[row] = value
        value = (value + closed) / 2
    columns = DataFrame({"open": opened, "close": close.to_numpy()}, index=bars.index)
    high = pd.concat([bars["high"], columns], axis=1).max(axis=1)
    low = pd.concat([bars["low"], columns], axis=1).min(axis=1)
    return DataFrame({"open": columns["open"], "high": high, "low": low, "close": columns["close"]})


def awesome_oscillator(df: DataFrame, weighted: bool = False, fast: int = 5, slow: int = 34) -> Series:
    middle = mid_price(df)
    if weighted:
        return (middle.ewm(fast).mean() - middle.ewm(slow).mean()).rename(None)
    return rolling_mean(middle, fast) - rolling_mean(middle, slow)


def macd(series: Any, fast: int = 3, slow: int = 10, smooth: int = 16) -> DataFrame:
    """Columns `macd`, `signal`, `histogram`."""
    line = rolling_weighted_mean(series, fast) - rolling_weighted_mean(series, slow)
    signal = rolling_weighted_mean(line, smooth)
    return DataFrame({"macd": line, "signal": signal, "histogram": line - signal})


def rsi(series: Any, window: int = 14) -> Series:
    """Wilder's relative strength index, begun with plain means."""
    changes = np.diff(np.asarray(series, dtype=float))
    result = np.zeros(len(changes) + 1)
    gain = changes[: window + 1].clip(min=0).sum() / window
    loss = -changes[: window + 1].clip(max=0).sum() / window
    result[:window] = 100.0 - 100.0 / (1.0 + gain / loss)
    for row in range(window, len(result)):
        change = changes[row - 1]
        gain = (gain * (window - 1) + max(change, 0.0)) / window
        loss = (loss * (window - 1) + max(-change, 0.0)) / window
        result[row] = 100.0 - 100.0 / (1.0 + gain / loss)
    return Series(result, index=getattr(series, "index", None))


def rolling_vwap(bars: DataFrame, window: int = 200, min_periods: int | None = None) -> Series:
    least = min_periods or window
    paid = (bars["volume"] * typical_price(bars)).rolling(window, min_periods=least).sum()
    return paid / bars["volume"].rolling(window, min_periods=least).sum()


def zscore(bars: DataFrame, window: int = 20, stds: float = 1, col: str = "close") -> Series:
    return (bars[col] - rolling_mean(bars[col], window)) / (rolling_std(bars[col], window) * stds)


def roc(series: Any, window: int = 14) -> Series:
    """Change over `window` rows, as a ratio of the older value."""
    before = Series(series).shift(window)
    return (Series(series) - before) / before


def returns(series: Any) -> Series:
    return Series(series).pct_change().replace([np.inf, -np.inf], np.nan)


def log_returns(series: Any) -> Series:
    return np.log(Series(series)).diff().replace([np.inf, -np.inf], np.nan)


def keltner_channel(bars: DataFrame, window: int = 14, atrs: float = 2) -> DataFrame:
    """Columns `upper`, `mid`, `lower`: a mean of typical prices and `atrs` average ranges around it."""
    middle = rolling_mean(typical_price(bars), window)
    spread = atrs * atr(bars, window)
    return DataFrame({"upper": middle + spread, "mid": middle, "lower": middle - spread})
