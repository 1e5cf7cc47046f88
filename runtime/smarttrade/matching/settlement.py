"""One fill: money and coins change hands, fees go to the house, both orders and the public hear of it.

The two halves of a fill always balance: what one side pays the other receives, to the last unit.
"""

from typing import TYPE_CHECKING

from smarttrade.matching import contingency, funds
from smarttrade.matching.events import Execution, Kind, PublicTrade
from smarttrade.matching.fees import BASE, QUOTE, commission
from smarttrade.matching.ledger import Account
from smarttrade.matching.market import Market
from smarttrade.matching.orders import BUY, Order, Resting, Status
from smarttrade.matching.state import MarketState
from smarttrade.matching.units import SCALE, notional

if TYPE_CHECKING:
    from smarttrade.matching.engine import Engine


def settle(
    engine: "Engine",
    state: MarketState,
    taker: Resting,
    maker: Resting,
    price: int,
    quantity: int,
    now_ms: int,
) -> None:
    """Book a fill of `quantity` between two orders; either may be the outside world's."""
    trade_id = state.next_trade_id
    state.next_trade_id += 1
    state.last_price = price
    for order in (maker, taker):
        if isinstance(order, Order):
            _fill_order(engine, order, price, quantity, trade_id, order is maker, now_ms)
        else:
            _fill_world(engine.world, state.market, order.side, price, quantity)
    announce(engine, state, trade_id, taker, maker, price, quantity, now_ms)


def announce(
    engine: "Engine",
    state: MarketState,
    trade_id: int,
    taker: Resting,
    maker: Resting,
    price: int,
    quantity: int,
    now_ms: int,
) -> None:
    """Tell the public of a trade."""
    buyer, seller = (taker, maker) if taker.side == BUY else (maker, taker)
    engine.emit(
        PublicTrade(state.market, trade_id, now_ms, price, quantity, maker.side == BUY, buyer.id, seller.id)
    )


def _fill_world(world: Account, market: Market, side: int, price: int, quantity: int) -> None:
    world.credit(market.base, side * quantity)
    world.credit(market.quote, -side * notional(price, quantity))


def _fill_order(
    engine: "Engine", order: Order, price: int, quantity: int, trade_id: int, is_maker: bool, now_ms: int
) -> None:
    paid = notional(price, quantity)
    _exchange(order, price, quantity, paid)
    order.filled += quantity
    order.quote_filled += paid
    if order.list_id >= 0:
        contingency.on_fill(engine, order, now_ms)
    fee, asset = _charge(engine, order, quantity, paid, is_maker)
    if order.list_id >= 0:
        contingency.on_paid(engine, order, quantity, fee, asset)
    order.updated_ms = now_ms
    order.status = Status.PARTIALLY_FILLED if order.remaining else Status.FILLED
    is_done = not order.remaining
    if is_done:
        engine.close(order)
    engine.sequence += 1
    engine.emit(
        Execution(
            Kind.TRADE,
            order,
            now_ms,
            order.status,
            order.filled,
            order.quote_filled,
            trade_id,
            price,
            quantity,
            paid,
            fee,
            asset,
            is_maker,
            engine.sequence,
        )
    )
    if is_done and order.list_id >= 0:
        contingency.tell_if_done(engine, order, now_ms)


def _exchange(order: Order, price: int, quantity: int, paid: int) -> None:
    market, account = order.market, order.account
    spent, received = (paid, quantity) if order.side == BUY else (quantity, paid)
    spends, receives = (market.quote, market.base) if order.side == BUY else (market.base, market.quote)
    held = funds.reserved(order, price, quantity)
    if held:
        account.lock(spends, -held)
        order.locked -= held
    account.credit(spends, -spent)
    account.credit(receives, received)


def _charge(engine: "Engine", order: Order, quantity: int, paid: int, is_maker: bool) -> tuple[int, str]:
    account = order.account
    rate = account.fees.rate_units(is_maker)
    asset = fee_asset(order)
    if account.fees.is_third_asset:
        owed = _in_third_asset(engine, order, paid, rate)
        if owed is not None and account.has_free(account.fees.asset, owed):
            return _move_fee(engine, order, account.fees.asset, owed)
    owed = commission(quantity if asset == order.market.base else paid, rate)
    return _move_fee(engine, order, asset, owed)


def fee_asset(order: Order) -> str:
    """The market's asset that pays where no third one does."""
    chosen = order.account.fees.asset
    if chosen == BASE:
        return order.market.base
    if chosen == QUOTE:
        return order.market.quote
    return order.market.base if order.side == BUY else order.market.quote


def _in_third_asset(engine: "Engine", order: Order, paid: int, rate: int) -> int | None:
    fees = order.account.fees
    priced = engine.markets.get(f"{fees.asset}/{order.market.quote}")
    if priced is None or not priced.last_price:
        return None
    discounted = rate * (SCALE - fees.discount_units) // SCALE
    return commission(paid, discounted) * SCALE // priced.last_price


def _move_fee(engine: "Engine", order: Order, asset: str, owed: int) -> tuple[int, str]:
    held = min(owed, order.fee_locked)
    if held:
        order.account.lock(asset, -held)
        order.fee_locked -= held
    order.account.credit(asset, -owed)
    engine.house.credit(asset, owed)
    return owed, asset
