"""Lowering an order's quantity in place: it keeps its place in the queue and gets another client order id.

The legs of a pair are one quantity, of which only one can execute: lowering one lowers both. What a refusal
says is the exchange's own text; an order that was refused is unchanged.
"""

from dataclasses import dataclass
from decimal import Decimal

from smarttrade.matching import Engine, Order, OrderRejected
from smarttrade.matching.errors import DUPLICATE_ORDER
from smarttrade.matching.units import to_units

AMENDMENTS_KEPT = 10  # the exchange's MAX_NUM_ORDER_AMENDS
REJECTED = -2038


@dataclass(frozen=True, slots=True)
class Amendment:
    """One lowering as the exchange remembers it. Quantities in units."""

    order_id: int
    execution_id: int
    time_ms: int
    before: int
    after: int
    old_client_id: str
    new_client_id: str


def check(engine: Engine, order: Order, quantity: Decimal, client_id: str, amended: int) -> None:
    """Raise OrderRejected where the order may not be lowered to `quantity` under the name `client_id`."""
    units, market = to_units(quantity), order.market
    if units == order.quantity:
        raise OrderRejected(REJECTED, "The requested action would change no state; rejecting.")
    if units > order.quantity:
        raise OrderRejected(REJECTED, "Order amend (quantity increase) is not supported.")
    if amended >= AMENDMENTS_KEPT:
        raise OrderRejected(REJECTED, "Filter failure: MAX_NUM_ORDER_AMENDS")
    if quantity < market.min_quantity or quantity % market.step_size:
        raise OrderRejected(REJECTED, "Filter failure: LOT_SIZE")
    if client_id != order.client_order_id and (market.symbol, client_id) in order.account.open_client_ids:
        raise OrderRejected(REJECTED, DUPLICATE_ORDER)


def partners(engine: Engine, order: Order) -> list[Order]:
    """The other leg of the order's pair, where there is one."""
    order_list = engine.order_lists.get(order.list_id)
    pair = order_list.pair if order_list is not None else []
    return [leg for leg in pair if leg is not order and leg.is_open] if order in pair else []
