"""What one order of a list means for the others: placed together, cancelled together, placed in turn.

A pending order is not placed in the middle of the fills that release it, but right after them (see
`Engine.settle_consequences`): the book has by then forgotten all makers of these fills.
"""

from typing import TYPE_CHECKING

from smarttrade.matching import acceptance, funds
from smarttrade.matching.errors import (
    INSUFFICIENT_BALANCE,
    NEW_ORDER_REJECTED,
    WOULD_TAKE,
    WOULD_TRIGGER,
    OrderRejected,
)
from smarttrade.matching.events import Execution, Kind, ListChange
from smarttrade.matching.filters import check_filters
from smarttrade.matching.ledger import Account
from smarttrade.matching.lists import (
    WRONG_PRICES,
    Contingency,
    OrderList,
    OrderListRequest,
    check_order_list,
    check_pair,
)
from smarttrade.matching.orders import SELL, STOP_TYPES, Order, OrderRequest, Status
from smarttrade.matching.state import MarketState
from smarttrade.matching.units import to_decimal

if TYPE_CHECKING:
    from smarttrade.matching.engine import Engine

_REJECT_REASONS = {
    INSUFFICIENT_BALANCE: "INSUFFICIENT_BALANCES",
    WOULD_TRIGGER: "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY",
    WOULD_TAKE: "WOULD_MATCH_IMMEDIATELY",
    WRONG_PRICES: "OCO_BAD_PRICES",
}


def place(engine: "Engine", account: Account, request: OrderListRequest, now_ms: int) -> OrderList:
    """Accept a list and set its first orders to work; OrderRejected refuses all of it."""
    state = engine.markets[request.symbol]
    _check(account, state, request)
    order_list = accept(engine, account, request, now_ms)
    if request.working is not None:
        working = order_list.orders[0]
        funds.lock(working)
        engine.activate(working, now_ms)
    else:
        _work(engine, order_list, order_list.orders, request.legs, now_ms)
    return order_list


def _check(account: Account, state: MarketState, request: OrderListRequest) -> None:
    check_order_list(state, request)
    for order in request.requests:
        acceptance.check_entry(account, state, order)
    if request.working is not None:
        acceptance.check(account, state, request.working)
    else:
        _check_legs(account, state, request.legs)


def _check_legs(account: Account, state: MarketState, legs: tuple[OrderRequest, ...]) -> None:
    """Whether legs may begin to work now."""
    check_pair(legs, to_decimal(state.last_price) if state.last_price else None)
    for leg in legs:
        acceptance.check_market(state, leg)
    needed = max(funds.required(account, state, leg) for leg in legs)
    if not account.has_free(funds.spent_asset(state.market, legs[0].side), needed):
        raise OrderRejected(NEW_ORDER_REJECTED, INSUFFICIENT_BALANCE)


def accept(engine: "Engine", account: Account, request: OrderListRequest, now_ms: int) -> OrderList:
    kind = Contingency.OCO if request.working is None else Contingency.OTO
    order_list = OrderList(engine.next_list_id, request.client_list_id, account, now_ms, kind)
    engine.next_list_id += 1
    engine.order_lists[order_list.id] = order_list
    for wanted in request.requests:
        waits = request.working is not None and wanted is not request.working
        order = acceptance.accept(
            engine, account, wanted, now_ms, Status.PENDING_NEW if waits else Status.NEW, order_list.id
        )
        order_list.orders.append(order)
        if waits:
            order_list.waiting.append(order)
    engine.emit(ListChange(order_list, now_ms, is_done=False))
    return order_list


def _work(
    engine: "Engine",
    order_list: OrderList,
    legs: list[Order],
    requests: tuple[OrderRequest, ...],
    now_ms: int,
) -> None:
    """Lock the dearer leg's funds, then let stops wait before limits rest."""
    if len(legs) == 1:
        funds.lock(legs[0])
    else:
        state = engine.markets[requests[0].symbol]
        needed = max(funds.required(order_list.account, state, request) for request in requests)
        funds.lock_units(legs[0], needed)
    for leg in sorted(legs, key=lambda order: order.type not in STOP_TYPES):
        if leg.is_open:
            engine.activate(leg, now_ms)


def on_fill(engine: "Engine", order: Order, now_ms: int) -> None:
    """An order of a list has filled, in part or whole."""
    order_list = engine.order_lists.get(order.list_id)
    if order_list is None:
        return
    if order_list.waiting:
        if not order.remaining:
            engine.released.append(order_list)
    else:
        decide(engine, order, now_ms)


