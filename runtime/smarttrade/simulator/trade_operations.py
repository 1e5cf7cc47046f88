"""A user's questions and requests: orders, lists, fills, balances.

`check_deadline` is called immediately before every request that changes something, however long it was held
up on its way: the execution protocol of a fenced client rests on it.
"""

import uuid
from typing import Any

from smarttrade.matching import Order, OrderListRequest, OrderRejected
from smarttrade.matching.errors import CANCEL_REJECTED, NO_ORDER, NO_SUCH_ORDER, UNKNOWN_ORDER
from smarttrade.matching.units import to_text
from smarttrade.simulator import render_trading
from smarttrade.simulator.call import Call
from smarttrade.simulator.errors import ApiError, from_rejection, missing
from smarttrade.simulator.requests import build_oco_request, build_request, response_type


def place(call: Call) -> Any:
    request = build_request(call)
    kind = response_type(call, request.type)
    call.check_deadline()
    try:
        order, fills = call.venue.place(call.account, request, call.endpoint)
    except OrderRejected as error:
        raise from_rejection(error) from error
    return render_trading.build_placed(order, fills, kind)


def test(call: Call) -> Any:
    request = build_request(call)
    call.check_deadline()
    try:
        call.venue.engine.check(call.account, request)
    except OrderRejected as error:
        raise from_rejection(error) from error
    return {}


