"""The account's orders in the fill engine's words, and the engine's refusals in the exchange's."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from smarttrade.errors import VenueError
from smarttrade.exchange.reports import MarketFilters, OrderKind
from smarttrade.matching import (
    BUY,
    SELL,
    FeeSchedule,
    Market,
    OrderRejected,
    OrderRequest,
    OrderType,
    TimeInForce,
)
from smarttrade.messages import Side

if TYPE_CHECKING:
    from smarttrade.exchange.venue import NewOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A resting order that the log knows, to be put back. `filled` is what the ledger has of it; orders of
    one `group` cancel one another. From `since_ms` on (exchange time) it rested for certain."""

    client_order_id: str
    order_id: str
    market: str
    side: Side
    price: Decimal
    quantity: Decimal
    filled: Decimal
    trigger: Decimal | None = None
    group: str = ""
    since_ms: int = 0


def side_name(side: int) -> Side:
    return Side.BUY if side == BUY else Side.SELL


def build_market(filters: MarketFilters) -> Market:
    return Market(
        base=filters.base,
        quote=filters.quote,
        tick_size=filters.tick,
        step_size=filters.lot,
        min_quantity=filters.minimum_quantity,
        min_notional=filters.minimum_notional,
        min_price=filters.tick,
    )


def build_standing(order: Standing, *, pair: bool) -> OrderRequest:
    return OrderRequest(
        symbol=order.market,
        side=BUY if order.side is Side.BUY else SELL,
        type=order_type(order.trigger, maker=pair),
        client_order_id=order.client_order_id,
        quantity=order.quantity - order.filled,
        price=order.price,
        stop_price=order.trigger,
    )


@dataclass(frozen=True, slots=True)
class PaperTerms:
    """What a paper exchange charges, and how long an order or a cancel takes to reach it."""

    fees: FeeSchedule = field(default_factory=FeeSchedule)
    latency_ms: int = 0


def order_type(trigger: Decimal | None, *, maker: bool) -> OrderType:
    if trigger is not None:
        return OrderType.STOP_LOSS_LIMIT
    return OrderType.LIMIT_MAKER if maker else OrderType.LIMIT


def build_request(order: NewOrder, *, maker: bool = False) -> OrderRequest:
    """`maker`: the leg of a pair that takes profit never takes from the book."""
    return OrderRequest(
        symbol=order.market,
        side=BUY if order.side is Side.BUY else SELL,
        type=order_type(order.trigger, maker=maker or order.kind is OrderKind.POST_ONLY),
        client_order_id=order.client_order_id,
        quantity=order.quantity,
        price=order.price,
        stop_price=order.trigger,
        time_in_force=TimeInForce.IOC if order.kind is OrderKind.LIMIT_IOC else TimeInForce.GTC,
    )


def as_told(error: OrderRejected) -> Any:
    """The engine's refusal in the exchange's own words, so that one table of codes serves both."""
    return VenueError(f'{{"code":{error.code},"msg":"{error.message}"}}')
