"""From fills to round trips: from flat to flat in one market, at average cost.

A fee in the base asset takes from what was bought, and counts at the fill's price. What bites: such a fee
leaves a rest below one lot that cannot be sold; that still is flat, and its cost goes to the next trip.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from smarttrade.messages import Fill, Side

_ZERO = Decimal(0)


@dataclass(slots=True)
class Trip:
    """`profit` and `fees` in the quote asset, fees included in profit; `exit_ms` is the last sale's time."""

    market: str
    entry_ms: int
    exit_ms: int = 0
    bought: Decimal = _ZERO
    paid: Decimal = _ZERO
    sold: Decimal = _ZERO
    received: Decimal = _ZERO
    fees: Decimal = _ZERO
    profit: Decimal = _ZERO
    closed: bool = False

    def document(self) -> dict[str, Any]:
        return {
            "market": self.market,
            "entry_ms": self.entry_ms,
            "exit_ms": self.exit_ms if self.closed else None,
            "quantity": str(self.bought),
            "entry_price": str(self.paid / self.bought) if self.bought else None,
            "exit_price": str(self.received / self.sold) if self.sold else None,
            "fees": str(self.fees),
            "profit": str(self.profit) if self.closed else None,
        }


@dataclass(slots=True)
class _Market:
    base: str
    lot: Decimal
    held: Decimal = _ZERO
    cost: Decimal = _ZERO
    trip: Trip | None = None


def build_trips(fills: Iterable[Fill], lots: Mapping[str, Decimal]) -> list[Trip]:
    """Trips in the order of their entries; the last of a market may still be open."""
    markets: dict[str, _Market] = {}
    trips: list[Trip] = []
    for fill in fills:
        state = markets.get(fill.market)
        if state is None:
            base = fill.market.partition("/")[0]
            state = markets[fill.market] = _Market(base, lots.get(fill.market, _ZERO))
        if state.trip is None:
            state.trip = Trip(fill.market, fill.time_ms)
            trips.append(state.trip)
        _book(state, state.trip, fill)
    return trips


def _book(state: _Market, trip: Trip, fill: Fill) -> None:
    in_base = fill.fee if fill.fee_asset == state.base else _ZERO
    fee = in_base * fill.price if in_base else fill.fee
    worth = fill.price * fill.quantity
    trip.fees += fee
    if fill.side is Side.BUY:
        state.held += fill.quantity - in_base
        state.cost += worth + (fee - in_base * fill.price)
        trip.bought += fill.quantity
        trip.paid += worth
        return
    share = min(fill.quantity / state.held, Decimal(1)) if state.held > 0 else Decimal(1)
    released = state.cost * share
    state.cost -= released
    state.held -= fill.quantity + in_base
    trip.sold += fill.quantity
    trip.received += worth
    trip.profit += worth - released - (fee - in_base * fill.price)
    if state.held < max(state.lot, Decimal("1e-8")):
        trip.closed, trip.exit_ms, state.trip = True, fill.time_ms, None
