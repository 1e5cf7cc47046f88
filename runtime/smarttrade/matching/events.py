"""What the engine did, in order. Events are pictures of a moment; the order they point at moves on."""

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from smarttrade.matching.market import Market
from smarttrade.matching.orders import Order, Status

if TYPE_CHECKING:
    from smarttrade.matching.lists import OrderList


class Kind(StrEnum):
    """ACTIVATED: a pending order was placed; REPLACED: its quantity was lowered; PREVENTED: self-trade
    prevention took part of it."""

    NEW = "NEW"
    ACTIVATED = "ACTIVATED"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    TRIGGERED = "TRIGGERED"
    REPLACED = "REPLACED"
    PREVENTED = "PREVENTED"
    REJECTED = "REJECTED"


class Execution(msgspec.Struct, frozen=True, gc=False):
    """One change of one user's order. `quantity`, `price`, `commission` are of this fill alone, in units."""

    kind: Kind
    order: Order
    time_ms: int
    status: Status
    filled: int
    quote_filled: int
    trade_id: int = -1
    price: int = 0
    quantity: int = 0
    quote_quantity: int = 0
    commission: int = 0
    commission_asset: str | None = None
    is_maker: bool = False
    sequence: int = 0
    reject_reason: str = "NONE"


class PreventedMatch(msgspec.Struct, frozen=True, gc=False):
    """A match between two orders of one account that did not happen; quantities are what each lost by it."""

    id: int
    time_ms: int
    taker: Order
    maker: Order
    price: int
    taker_quantity: int
    maker_quantity: int


class ListChange(msgspec.Struct, frozen=True, gc=False):
    """An order list was accepted, or is done."""

    order_list: "OrderList"
    time_ms: int
    is_done: bool


class PublicTrade(msgspec.Struct, frozen=True, gc=False):
    """One trade as everybody sees it; order ids are 0 for the outside world."""

    market: Market
    id: int
    time_ms: int
    price: int
    quantity: int
    buyer_is_maker: bool
    buyer_order_id: int
    seller_order_id: int


Event = Execution | PublicTrade | PreventedMatch | ListChange
