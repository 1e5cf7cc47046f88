"""A strategy's answer to a frame of candles: the frame with its indicators and signals.

What bites: the signal of a row is known when its candle has closed, so it is acted on in the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from pandas import DataFrame

from smarttrade.freqtrade.informative import find_informatives, merge_informatives

_OLD = {
    "entry": {"buy": "enter_long", "buy_tag": "enter_tag"},
    "exit": {"sell": "exit_long", "sell_tag": "exit_tag"},
}
SIGNALS = ("enter_long", "exit_long", "enter_short", "exit_short")
TAGS = ("enter_tag", "exit_tag")


@dataclass(frozen=True, slots=True)
class Signal:
    """What one row says. An entry that meets an exit, or a wish to go short, is none."""

    enter: bool
    exit: bool
    can_enter: bool
    enter_tag: str | None
    exit_tag: str | None


NO_SIGNAL = Signal(False, False, False, None, None)


def analyse(strategy: Any, pair: str, candles: DataFrame) -> DataFrame:
    """The strategy's indicators and signals over all of `candles`, which is left as it is."""
    metadata = {"pair": pair}
    frame = merge_informatives(strategy, candles.copy(), pair, find_informatives(type(strategy)))
    frame = strategy.populate_indicators(frame, metadata)
    frame = _renamed(strategy.populate_entry_trend(frame, metadata), "entry", "enter_long")
    return _renamed(strategy.populate_exit_trend(frame, metadata), "exit", "exit_long")


def _renamed(frame: DataFrame, side: str, newest: str) -> DataFrame:
    return frame if newest in frame.columns else frame.rename(columns=_OLD[side])


def read_signals(frame: DataFrame) -> list[Signal]:
    """One a row."""
    count = len(frame)
    flags = [(frame[name] == 1).tolist() if name in frame else [False] * count for name in SIGNALS]
    tags = [_tags(frame[name]) if name in frame else [None] * count for name in TAGS]
    return [
        Signal(enter, exit_, enter and not exit_ and not short, enter_tag, exit_tag)
        for enter, exit_, short, _, enter_tag, exit_tag in zip(*flags, *tags, strict=True)
    ]


def _tags(column: Any) -> list[str | None]:
    return [None if pd.isna(value) else str(value) for value in column.tolist()]
