"""`self.dp`: the candles that a strategy may look at besides the frame that it is given.

In a replay a callback sees candles that have closed by then, never the whole history.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pandas as pd
from pandas import DataFrame

COLUMNS = ["date", "open", "high", "low", "close", "volume"]
LONGEST = 1000
"""Rows of an analysed frame that a callback sees at most."""


class RunMode(Enum):
    LIVE = "live"
    DRY_RUN = "dry_run"
    BACKTEST = "backtest"
    HYPEROPT = "hyperopt"


class DataProvider:
    """`candles` maps pair and timeframe to a frame; `analyzed` pair to the frame with signals."""

    def __init__(self, pairs: tuple[str, ...], timeframe: str, runmode: RunMode) -> None:
        self.runmode = runmode
        self.candles: dict[tuple[str, str], DataFrame] = {}
        self.analyzed: dict[str, DataFrame] = {}
        self.seen: dict[str, int] = {}
        self._pairs = pairs
        self._timeframe = timeframe

    def current_whitelist(self) -> list[str]:
        return list(self._pairs)

    @property
    def available_pairs(self) -> list[tuple[str, str]]:
        return list(self.candles)

    def get_pair_dataframe(self, pair: str, timeframe: str | None = None, candle_type: str = "") -> DataFrame:
        """A copy of all candles known of a pair; empty where there are none."""
        frame = self.candles.get((pair, timeframe or self._timeframe))
        return DataFrame(columns=COLUMNS) if frame is None else frame.copy()

    def ohlcv(self, pair: str, timeframe: str | None = None, copy: bool = True, **_: Any) -> DataFrame:
        return self.get_pair_dataframe(pair, timeframe)

    historic_ohlcv = get_pair_dataframe

    def get_analyzed_dataframe(self, pair: str, timeframe: str) -> tuple[DataFrame, datetime]:
        """The frame with indicators and signals up to now, and when it was made."""
        frame = self.analyzed.get(pair)
        if frame is None or timeframe != self._timeframe:
            return DataFrame(), datetime.fromtimestamp(0, UTC)
        end = self.seen.get(pair, len(frame))
        part = frame.iloc[max(0, end - LONGEST) : end]
        made = part["date"].iloc[-1].to_pydatetime() if len(part) else datetime.fromtimestamp(0, UTC)
        return part, made

    def market(self, pair: str) -> dict[str, Any] | None:
        base, _, quote = pair.partition("/")
        return {"symbol": pair, "base": base, "quote": quote, "spot": True, "active": True}

    def send_msg(self, message: str, *, always_send: bool = False) -> None:
        """Nobody is told: a strategy's own messages would be sent by every replica."""


def build_frame(rows: list[tuple[int, float, float, float, float, float]]) -> DataFrame:
    """Candles as (open time in ms, open, high, low, close, volume)."""
    frame = DataFrame(rows, columns=COLUMNS)
    frame["date"] = pd.to_datetime(frame["date"], unit="ms", utc=True)
    return frame