def on_paid(engine: "Engine", order: Order, quantity: int, fee: int, fee_asset: str) -> None:
    """A working order that pays for what waits has bought: that is kept, less a fee in the coin itself that
    nothing else of the account pays."""
    order_list = engine.order_lists.get(order.list_id)
    if order_list is None or not order_list.waits_for_payment:
        return
    base = order.market.base
    pays_itself = fee_asset == base and not order.account.has_free(base, quantity)
    funds.lock_units(order_list.waiting[0], quantity - fee if pays_itself else quantity)


def decide(engine: "Engine", order: Order, now_ms: int) -> None:
    """One leg of a pair executes or triggers: the other expires, and its funds pass over."""
    order_list = engine.order_lists.get(order.list_id)
    if order_list is None or order_list.is_decided or order not in order_list.pair:
        return
    order_list.is_decided = True
    for leg in order_list.pair:
        if leg is not order and leg.is_open:
            engine.finish(leg, Status.EXPIRED, Kind.EXPIRED, now_ms)
    if not order.locked:
        funds.lock(order)


def on_end(engine: "Engine", order: Order, now_ms: int) -> None:
    """An order of a list has ended without filling: what depends on it ends too."""
    order_list = engine.order_lists.get(order.list_id)
    if order_list is None:
        return
    waiting, order_list.waiting = order_list.waiting, []
    others = waiting
    if not order_list.is_decided and order in order_list.pair:
        order_list.is_decided = True
        others = order_list.pair
    canceled = order.status is Status.CANCELED
    for other in others:
        if other is not order and other.is_open:
            status, kind = (Status.CANCELED, Kind.CANCELED) if canceled else (Status.EXPIRED, Kind.EXPIRED)
            engine.finish(other, status, kind, now_ms)


def tell_if_done(engine: "Engine", order: Order, now_ms: int) -> None:
    """Tell of a list's end once its last order is closed."""
    order_list = engine.order_lists.get(order.list_id)
    if order_list is not None and not order_list.is_done and not order_list.is_open:
        order_list.is_done = True
        engine.emit(ListChange(order_list, now_ms, is_done=True))


def release(engine: "Engine", order_list: OrderList, now_ms: int) -> None:
    """The working order has filled: its pending orders are placed, or rejected where they cannot be."""
    is_paid = order_list.waits_for_payment
    legs, order_list.waiting = order_list.waiting, []
    if not legs:
        return
    if is_paid:
        _take_payment(legs)
    requests = tuple(build_request(leg) for leg in legs)
    state = engine.markets[requests[0].symbol]
    try:
        for request in requests if is_paid else ():
            check_filters(state.market, request, state.reference)
        _check_legs(order_list.account, state, requests)
    except OrderRejected as error:
        order_list.is_decided = True
        for leg in legs:
            _reject(engine, leg, _REJECT_REASONS.get(error.message, "NONE"), now_ms)
        return
    for leg in legs:
        leg.status = Status.NEW
        leg.updated_ms = leg.working_ms = now_ms
        engine.report(Kind.ACTIVATED, leg, now_ms)
    _work(engine, order_list, legs, requests, now_ms)


def _take_payment(legs: list[Order]) -> None:
    """What was received becomes the quantity, in whole lots; the rest is free."""
    received = funds.before_fees(legs[0].account, legs[0].locked, SELL)
    funds.release(legs[0])
    for leg in legs:
        leg.quantity = received - received % leg.market.step_units


def _reject(engine: "Engine", leg: Order, reason: str, now_ms: int) -> None:
    leg.status = Status.REJECTED
    leg.updated_ms = now_ms
    engine.close(leg)
    engine.sequence += 1
    engine.emit(
        Execution(
            Kind.REJECTED, leg, now_ms, leg.status, 0, 0, sequence=engine.sequence, reject_reason=reason
        )
    )
    tell_if_done(engine, leg, now_ms)


def build_request(order: Order) -> OrderRequest:
    """The request that an unfilled order came from."""
    return OrderRequest(
        symbol=order.market.symbol,
        side=order.side,
        type=order.type,
        client_order_id=order.client_order_id,
        quantity=to_decimal(order.quantity),
        price=to_decimal(order.price) if order.price else None,
        stop_price=to_decimal(order.stop_price) if order.stop_price else None,
        time_in_force=order.time_in_force,
        self_trade_prevention=order.self_trade_prevention,
        iceberg_quantity=to_decimal(order.display) if order.display else None,
    )
