"""An order meets the book: it takes what it may, and rests or expires with what is left.

A market buy never takes more than its owner can pay for, also where the price runs away under it.
"""

from typing import TYPE_CHECKING

from smarttrade.matching import funds, self_trade, settlement
from smarttrade.matching.events import Kind
from smarttrade.matching.orders import BUY, Order, SelfTradePrevention, Status, TimeInForce
from smarttrade.matching.state import MarketState
from smarttrade.matching.units import SCALE, UNLIMITED

if TYPE_CHECKING:
    from smarttrade.matching.engine import Engine


def cross(engine: "Engine", state: MarketState, order: Order, now_ms: int) -> None:
    """Match an order that begins to work."""
    limit = order.price or (UNLIMITED if order.side == BUY else 0)
    if order.quote_quantity and not order.quantity:
        order.quantity = state.book.affordable(
            order.side, order.quote_quantity * SCALE, order.market.step_units
        )
    wanted = _wanted(state, order)
    if order.time_in_force is TimeInForce.FOK and _available(state, order, limit, wanted) < wanted:
        engine.finish(order, Status.EXPIRED, Kind.EXPIRED, now_ms)
        return
    if order.self_trade_prevention is not SelfTradePrevention.NONE and self_trade.may_meet_itself(order):
        _take_one_by_one(engine, state, order, limit, wanted, now_ms)
    else:
        _take(engine, state, order, limit, wanted, now_ms)
    if order.is_open:
        _rest_or_expire(engine, state, order, now_ms)


def _wanted(state: MarketState, order: Order) -> int:
    if order.price or order.side != BUY:
        return order.remaining
    product = _budget(order) * SCALE
    return min(order.remaining, state.book.affordable(BUY, product, order.market.step_units))


def _budget(order: Order) -> int:
    """Quote units that a market buy may still spend."""
    budget = order.account.free.get(order.market.quote, 0) + order.locked
    if order.quote_quantity:
        budget = min(budget, funds.with_fees(order.account, BUY, order.quote_quantity - order.quote_filled))
    return funds.before_fees(order.account, budget)


def _available(state: MarketState, order: Order, limit: int, wanted: int) -> int:
    if order.self_trade_prevention is not SelfTradePrevention.NONE and self_trade.may_meet_itself(order):
        return self_trade.available(state.book, order, limit, wanted)
    return state.book.available(order.side, limit, wanted)


def _take(engine: "Engine", state: MarketState, order: Order, limit: int, quantity: int, now_ms: int) -> int:
    fills = state.book.take(order.side, limit, quantity)
    for maker, price, traded in fills:
        settlement.settle(engine, state, order, maker, price, traded, now_ms)
    return sum(fill[2] for fill in fills)


def _take_one_by_one(
    engine: "Engine", state: MarketState, order: Order, limit: int, wanted: int, now_ms: int
) -> None:
    """Look at each maker before taking it: it may be the taker's own."""
    while wanted and order.is_open:
        level = state.book.best(-order.side)
        if level is None or (level.price - limit) * order.side > 0:
            return
        maker = next(other for other in level.orders if other.open)
        if isinstance(maker, Order) and maker.account is order.account:
            wanted -= min(wanted, self_trade.prevent(engine, state, order, maker, now_ms))
            continue
        quantity = min(wanted, maker.open, _payable(order, level.price))
        if not quantity:
            return
        wanted -= _take(engine, state, order, level.price, quantity, now_ms)


def _payable(order: Order, price: int) -> int:
    """How much a market buy can pay for at `price`; own orders that vanish leave dearer ones to take."""
    if order.price or order.side != BUY:
        return UNLIMITED
    units = _budget(order) * SCALE // price
    return units - units % order.market.step_units


def _rest_or_expire(engine: "Engine", state: MarketState, order: Order, now_ms: int) -> None:
    immediate = order.time_in_force is not TimeInForce.GTC or not order.price
    if not order.remaining or not order.quantity or immediate:
        engine.finish(order, Status.EXPIRED, Kind.EXPIRED, now_ms)
        return
    remaining = order.remaining
    order.open = min(order.display, remaining) if order.display else remaining
    order.hidden = remaining - order.open
    order.working_ms = now_ms
    state.book.add(order)
