"""One fill: money and coins change hands, fees go to the house, both orders and the public hear of it.

The two halves of a fill always balance: what one side pays the other receives, to the last unit.
"""

from typing import TYPE_CHECKING

from smarttrade.matching import funds
from smarttrade.matching.events import Execution, Kind, PublicTrade
from smarttrade.matching.fees import BASE, QUOTE, commission
from smarttrade.matching.ledger import Account
from smarttrade.matching.orders import BUY, Order, Status
from smarttrade.matching.state import MarketState
from smarttrade.matching.units import SCALE, notional

if TYPE_CHECKING:
    from smarttrade.matching.engine import Engine


def settle(
    engine: "Engine", state: MarketState, taker: Order, maker: Order, price: int, quantity: int, now_ms: int
) -> None:
    """Book a fill of `quantity` between two orders; either may be the outside world's (account None)."""
    trade_id = engine.next_trade_id
    engine.next_trade_id += 1
    state.last_price = price
    _fill_order(engine, maker, price, quantity, trade_id, True, now_ms)
    _fill_order(engine, taker, price, quantity, trade_id, False, now_ms)
    announce(engine, state, trade_id, taker, maker, price, quantity, now_ms)


def announce(
    engine: "Engine",
    state: MarketState,
    trade_id: int,
    taker: Order,
    maker: Order,
    price: int,
    quantity: int,
    now_ms: int,
) -> None:
    buyer, seller = (taker, maker) if taker.side == BUY else (maker, taker)
    engine.emit(
        PublicTrade(state.market, trade_id, now_ms, price, quantity, maker.side == BUY, buyer.id, seller.id)
    )


def _fill_order(
    engine: "Engine", order: Order, price: int, quantity: int, trade_id: int, is_maker: bool, now_ms: int
) -> None:
    paid = notional(price, quantity)
    _exchange(order, order.account or engine.world, price, quantity, paid)
    order.filled += quantity
    order.quote_filled += paid
    if order.account is None:
        return
    engine.resolve_list(order, now_ms)
    fee, asset = _charge(engine, order, order.account, quantity, paid, is_maker)
    order.updated_ms = now_ms
    order.status = Status.PARTIALLY_FILLED if order.remaining else Status.FILLED
    if not order.remaining:
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


def _exchange(order: Order, account: Account, price: int, quantity: int, paid: int) -> None:
    market = order.market
    spent, received = (paid, quantity) if order.side == BUY else (quantity, paid)
    spends, receives = (market.quote, market.base) if order.side == BUY else (market.base, market.quote)
    held = funds.reserved(order, price, quantity)
    if held:
        account.lock(spends, -held)
        order.locked -= held
    account.credit(spends, -spent)
    account.credit(receives, received)


def _charge(
    engine: "Engine", order: Order, account: Account, quantity: int, paid: int, is_maker: bool
) -> tuple[int, str]:
    rate = account.fees.rate_units(is_maker)
    asset = fee_asset(order, account)
    if account.fees.is_third_asset:
        owed = _in_third_asset(engine, order, account, paid, rate)
        if owed is not None and account.has_free(account.fees.asset, owed):
            return _move_fee(engine, order, account, account.fees.asset, owed)
    owed = commission(quantity if asset == order.market.base else paid, rate)
    return _move_fee(engine, order, account, asset, owed)


def fee_asset(order: Order, account: Account) -> str:
    """The market's asset that pays where no third one does."""
    if account.fees.asset == BASE:
        return order.market.base
    if account.fees.asset == QUOTE:
        return order.market.quote
    return order.market.base if order.side == BUY else order.market.quote


def _in_third_asset(engine: "Engine", order: Order, account: Account, paid: int, rate: int) -> int | None:
    priced = engine.markets.get(f"{account.fees.asset}/{order.market.quote}")
    if priced is None or not priced.last_price:
        return None
    discounted = rate * (SCALE - account.fees.discount_units) // SCALE
    return commission(paid, discounted) * SCALE // priced.last_price


def _move_fee(engine: "Engine", order: Order, account: Account, asset: str, owed: int) -> tuple[int, str]:
    held = min(owed, order.fee_locked)
    if held:
        account.lock(asset, -held)
        order.fee_locked -= held
    account.credit(asset, -owed)
    engine.house.credit(asset, owed)
    return owed, asset