def find_order(call: Call, id_name: str = "orderId", client_name: str = "origClientOrderId") -> Order | None:
    """The order named by either id; a client id names its newest order."""
    order_id, client_id = call.parameters.integer(id_name), call.parameters.get(client_name)
    if order_id is None and client_id is None:
        raise ApiError(-1102, f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!")
    symbol = call.market().market.symbol
    if order_id is None:
        return call.venue.find_by_client_id(call.account, symbol, client_id or "")
    order = call.venue.orders[call.account.name].get(order_id)
    return order if order is not None and order.market.symbol == symbol else None


def query(call: Call) -> Any:
    order = find_order(call)
    if order is None or not call.venue.is_visible(order):
        raise ApiError(NO_SUCH_ORDER, NO_ORDER)
    return render_trading.build_order(order)


def cancel(call: Call) -> Any:
    order = find_order(call)
    new_client_id = call.parameters.client_id("newClientOrderId") or uuid.uuid4().hex[:22]
    call.check_deadline()
    if order is None or not order.is_open:
        raise ApiError(CANCEL_REJECTED, UNKNOWN_ORDER)
    _check_restriction(call, order)
    call.venue.cancel(order)
    order_list = call.venue.engine.order_lists.get(order.list_id)
    return (
        render_trading.build_order_list(order_list)
        if order_list
        else render_trading.build_canceled(order, new_client_id)
    )


def _check_restriction(call: Call, order: Order) -> None:
    wanted = call.parameters.get("cancelRestrictions")
    if wanted is not None and wanted != f"ONLY_{order.status.value}":
        raise ApiError(CANCEL_REJECTED, "Order was not canceled due to cancel restrictions.")


def cancel_all(call: Call) -> Any:
    symbol = call.market().market.symbol
    call.check_deadline()
    mine = [order for order in call.account.open_orders.values() if order.market.symbol == symbol]
    if not mine:
        raise ApiError(CANCEL_REJECTED, UNKNOWN_ORDER)
    for order in mine:
        if order.is_open:
            call.venue.cancel(order)
    return [render_trading.build_canceled(order, order.client_order_id) for order in mine]


def cancel_replace(call: Call) -> Any:
    """Cancel, then place; what happens to the second when the first fails is `cancelReplaceMode`."""
    mode = call.parameters.need("cancelReplaceMode")
    if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
        raise ApiError(-1130, "Data sent for parameter 'cancelReplaceMode' is not valid.")
    request = build_request(call)
    kind = response_type(call, request.type)
    order = find_order(call, "cancelOrderId", "cancelOrigClientOrderId")
    call.check_deadline()
    canceled, cancel_error = _cancel_part(call, order)
    placed: Any = None
    place_error: ApiError | None = None
    if cancel_error is None or mode == "ALLOW_FAILURE":
        try:
            placed = render_trading.build_placed(
                *call.venue.place(call.account, request, call.endpoint), kind
            )
        except OrderRejected as error:
            place_error = from_rejection(error)
    attempted = placed is not None or place_error is not None
    answer = {
        "cancelResult": "FAILURE" if cancel_error else "SUCCESS",
        "newOrderResult": "NOT_ATTEMPTED" if not attempted else "FAILURE" if place_error else "SUCCESS",
        "cancelResponse": cancel_error.body() if cancel_error else canceled,
        "newOrderResponse": place_error.body() if place_error else placed,
    }
    if cancel_error is None and place_error is None:
        return answer
    if (cancel_error is None) != (place_error is None) and attempted:
        raise ApiError(-2021, "Order cancel-replace partially failed.", 409, {"data": answer})
    raise ApiError(-2022, "Order cancel-replace failed.", 400, {"data": answer})


def _cancel_part(call: Call, order: Order | None) -> tuple[Any, ApiError | None]:
    if order is None or not order.is_open:
        return None, ApiError(CANCEL_REJECTED, UNKNOWN_ORDER)
    try:
        _check_restriction(call, order)
    except ApiError as error:
        return None, error
    call.venue.cancel(order)
    return render_trading.build_canceled(order, order.client_order_id), None


def amend(call: Call) -> Any:
    order = find_order(call)
    quantity = call.parameters.decimal("newQty")
    if quantity is None:
        raise missing("newQty")
    call.check_deadline()
    if order is None or not order.is_open:
        raise ApiError(NO_SUCH_ORDER, NO_ORDER)
    try:
        call.venue.reduce(order, quantity)
    except OrderRejected as error:
        raise from_rejection(error) from error
    return {
        "transactTime": order.updated_ms,
        "executionId": 0,
        "amendedOrder": render_trading.build_order(order),
    }


def open_orders(call: Call) -> Any:
    name = call.parameters.get("symbol")
    symbol = call.find_market(name).market.symbol if name else None
    mine = sorted(call.account.open_orders.values(), key=lambda order: order.id)
    shown = [order for order in mine if symbol is None or order.market.symbol == symbol]
    return [render_trading.build_order(order) for order in shown if call.venue.is_visible(order)]


def all_orders(call: Call) -> Any:
    rows = call.venue.find_orders(call.account, call.market().market.symbol)
    first, limit = call.parameters.integer("orderId"), call.parameters.limit(500, 1000)
    start, end = call.parameters.integer("startTime"), call.parameters.integer("endTime")
    rows = [order for order in rows if _is_within(order.created_ms, start, end)]
    if first is not None:
        return [render_trading.build_order(order) for order in rows if order.id >= first][:limit]
    chosen = rows[:limit] if start is not None else rows[-limit:]
    return [render_trading.build_order(order) for order in chosen]


def my_trades(call: Call) -> Any:
    data = call.market()
    first, limit = call.parameters.integer("fromId"), call.parameters.limit(500, 1000)
    order_id = call.parameters.integer("orderId")
    start, end = call.parameters.integer("startTime"), call.parameters.integer("endTime")
    rows = [
        fill
        for fill in call.venue.fills[call.account.name]
        if fill.order.market is data.market
        and (order_id is None or fill.order.id == order_id)
        and (first is None or fill.trade_id >= first)
        and _is_within(fill.time_ms, start, end)
        and call.venue.is_visible(fill.order)
    ]
    chosen = rows[:limit] if first is not None or start is not None else rows[-limit:]
    return [render_trading.build_my_trade(fill) for fill in chosen]


def _is_within(time_ms: int, start: int | None, end: int | None) -> bool:
    return (start is None or time_ms >= start) and (end is None or time_ms <= end)


def account(call: Call) -> Any:
    omit_zero = (call.parameters.get("omitZeroBalances") or "false").lower() == "true"
    return render_trading.build_account(call.account, call.venue.clock.now_ms(), omit_zero)


def commission(call: Call) -> Any:
    fees = call.account.fees
    zero = dict.fromkeys(("maker", "taker", "buyer", "seller"), "0.00000000")
    standard = {**zero, "maker": to_text(fees.rate_units(True)), "taker": to_text(fees.rate_units(False))}
    return {
        "symbol": call.market().market.id,
        "standardCommission": standard,
        "specialCommission": zero,
        "taxCommission": zero,
        "discount": {
            "enabledForAccount": fees.is_third_asset,
            "enabledForSymbol": fees.is_third_asset,
            "discountAsset": fees.asset if fees.is_third_asset else "BNB",
            "discount": to_text(fees.discount_units),
        },
    }


# --- lists ------------------------------------------------------------------------------------------


def place_oco(call: Call) -> Any:
    request: OrderListRequest = build_oco_request(call)
    call.check_deadline()
    try:
        order_list = call.venue.place_list(call.account, request)
    except OrderRejected as error:
        raise from_rejection(error) from error
    reports = [render_trading.build_placed(order, [], "RESULT") for order in order_list.orders]
    return {**render_trading.build_order_list(order_list), "orderReports": reports}


def _find_list(call: Call) -> Any:
    list_id = call.parameters.integer("orderListId")
    client_id = call.parameters.get("listClientOrderId") or call.parameters.get("origClientOrderId")
    if list_id is None and client_id is None:
        raise missing("orderListId")
    rows = [row for row in call.venue.engine.order_lists.values() if row.account is call.account]
    found = [row for row in rows if list_id in (None, row.id) and client_id in (None, row.client_list_id)]
    return found[-1] if found else None


def query_list(call: Call) -> Any:
    order_list = _find_list(call)
    if order_list is None:
        raise ApiError(-2018, "Order list does not exist.")
    return render_trading.build_order_list(order_list)


def cancel_list(call: Call) -> Any:
    order_list = _find_list(call)
    call.check_deadline()
    if order_list is None or not order_list.is_open:
        raise ApiError(CANCEL_REJECTED, UNKNOWN_ORDER)
    call.venue.cancel(next(order for order in order_list.orders if order.is_open))
    reports = [render_trading.build_canceled(order, order.client_order_id) for order in order_list.orders]
    return {**render_trading.build_order_list(order_list), "orderReports": reports}


def open_lists(call: Call) -> Any:
    rows = call.venue.engine.order_lists.values()
    return [
        render_trading.build_order_list(row) for row in rows if row.account is call.account and row.is_open
    ]
