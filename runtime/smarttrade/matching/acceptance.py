"""Whether an order may enter, and its entry: filters, the exchange's rules, funds, then an identity."""

from typing import TYPE_CHECKING

from smarttrade.matching import funds, triggers
from smarttrade.matching.errors import (
    DUPLICATE_ORDER,
    FILTER_FAILURE,
    INSUFFICIENT_BALANCE,
    MARKET_CLOSED,
    NEW_ORDER_REJECTED,
    WOULD_TAKE,
    WOULD_TRIGGER,
    OrderRejected,
)
from smarttrade.matching.events import Kind
from smarttrade.matching.filters import check_counts, check_filters
from smarttrade.matching.ledger import Account
from smarttrade.matching.orders import PRICED_TYPES, Order, OrderRequest, OrderType, Status
from smarttrade.matching.state import MarketState
from smarttrade.matching.units import to_units

if TYPE_CHECKING:
    from smarttrade.matching.engine import Engine


def check(account: Account, state: MarketState, request: OrderRequest) -> None:
    """Raise OrderRejected where `request` may not enter now; changes nothing."""
    check_entry(account, state, request)
    check_market(state, request)
    if not funds.is_covered(account, state, request):
        raise OrderRejected(NEW_ORDER_REJECTED, INSUFFICIENT_BALANCE)


def check_entry(account: Account, state: MarketState, request: OrderRequest) -> None:
    """What an order must fulfil on arrival, also one that will wait for another."""
    if state.suspended:
        raise OrderRejected(FILTER_FAILURE, MARKET_CLOSED)
    check_filters(state.market, request, state.reference)
    if (request.symbol, request.client_order_id) in account.open_client_ids:
        raise OrderRejected(NEW_ORDER_REJECTED, DUPLICATE_ORDER)
    if request.type is OrderType.MARKET or len(account.open_orders) < state.market.fewest_limited:
        return
    mine = [order for order in account.open_orders.values() if order.market.id == state.market.id]
    check_counts(state.market, request, mine)


def check_market(state: MarketState, request: OrderRequest) -> None:
    """What the market must allow when the order begins to work."""
    if request.type is OrderType.LIMIT_MAKER and request.price is not None:
        best = state.book.best(-request.side)
        if best is not None and (to_units(request.price) - best.price) * request.side >= 0:
            raise OrderRejected(NEW_ORDER_REJECTED, WOULD_TAKE)
    if request.stop_price is not None and triggers.is_reached(
        request.type, request.side, to_units(request.stop_price), state.last_price
    ):
        raise OrderRejected(NEW_ORDER_REJECTED, WOULD_TRIGGER)


def accept(
    engine: "Engine",
    account: Account,
    request: OrderRequest,
    now_ms: int,
    status: Status = Status.NEW,
    list_id: int = -1,
) -> Order:
    """Give a checked request an identity and tell of it."""
    order = build_order(engine, account, request, now_ms)
    order.status = status
    order.list_id = list_id
    account.open_orders[order.id] = order
    account.open_client_ids[request.symbol, request.client_order_id] = order
    engine.report(Kind.NEW, order, now_ms)
    return order


def build_order(engine: "Engine", account: Account, request: OrderRequest, now_ms: int) -> Order:
    market = engine.markets[request.symbol].market
    price = to_units(request.price) if request.price is not None and request.type in PRICED_TYPES else 0
    order = Order(
        engine.next_order_id,
        account,
        market,
        request.side,
        price,
        to_units(request.quantity) if request.quantity is not None else 0,
        request.type,
        request.time_in_force,
        request.client_order_id,
        now_ms,
    )
    engine.next_order_id += 1
    order.quote_quantity = to_units(request.quote_quantity) if request.quote_quantity is not None else 0
    order.stop_price = to_units(request.stop_price) if request.stop_price is not None else 0
    order.display = to_units(request.iceberg_quantity) if request.iceberg_quantity is not None else 0
    order.self_trade_prevention = request.self_trade_prevention
    return order
