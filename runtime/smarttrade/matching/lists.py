"""One-cancels-the-other lists: a limit order that takes profit, a stop that limits loss, funds held once."""

from dataclasses import dataclass, field

from smarttrade.matching.errors import NEW_ORDER_REJECTED, OrderRejected
from smarttrade.matching.ledger import Account
from smarttrade.matching.orders import BUY, Order, OrderRequest
from smarttrade.matching.state import MarketState
from smarttrade.matching.units import to_decimal

_WRONG_PRICES = "The relationship of the prices for the orders is not correct."


@dataclass(frozen=True, slots=True)
class OrderListRequest:
    """Two legs of one side, symbol and quantity."""

    client_list_id: str
    limit: OrderRequest
    stop: OrderRequest


@dataclass(slots=True)
class OrderList:
    """`is_done`: one leg has executed or triggered, or all were cancelled."""

    id: int
    client_list_id: str
    account: Account
    created_ms: int
    orders: list[Order] = field(default_factory=list)
    is_done: bool = False

    @property
    def is_open(self) -> bool:
        return any(order.is_open for order in self.orders)


def check_order_list(state: MarketState, request: OrderListRequest) -> None:
    """A sell's limit is above the last price and its stop below; a buy's the other way round."""
    limit, stop = request.limit.price, request.stop.stop_price
    if limit is None or stop is None or not state.last_price:
        raise OrderRejected(NEW_ORDER_REJECTED, _WRONG_PRICES)
    last = to_decimal(state.last_price)
    in_order = limit < last < stop if request.limit.side == BUY else stop < last < limit
    if not in_order or request.limit.client_order_id == request.stop.client_order_id:
        raise OrderRejected(NEW_ORDER_REJECTED, _WRONG_PRICES)


def build_order_list(
    list_id: int, account: Account, request: OrderListRequest, limit: Order, stop: Order, now_ms: int
) -> OrderList:
    limit.list_id = stop.list_id = list_id
    return OrderList(list_id, request.client_list_id, account, now_ms, [limit, stop])
