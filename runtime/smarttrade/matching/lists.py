"""Order lists: one cancels the other (OCO), one triggers the other (OTO), one triggers a pair (OTOCO).

What waits holds no funds: they are looked for when the working order has filled, and an order that cannot
be placed then is rejected. A pair holds the dearer leg's funds once. Where the working order pays for what
waits (OPO, OPOCO), the first that waits holds what was received, and has no quantity until all of it was.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from smarttrade.matching.errors import NEW_ORDER_REJECTED, OrderRejected
from smarttrade.matching.ledger import Account
from smarttrade.matching.orders import BUY, STOP_TYPES, Order, OrderRequest
from smarttrade.matching.state import MarketState
from smarttrade.matching.units import to_decimal

WRONG_PRICES = "The relationship of the prices for the orders is not correct."


class Contingency(StrEnum):
    OCO = "OCO"
    OTO = "OTO"


@dataclass(frozen=True, slots=True)
class OrderListRequest:
    """`legs`: one order, or a pair (takes profit, stops loss) of one side, symbol and quantity.

    With `working` the legs wait until it has filled; without it they are a pair and work at once. Legs
    without a quantity sell what a working buy has received.
    """

    client_list_id: str
    legs: tuple[OrderRequest, ...]
    working: OrderRequest | None = None

    @property
    def requests(self) -> tuple[OrderRequest, ...]:
        return self.legs if self.working is None else (self.working, *self.legs)

    @property
    def symbol(self) -> str:
        return self.legs[0].symbol


@dataclass(slots=True)
class OrderList:
    """`waiting`: legs that are not placed yet. `is_decided`: one leg of the pair has executed or triggered.
    `is_done`: its end has been told."""

    id: int
    client_list_id: str
    account: Account
    created_ms: int
    contingency: Contingency
    orders: list[Order] = field(default_factory=list)
    waiting: list[Order] = field(default_factory=list)
    is_decided: bool = False
    is_done: bool = False

    @property
    def is_open(self) -> bool:
        return any(order.is_open for order in self.orders)

    @property
    def waits_for_payment(self) -> bool:
        """Whether the working order pays for what waits."""
        return bool(self.waiting) and not self.waiting[0].quantity

    @property
    def pair(self) -> list[Order]:
        """The two legs of which one cancels the other; empty where there is one leg only."""
        legs = self.orders if self.contingency is Contingency.OCO else self.orders[1:]
        return legs if len(legs) == 2 else []


def check_pair(legs: tuple[OrderRequest, ...], last: Decimal | None) -> None:
    """A sell's profit leg is above the last price and its stop below; a buy's the other way round.

    Without `last` only the two legs are compared.
    """
    if len(legs) != 2:
        return
    profit, stop = (reached_at(leg) for leg in legs)
    if profit is None or stop is None:
        raise OrderRejected(NEW_ORDER_REJECTED, WRONG_PRICES)
    low, high = (profit, stop) if legs[0].side == BUY else (stop, profit)
    if not low < high or (last is not None and not low < last < high):
        raise OrderRejected(NEW_ORDER_REJECTED, WRONG_PRICES)


def reached_at(leg: OrderRequest) -> Decimal | None:
    """The market price at which a leg begins to act."""
    return leg.stop_price if leg.type in STOP_TYPES else leg.price


def check_order_list(state: MarketState, request: OrderListRequest) -> None:
    """Prices in the right relation, client order ids of its own for each order."""
    ids = [order.client_order_id for order in request.requests]
    if len(set(ids)) < len(ids):
        raise OrderRejected(NEW_ORDER_REJECTED, WRONG_PRICES)
    if request.working is not None:
        check_pair(request.legs, None)
    elif state.last_price:
        check_pair(request.legs, to_decimal(state.last_price))
    else:
        raise OrderRejected(NEW_ORDER_REJECTED, WRONG_PRICES)
