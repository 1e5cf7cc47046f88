"""A part of a history, so that a fold reads no more of it than it needs."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from smarttrade.backtest.candles import CandleColumns, Column
from smarttrade.backtest.history import History
from smarttrade.backtest.trades import TradeHistory
from smarttrade.messages import Quote, Trade


def cut(history: History, begin_ms: int, end_ms: int) -> History:
    """Candles that open at or after `begin_ms` and close by `end_ms`, of every market that has any; of a
    history of trades also what happened in that time."""
    parts = {market: _cut(candles, begin_ms, end_ms) for market, candles in history.candles.items()}
    candles = {market: part for market, part in parts.items() if len(part)}
    if isinstance(history, TradeHistory):
        events = {market: _during(history.events[market], begin_ms, end_ms) for market in candles}
        return replace(history, candles=candles, events=events)
    return replace(history, candles=candles)


def _during(events: list[Trade | Quote], begin_ms: int, end_ms: int) -> list[Trade | Quote]:
    first, last = (bisect_left(events, time, key=lambda event: event.time_ms) for time in (begin_ms, end_ms))
    return events[first:last]


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
