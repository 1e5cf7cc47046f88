"""From a wanted position to the next order: sizes, prices and the dead band. Pure arithmetic.

Quantities are rounded down to the lot, so a sell never exceeds the position and a buy never the target.
A marketable price is the collar's edge measured from a fresh mid, rounded towards the mid: the exchange
fills at the book's price, and the collar only bounds how bad that may be.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from smarttrade.exchange.reports import MarketFilters, OrderKind
from smarttrade.messages import OrderStyle, Quote, Side, Target

ZERO = Decimal(0)


class Leg(msgspec.Struct, frozen=True, gc=False):
    """One order that would bring the position nearer to its target."""

    side: Side
    kind: OrderKind
    price: Decimal
    quantity: Decimal
    reference: Decimal
    """The price at which the leg is expected to fill: the far side of the book, or its own limit."""


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    return value if step <= 0 else (value / step).to_integral_value(ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    return value if step <= 0 else (value / step).to_integral_value(ROUND_CEILING) * step


def middle(quote: Quote) -> Decimal:
    return (quote.bid + quote.ask) / 2


def dead_band(target: Decimal, price: Decimal, filters: MarketFilters, threshold: Decimal) -> Decimal:
    """The difference, in the base asset, below which a position counts as being at its target."""
    smallest_order = max(filters.lot, filters.minimum_quantity)
    by_notional = filters.minimum_notional / price if price > 0 else ZERO
    return max(smallest_order, by_notional, abs(target) * threshold)


def collar_price(side: Side, quote: Quote, filters: MarketFilters, collar: Decimal) -> Decimal:
    """The worst price at which a marketable order may fill."""
    mid = middle(quote)
    if side is Side.BUY:
        return floor_to(mid * (1 + collar), filters.tick)
    return ceil_to(mid * (1 - collar), filters.tick)


def marketable(
    side: Side,
    quantity: Decimal,
    limit: Decimal | None,
    quote: Quote,
    filters: MarketFilters,
    collar: Decimal,
) -> Leg:
    """LIMIT IOC at the collar, or at the decision's own limit where that is closer to the mid."""
    price = collar_price(side, quote, filters, collar)
    if limit is not None and side is Side.BUY:
        price = min(price, floor_to(limit, filters.tick))
    elif limit is not None:
        price = max(price, ceil_to(limit, filters.tick))
    best = quote.ask if side is Side.BUY else quote.bid
    reference = min(best, price) if side is Side.BUY else max(best, price)
    return Leg(side, OrderKind.LIMIT_IOC, price, floor_to(quantity, filters.lot), reference)


def passive(
    side: Side, quantity: Decimal, limit: Decimal | None, quote: Quote, filters: MarketFilters
) -> Leg:
    """Post-only at the best own side of the book, or at the decision's limit if further away."""
    if side is Side.BUY:
        price = floor_to(quote.bid if limit is None else min(limit, quote.bid), filters.tick)
    else:
        price = ceil_to(quote.ask if limit is None else max(limit, quote.ask), filters.tick)
    return Leg(side, OrderKind.POST_ONLY, price, floor_to(quantity, filters.lot), price)


def plan_leg(
    want: Target,
    position: Decimal,
    quote: Quote,
    filters: MarketFilters,
    *,
    collar: Decimal,
    maximum_notional: Decimal,
    patient: bool,
    below: Decimal | None = None,
) -> Leg:
    """The next order towards `want`; reducing ones are sliced to `maximum_notional`, opening ones are not,
    because a denial tells the strategy what a silent slice would hide. `patient`: it may still rest.
    `below`: a price at which the account sells itself, which a buy must not reach."""
    difference = want.quantity - position
    side = Side.BUY if difference > 0 else Side.SELL
    quantity = abs(difference)
    if side is Side.SELL:
        quantity = min(quantity, position)
        quantity = min(quantity, max(floor_to(maximum_notional / quote.bid, filters.lot), filters.lot))
    if want.style is OrderStyle.PASSIVE and patient:
        return passive(side, quantity, want.limit, quote, filters)
    leg = marketable(side, quantity, want.limit, quote, filters, collar)
    if side is Side.SELL or below is None or leg.price < below:
        return leg
    price = ceil_to(below, filters.tick) - filters.tick
    return Leg(side, leg.kind, price, leg.quantity, min(leg.reference, price))
