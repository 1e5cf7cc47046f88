"""Orders that rested before their exchange was lost, put back without asking the rules again.

Where in the queue they were is not known, so they stand behind everything: only a trade through their price
fills them, until a quote shows how much can be ahead at all.
"""

from typing import TYPE_CHECKING, Final

from smarttrade.matching import acceptance, contingency, funds, liquidity, triggers
from smarttrade.matching.errors import INSUFFICIENT_BALANCE, NEW_ORDER_REJECTED, OrderRejected
from smarttrade.matching.ledger import Account
from smarttrade.matching.lists import OrderListRequest
from smarttrade.matching.orders import STOP_TYPES, Order, OrderRequest

if TYPE_CHECKING:
    from smarttrade.matching.engine import Engine

_UNKNOWN_QUEUE: Final = 1 << 100


def put_back(
    engine: "Engine", account: Account, requests: tuple[OrderRequest, ...], now_ms: int
) -> list[Order]:
    """Put back one order, or a pair of which one cancels the other; OrderRejected without the funds."""
    state = engine.markets[requests[0].symbol]
    needed = max(funds.required(account, state, request) for request in requests)
    if not account.has_free(funds.spent_asset(state.market, requests[0].side), needed):
        raise OrderRejected(NEW_ORDER_REJECTED, INSUFFICIENT_BALANCE)
    if len(requests) == 1:
        orders = [acceptance.accept(engine, account, requests[0], now_ms)]
        funds.lock(orders[0])
    else:
        pair = OrderListRequest(f"{requests[0].client_order_id}L", requests)
        orders = contingency.accept(engine, account, pair, now_ms).orders
        funds.lock_units(orders[0], needed)
    for order in orders:
        _stand(engine, order)
    return orders


def _stand(engine: "Engine", order: Order) -> None:
    state = engine.markets[order.market.symbol]
    if order.type in STOP_TYPES:
        triggers.register(state, order)
        return
    liquidity.show(state, order.side, {order.price: _UNKNOWN_QUEUE})
    order.open = order.remaining
    state.book.add(order)
