"""What an order must hold before it may work, and how that is given back.

A buy holds limit price x quantity of quote, a sell its quantity of base. Where the fee is taken from the same
asset as the payment, the highest fee is held too. Market orders fill at once and hold nothing.
"""

from smarttrade.matching.fees import BASE, QUOTE
from smarttrade.matching.ledger import Account
from smarttrade.matching.market import Market
from smarttrade.matching.orders import BUY, PRICED_TYPES, STOP_TYPES, Order, OrderRequest, OrderType
from smarttrade.matching.state import MarketState
from smarttrade.matching.units import SCALE, notional, to_units


def spent_asset(market: Market, side: int) -> str:
    return market.quote if side == BUY else market.base


def pays_fee_from_spending(account: Account, side: int) -> bool:
    return account.fees.asset == (QUOTE if side == BUY else BASE)


def with_fees(account: Account, side: int, units: int) -> int:
    """`units` of payment plus the highest fee on it, rounded up."""
    if not pays_fee_from_spending(account, side):
        return units
    return units + -(-units * account.fees.highest_units // SCALE)


def before_fees(account: Account, budget: int, side: int = BUY) -> int:
    """The largest payment that leaves room for its fee."""
    if not pays_fee_from_spending(account, side):
        return budget
    return budget * SCALE // (SCALE + account.fees.highest_units)


def required(account: Account, state: MarketState, request: OrderRequest) -> int:
    """Units of the spent asset that `request` needs free."""
    quantity = to_units(request.quantity) if request.quantity is not None else 0
    if request.side != BUY:
        if request.quote_quantity is not None:
            quantity = state.book.affordable(
                request.side, to_units(request.quote_quantity) * SCALE, state.market.step_units
            )
        return with_fees(account, request.side, quantity)
    if request.quote_quantity is not None:
        return with_fees(account, BUY, to_units(request.quote_quantity))
    if request.type is OrderType.MARKET:
        return with_fees(account, BUY, -(-state.book.cost(BUY, quantity)[1] // SCALE))
    price = request.price if request.type in PRICED_TYPES else request.stop_price
    return with_fees(account, BUY, notional(to_units(price), quantity) if price is not None else 0)


def is_covered(account: Account, state: MarketState, request: OrderRequest) -> bool:
    asset = spent_asset(state.market, request.side)
    return account.has_free(asset, required(account, state, request))


def lock(order: Order) -> None:
    """Hold the funds of an accepted order."""
    if order.type is OrderType.MARKET:
        return
    if order.side == BUY:
        payment = notional(order.price or order.stop_price, order.remaining)
    else:
        payment = order.remaining
    lock_units(order, payment, with_fees(order.account, order.side, payment) - payment)


def lock_units(order: Order, units: int, fee_units: int = 0) -> None:
    order.account.lock(order.lock_asset, units + fee_units)
    order.locked += units
    order.fee_locked += fee_units


def reserved(order: Order, price: int, quantity: int) -> int:
    """How much of what `order` holds pays for a fill of `quantity`."""
    if not order.locked:
        return 0
    if order.side != BUY:
        return min(order.locked, quantity)
    if order.type in STOP_TYPES and not order.price:
        return min(order.locked, notional(price, quantity))
    return min(order.locked, notional(order.price, quantity))


def release(order: Order) -> None:
    """Give back everything that `order` still holds."""
    held = order.locked + order.fee_locked
    if held:
        order.account.lock(order.lock_asset, -held)
    order.locked = order.fee_locked = 0


def release_part(order: Order, quantity: int) -> None:
    """Give back what `quantity` of a resting order no longer needs; its fee margin stays until it ends."""
    units = reserved(order, order.price, quantity)
    if units:
        order.account.lock(order.lock_asset, -units)
        order.locked -= units
