"""How much the account could hold if the worst happened to everything that is out.

Long and short are bounded apart: flat with a buy of 8 and a sell of 8 is 8, not 0, because either may fill
alone. An order of unknown fate counts whole. The legs of an OCO group exclude one another, so a group
counts once, as its greatest leg.

Notionals are at the market's mark price. A buy below the market therefore counts at what it would
be worth, which is never less than what it costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from smarttrade.execution.ledger import ZERO
from smarttrade.messages import Side


class WorkingOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An own order that may still fill; `remaining` is the base quantity that may yet change the position."""

    cid: str
    market: str
    side: Side
    remaining: Decimal
    price: Decimal
    group: str = ""


class MarketExposure(msgspec.Struct, frozen=True, gc=False):
    """Base quantities of one market: the signed position and what is out on either side (both positive)."""

    position: Decimal = ZERO
    buys: Decimal = ZERO
    sells: Decimal = ZERO
    buy_cost: Decimal = ZERO

    @property
    def long(self) -> Decimal:
        """The most that the position can become."""
        return self.position + self.buys

    @property
    def short(self) -> Decimal:
        """The least that the position can become; below zero is short."""
        return self.position - self.sells

    @property
    def worst(self) -> Decimal:
        """The greatest absolute position that either side can lead to."""
        return max(abs(self.long), abs(self.short))

    @property
    def open(self) -> bool:
        """Whether a position is held, or an order that may open one is out."""
        return bool(self.position) or self.long > 0 or self.short < 0

    def reducible(self, side: Side) -> Decimal:
        """How much an order on this side may be without crossing zero in the worst case."""
        return max(ZERO, self.short if side is Side.SELL else self.long.copy_negate())

    def reduces(self, side: Side, quantity: Decimal) -> bool:
        """Whether an order can only make the position smaller, whatever else fills."""
        return quantity <= self.reducible(side)

    def crosses_zero(self, side: Side, quantity: Decimal) -> bool:
        """Whether an order could turn a position over, or go short where there is none.

        A sell must be covered by the position. A buy crosses only if a short position is held.
        """
        if self.reduces(side, quantity):
            return False
        return side is Side.SELL or self.short < 0


class Exposure(msgspec.Struct, frozen=True, gc=False):
    """Every market's exposure; a market that is not there has none."""

    markets: Mapping[str, MarketExposure]

    def of(self, market: str) -> MarketExposure:
        return self.markets.get(market) or MarketExposure()

    def with_order(self, market: str, side: Side, quantity: Decimal, price: Decimal) -> Exposure:
        """As if an order were out."""
        known = self.of(market)
        buys, sells, cost = known.buys, known.sells, known.buy_cost
        if side is Side.BUY:
            buys, cost = buys + quantity, cost + quantity * price
        else:
            sells += quantity
        return Exposure({**self.markets, market: MarketExposure(known.position, buys, sells, cost)})

    def notional(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Worst case of all markets together, in the quote asset; KeyError names a market without a mark."""
        return sum((each.worst * marks[market] for market, each in self.markets.items() if each.worst), ZERO)

    @property
    def buy_cost(self) -> Decimal:
        """Quote that all working buys together may cost, at their own prices."""
        return sum((each.buy_cost for each in self.markets.values()), ZERO)

    @property
    def open_markets(self) -> tuple[str, ...]:
        return tuple(sorted(market for market, each in self.markets.items() if each.open))


def build_exposure(positions: Mapping[str, Decimal], orders: Iterable[WorkingOrder]) -> Exposure:
    """Worst case per market from signed positions and every own order that may still fill."""
    by_market: dict[str, list[WorkingOrder]] = {market: [] for market in positions}
    for order in orders:
        by_market.setdefault(order.market, []).append(order)
    return Exposure(
        {
            market: _market_exposure(positions.get(market, ZERO), working)
            for market, working in by_market.items()
        }
    )


def _market_exposure(position: Decimal, orders: list[WorkingOrder]) -> MarketExposure:
    if not orders:
        return MarketExposure(position)
    greatest = _one_leg_a_group(orders)
    buys = [order for order in greatest if order.side is Side.BUY]
    sells = [order for order in greatest if order.side is Side.SELL]
    return MarketExposure(
        position=position,
        buys=sum((order.remaining for order in buys), ZERO),
        sells=sum((order.remaining for order in sells), ZERO),
        buy_cost=sum((order.remaining * order.price for order in buys), ZERO),
    )


def _one_leg_a_group(orders: list[WorkingOrder]) -> list[WorkingOrder]:
    alone = [order for order in orders if not order.group]
    legs: dict[tuple[str, Side], WorkingOrder] = {}
    for order in orders:
        if order.group:
            known = legs.get((order.group, order.side))
            if known is None or order.remaining > known.remaining:
                legs[order.group, order.side] = order
    return alone + list(legs.values())
