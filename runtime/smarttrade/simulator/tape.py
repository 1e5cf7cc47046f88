"""A market's path: an endless, ordered stream of trades and quotes by elapsed market time.

A tape is a pure function of its source (file or seed): the same one gives the same path in every run. Prices
and quantities are the engine's units.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from smarttrade.matching import Market


@dataclass(frozen=True, slots=True)
class TapeTrade:
    """One trade; `buyer_is_maker` says that a seller hit a bid."""

    elapsed_ms: float
    symbol: str
    price: int
    quantity: int
    buyer_is_maker: bool


@dataclass(frozen=True, slots=True)
class TapeQuote:
    """Best bid and ask with their sizes."""

    elapsed_ms: float
    symbol: str
    bid: int
    bid_size: int
    ask: int
    ask_size: int


TapeEvent = TapeTrade | TapeQuote
Tape = Iterator[TapeEvent]


def merge_tapes(tapes: list[Tape]) -> Tape:
    """One stream in order of time; at the same instant in order of the list."""
    return heapq.merge(*tapes, key=lambda event: event.elapsed_ms)


def quote_around(market: Market, trade: TapeTrade, size_factor: int = 1) -> TapeQuote:
    """One tick wide, with the traded price on the side that was hit and a multiple of its size on both."""
    tick = market.tick_units
    bid = max(tick, trade.price if trade.buyer_is_maker else trade.price - tick)
    size = trade.quantity * size_factor
    return TapeQuote(trade.elapsed_ms, trade.symbol, bid, size, bid + tick, size)
