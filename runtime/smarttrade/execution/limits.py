"""What each limit finds wrong with an order; `risk` says in which order and to which orders they apply.

A finding names the value and the limit. None means that the limit has nothing against the order.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from smarttrade.execution.orders import Purpose
from smarttrade.execution.state import Protection, Reducing
from smarttrade.execution.view import Hold, Kind, Proposal, View
from smarttrade.messages import Side

Finding = str | None
KEPT_FOR_EXITS = 4
"""Of the orders that may be open in a market: a pair that protects, and what replaces or sells it."""
_PROTECTIVE = (Purpose.PROTECTIVE, Purpose.STOP_EXIT)


def classify(proposal: Proposal, view: View) -> Kind:
    """What an order does to the worst case. Protection that the position does not cover is no protection."""
    if not view.of(proposal.market).reduces(proposal.side, proposal.quantity):
        return Kind.OPENING
    return Kind.PROTECTIVE if proposal.purpose in _PROTECTIVE else Kind.REDUCING


def market_listed(proposal: Proposal, view: View) -> Finding:
    if any(market.symbol == proposal.market for market in view.spec.markets):
        return None
    return f"{proposal.market} is not in spec.markets"


def daily_loss(proposal: Proposal, view: View) -> Finding:
    loss, limit = view.losses.daily_loss(view.valuation.pnl), view.spec.risk.max_daily_loss
    if loss < limit:
        return None
    return f"lost {_plain(loss)} since the daily reset, risk.maxDailyLoss is {_plain(limit)}"


def drawdown(proposal: Proposal, view: View) -> Finding:
    fall = view.losses.drawdown(view.valuation.allocation, view.valuation.pnl)
    limit = view.spec.risk.max_drawdown
    if fall < limit:
        return None
    return f"equity fell {_plain(fall)} from its peak, risk.maxDrawdown is {_plain(limit)}"


def state(proposal: Proposal, view: View) -> Finding:
    if view.state.permissions.new_entries or _may_reduce(proposal, view):
        return None
    return f"the account is {view.state.explanation}"


def _may_reduce(proposal: Proposal, view: View) -> bool:
    permissions = view.state.permissions
    match classify(proposal, view):
        case Kind.PROTECTIVE:
            return permissions.protection is Protection.KEPT
        case Kind.REDUCING:
            exits = permissions.reducing is Reducing.EXIT and proposal.purpose is Purpose.FLATTEN
            return exits or permissions.reducing is Reducing.DECISIONS
        case _:
            return False


def first_order(proposal: Proposal, view: View) -> Finding:
    return hold(proposal, view) if view.first else None


def hold(proposal: Proposal, view: View) -> Finding:
    return next((hold.message for hold in holds(proposal, view) if not hold.waits), None)


def holds(proposal: Proposal, view: View) -> Iterator[Hold]:
    return (hold for hold in view.holds if hold.market in ("", proposal.market))


def waiting(proposal: Proposal, view: View, kind: Kind) -> Hold | None:
    """What the order has to wait for."""
    if kind is not Kind.OPENING and not view.first:
        return None
    return next((hold for hold in holds(proposal, view) if hold.waits), None)


def allowed_sides(proposal: Proposal, view: View) -> Finding:
    allowed = [str(side) for side in view.spec.risk.allowed_sides]
    if str(proposal.side) in allowed or proposal.purpose is Purpose.FLATTEN:
        return None
    return f"side {proposal.side} is not in risk.allowedSides [{', '.join(allowed)}]"


def crosses_zero(proposal: Proposal, view: View) -> Finding:
    exposure = view.of(proposal.market)
    if not exposure.crosses_zero(proposal.side, proposal.quantity):
        return None
    return (
        f"{proposal.side} {_plain(proposal.quantity)} of {proposal.market} may turn the position over: "
        f"{_plain(exposure.position)} held, {_plain(exposure.reducible(proposal.side))} of it free"
    )


def collar(proposal: Proposal, view: View) -> Finding:
    mid = view.marks.get(proposal.market)
    if mid is None:
        return f"{proposal.market} has no price to measure risk.priceCollar from"
    share = view.spec.risk.price_collar
    limit = mid * (1 + share if proposal.side is Side.BUY else 1 - share)
    beyond = proposal.price > limit if proposal.side is Side.BUY else proposal.price < limit
    if not beyond:
        return None
    return (
        f"{proposal.side} at {_plain(proposal.price)} is beyond {_plain(limit)}, "
        f"risk.priceCollar {_plain(share)} from the mid price {_plain(mid)}"
    )


def stale(proposal: Proposal, view: View) -> Finding:
    limit = view.spec.risk.stale_data_seconds
    if proposal.market not in view.fresh:
        return f"data of {proposal.market} is not fresh within risk.staleDataSeconds {limit}"
    unvalued = ", ".join(view.valuation.stale)
    if unvalued or view.losses.baseline is None:
        what = f"positions in {unvalued}" if unvalued else "the account"
        return f"{what} cannot be valued on fresh quotes within risk.staleDataSeconds {limit}"
    return None


def cooldown(proposal: Proposal, view: View) -> Finding:
    seconds, last = view.spec.risk.cooldown_seconds, view.last_losses_ms.get(proposal.market)
    if not seconds or last is None or view.now_ms >= last + seconds * 1000:
        return None
    passed = (view.now_ms - last) / 1000
    return f"{passed:.1f} s since a losing exit of {proposal.market}, risk.cooldownSeconds is {seconds}"


def order_notional(proposal: Proposal, view: View) -> Finding:
    notional = proposal.quantity * view.marks[proposal.market]
    limit = view.spec.risk.max_order_notional
    return _above("the order is worth", notional, "risk.maxOrderNotional", limit)


def market_notional(proposal: Proposal, view: View) -> Finding:
    market = next(each for each in view.spec.markets if each.symbol == proposal.market)
    name = f"maxPositionNotional of {proposal.market}"
    limit = market.max_position_notional
    if limit is None:
        name, limit = "risk.maxPositionNotional", view.spec.risk.max_position_notional
    exposure = view.after(proposal).of(proposal.market)
    return _above("the market could hold", exposure.worst * view.marks[proposal.market], name, limit)


def total_notional(proposal: Proposal, view: View) -> Finding:
    after = view.after(proposal)
    unpriced = [m for m, each in after.markets.items() if each.worst and m not in view.marks]
    if unpriced:
        return f"{', '.join(unpriced)} has no price to count towards risk.maxPositionNotional"
    limit = view.spec.risk.max_position_notional
    return _above("all markets could hold", after.notional(view.marks), "risk.maxPositionNotional", limit)


def capital(proposal: Proposal, view: View) -> Finding:
    if proposal.side is Side.SELL:
        return None
    after, capital = view.after(proposal), view.spec.capital
    whole = capital.allocation + min(view.valuation.realized, Decimal(0))
    share = capital.per_market or capital.allocation / len(view.spec.markets)
    used = sum(view.costs.values(), after.buy_cost)
    finding = _above("capital in use would be", used, "capital.allocation less realised losses", whole)
    used = view.costs.get(proposal.market, Decimal(0)) + after.of(proposal.market).buy_cost
    return finding or _above(f"capital in {proposal.market} would be", used, "capital.perMarket", share)


def minimum_balance(proposal: Proposal, view: View) -> Finding:
    least, capital = view.spec.risk.minimum_balance, view.spec.capital
    if proposal.side is Side.SELL or not least:
        return None
    if view.free_balance is None:
        return f"the free balance of {capital.currency} is unknown, risk.minimumBalance is {_plain(least)}"
    after = view.free_balance - proposal.quantity * proposal.price
    if after >= least:
        return None
    return f"{_plain(after)} {capital.currency} would stay free, risk.minimumBalance is {_plain(least)}"


def open_positions(proposal: Proposal, view: View) -> Finding:
    limit, held = view.spec.capital.max_open_positions, view.exposure.open_markets
    if proposal.market in held or len(held) < limit:
        return None
    return f"{len(held)} positions are open or opening, capital.maxOpenPositions is {limit}"


def open_orders(proposal: Proposal, view: View) -> Finding:
    limit = view.spec.risk.max_open_orders
    if not proposal.rests or view.resting < limit:
        return None
    return f"{view.resting} orders are open, risk.maxOpenOrders is {limit}"


def exchange_orders(proposal: Proposal, view: View) -> Finding:
    limit = view.listable
    if not proposal.rests or not limit or view.listed < limit - KEPT_FOR_EXITS:
        return None
    return (
        f"{view.listed} orders are open in {proposal.market}, the exchange allows {limit} "
        f"and {KEPT_FOR_EXITS} are kept for exits"
    )


def exchange_stops(proposal: Proposal, view: View) -> Finding:
    limit = view.stoppable
    if not proposal.waits or not limit or view.stops < limit:
        return None
    return f"{view.stops} stops are open in {proposal.market}, the exchange allows {limit}"


def _above(what: str, value: Decimal, name: str, limit: Decimal) -> Finding:
    return f"{what} {_plain(value)}, {name} is {_plain(limit)}" if value > limit else None


def _plain(value: Decimal) -> str:
    """Readable: no exponent, at most eight places, no trailing zeros."""
    text = format(round(value, 8), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
