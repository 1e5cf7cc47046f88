"""A part of a history, so that a fold reads no more of it than it needs."""

from __future__ import annotations

from dataclasses import replace

from smarttrade.backtest.candles import CandleColumns, Column
from smarttrade.backtest.history import History


def cut(history: History, begin_ms: int, end_ms: int) -> History:
    """Candles that open at or after `begin_ms` and close by `end_ms`, of every market that has any."""
    parts = {market: _cut(candles, begin_ms, end_ms) for market, candles in history.candles.items()}
    return History({market: part for market, part in parts.items() if len(part)}, history.interval_ms)


def _cut(candles: CandleColumns, begin_ms: int, end_ms: int) -> CandleColumns:
    first = max(0, -(-(begin_ms - candles.first_ms) // candles.length_ms))
    last = max(first, min(len(candles), (end_ms - candles.first_ms) // candles.length_ms))
    return replace(
        candles,
        first_ms=candles.first_ms + first * candles.length_ms,
        open=_part(candles.open, first, last),
        high=_part(candles.high, first, last),
        low=_part(candles.low, first, last),
        close=_part(candles.close, first, last),
        volume=_part(candles.volume, first, last),
    )


def _part(column: Column, first: int, last: int) -> Column:
    return Column(column.numbers[first:last], column.places)
