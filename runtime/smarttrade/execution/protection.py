"""What protects a position: at which prices, in which orders, of what size. Pure arithmetic.

The stop is the highest and the profit the lowest of all that apply: the decision's and the object's own. A
stop turns into a limit at its trigger, `orders.stopSlippage` below it: a market that falls through both
leaves the limit unfilled, which is reported and never answered by selling at any price.

A trailing stop follows the highest bid since the position was opened and never comes down; it is moved only
when it would rise by a tenth of its distance, because nothing protects while it is being replaced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

from smarttrade.api import Protection as Defaults
from smarttrade.exchange.reports import MarketFilters, OrderKind
from smarttrade.execution.orders import Order, OrderState
from smarttrade.execution.snapshot import Plan
from smarttrade.execution.targets import ceil_to, floor_to

ZERO = Decimal(0)
TRAILING_STEP = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Levels:
    """Prices on the tick grid; `limit` is the worst at which the stop sells, `step` by how much the stop
    must be off before an order is moved for it."""

    stop: Decimal | None
    limit: Decimal
    take_profit: Decimal | None
    step: Decimal

    @property
    def any(self) -> bool:
        return self.stop is not None or self.take_profit is not None


@dataclass(frozen=True, slots=True)
class Guard:
    """One protective sell. `trigger` is None for a plain limit that takes profit."""

    kind: OrderKind
    price: Decimal
    quantity: Decimal
    trigger: Decimal | None = None


def build_levels(
    plan: Plan | None,
    defaults: Defaults,
    *,
    average_price: Decimal,
    highest: Decimal | None,
    ratchet: Decimal | None,
    filters: MarketFilters,
    slippage: Decimal,
) -> Levels:
    """Where a long position of that average price is to be sold; `highest` bid seen since it was opened."""
    trailing = least([plan.trailing_stop if plan else None, defaults.trailing_stop])
    stops = [plan.stop_loss if plan else None]
    profits = [plan.take_profit if plan else None]
    if defaults.stop_loss is not None:
        stops.append(average_price * (1 - defaults.stop_loss))
    if defaults.take_profit is not None:
        profits.append(average_price * (1 + defaults.take_profit))
    if trailing is not None:
        stops += [ratchet, highest * (1 - trailing) if highest is not None else None]
    stop = max((each for each in stops if each is not None), default=None)
    profit = least(profits)
    stop = None if stop is None else floor_to(stop, filters.tick)
    limit = ZERO if stop is None else floor_to(stop * (1 - slippage), filters.tick)
    step = filters.tick if trailing is None or stop is None else stop * trailing * TRAILING_STEP
    return Levels(stop, limit, None if profit is None else ceil_to(profit, filters.tick), step)


def build_guards(
    levels: Levels, quantity: Decimal, filters: MarketFilters, *, stops: bool, pairs: bool
) -> tuple[Guard, ...]:
    """The orders that rest at an exchange for this: one, or two of which one cancels the other.

    Empty where it takes none of that size. Where it has no pairs the stop rests, and the leader watches for
    the profit.
    """
    quantity = floor_to(quantity, filters.lot)
    guards: list[Guard] = []
    if levels.stop is not None and stops:
        guards.append(Guard(OrderKind.STOP_LIMIT, levels.limit, quantity, levels.stop))
    if levels.take_profit is not None and (pairs or not guards):
        guards.append(Guard(OrderKind.LIMIT, levels.take_profit, quantity))
    return tuple(guards) if guards and all(_takes(filters, guard) for guard in guards) else ()


def smallest(price: Decimal, filters: MarketFilters) -> Decimal:
    """The least base quantity that the exchange takes at a price."""
    by_notional = filters.minimum_notional / price if price > 0 else ZERO
    return max(filters.lot, filters.minimum_quantity, by_notional)


def covered(guards: Iterable[Order], *, by_stop: bool) -> Decimal:
    """Base quantity that resting stops (or else limits) would sell; a pair counts once by itself."""
    return sum(
        (
            order.quantity - order.filled
            for order in guards
            if order.resting and (order.trigger is not None) is by_stop
        ),
        ZERO,
    )


def fits(
    orders: Collection[Order],
    guards: Collection[Guard],
    *,
    tolerance: Decimal,
    step: Decimal,
    spare: Decimal,
) -> bool:
    """Whether what rests protects as it should: never more than is held, short by less than `spare`, prices
    off by less than `tolerance`, a trailing trigger by less than `step`."""
    if len(orders) != len(guards):
        return False
    return all(
        any(_fits(order, guard, tolerance=tolerance, step=step, spare=spare) for order in orders)
        for guard in guards
    )


def reached(levels: Levels, bid: Decimal, *, stop_rests: bool, profit_rests: bool) -> Decimal | None:
    """The limit of the sale that is due now because no order waits for it; None if none is."""
    if levels.stop is not None and not stop_rests and levels.limit <= bid <= levels.stop:
        return levels.limit
    if levels.take_profit is not None and not profit_rests and bid >= levels.take_profit:
        return levels.take_profit
    return None


def _fits(order: Order, guard: Guard, *, tolerance: Decimal, step: Decimal, spare: Decimal) -> bool:
    left = order.quantity - order.filled
    if order.state is OrderState.PENDING_CANCEL or order.kind is not guard.kind or left > guard.quantity:
        return False
    if guard.trigger is None or order.trigger is None:
        close = abs(order.price - guard.price) < tolerance
    else:
        close = abs(order.trigger - guard.trigger) < max(tolerance, step)
    return close and guard.quantity - left < spare


def _takes(filters: MarketFilters, guard: Guard) -> bool:
    return guard.quantity >= smallest(guard.price, filters) and guard.price > 0


def least(values: Iterable[Decimal | None]) -> Decimal | None:
    """Of the prices that there are."""
    return min((value for value in values if value is not None), default=None)
