"""A candle in the words of an exchange, before monitoring has judged it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class VenueCandle:
    """A candle as the exchange tells it. `closed`: the exchange says that it will not change any more."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closed: bool
