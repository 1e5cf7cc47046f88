"""Candles of every timeframe for the comparison with freqtrade: recorded, and made up from a seed.

Made-up prices are a geometric walk whose drift and volatility change every few days, so that trends, ranges
and crashes all come; they are on ticks of a hundredth, as the exchange's would be.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

MINUTE_MS = 60_000
LENGTHS = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "12h": 720, "1d": 1440}
_HOW = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def recorded(path: Path) -> pd.DataFrame:
    """One-minute candles of a CSV file, times without a candle flat."""
    frame = pd.read_csv(path)
    opened = pd.to_datetime(frame["timestamp"], utc=True)
    frame.index = pd.DatetimeIndex(opened)
    frame = frame[list(_HOW)].resample("1min").agg(_HOW)
    frame["close"] = frame["close"].ffill()
    for column in ("open", "high", "low"):
        frame[column] = frame[column].fillna(frame["close"])
    frame["volume"] = (frame["volume"].fillna(0.0) / frame["close"]).round(8)
    return frame


def made_up(seed: int, count: int, minutes: int, price: float, volatility: float) -> pd.DataFrame:
    """`count` candles of `minutes`; `volatility` is that of one candle."""
    draw = np.random.default_rng(seed)
    regime = np.repeat(draw.normal(0, 0.08, count // 200 + 1), 200)[:count]
    calm = np.repeat(draw.uniform(0.4, 1.8, count // 150 + 1), 150)[:count]
    steps = (
        draw.standard_t(4, (count, 4)) * (volatility / 2 * calm)[:, None] + (regime * volatility / 4)[:, None]
    )
    path = price * np.exp(np.clip(np.cumsum(steps.ravel()), -3, 3)).reshape(count, 4)
    opened = np.concatenate([[price], path[:-1, -1]])
    whole = np.column_stack([opened, path]).round(2)
    index = pd.date_range("2021-01-01", periods=count, freq=f"{minutes}min", tz="UTC")
    volume = (draw.lognormal(3, 1, count) * (1 + 40 * np.abs(steps).sum(axis=1))).round(5)
    columns = {"open": whole[:, 0], "high": whole.max(1), "low": whole.min(1), "close": whole[:, -1]}
    return pd.DataFrame({**columns, "volume": volume}, index=index)


def write(frame: pd.DataFrame, pair: str, minutes: int, folder: Path) -> None:
    """Every timeframe that is a multiple of the frame's, whole candles only: BASE-QUOTE-TIMEFRAME.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    end = frame.index[-1] + pd.Timedelta(minutes=minutes)
    for timeframe, length in LENGTHS.items():
        if length % minutes:
            continue
        whole = frame.resample(f"{length}min").agg(_HOW)
        whole = whole[(whole.index >= frame.index[0]) & (whole.index + pd.Timedelta(minutes=length) <= end)]
        whole["volume"] = whole["volume"].round(8)
        whole.insert(0, "date", whole.index.as_unit("ms").astype("int64"))
        whole.to_csv(folder / f"{pair.replace('/', '-')}-{timeframe}.csv", index=False)


def prepare(recording: Path, folder: Path) -> None:
    """Four sets: `recorded` (one month of 1m), `short` (60 days of 5m), `long` (four years of 1h), and its
    first 250 days, `year`."""
    write(recorded(recording), "BTC/USDT", 1, folder / "recorded")
    for seed, (pair, price) in enumerate([("BTC/USDT", 40_000), ("ETH/USDT", 3_000), ("ETH/BTC", 75)]):
        write(made_up(seed, 60 * 288, 5, price, 0.002), pair, 5, folder / "short")
        hours = made_up(seed, 1460 * 24, 60, price, 0.008)
        write(hours, pair, 60, folder / "long")
        write(hours.iloc[: 250 * 24], pair, 60, folder / "year")
