"""Single orders: placing, testing, asking, cancelling, lowering.

`check_deadline` is called immediately before every request that changes something, however long it was held
up on its way: the execution protocol of a fenced client rests on it.
"""

from typing import Any

from smarttrade.matching import Order, OrderRejected
from smarttrade.matching.errors import CANCEL_REJECTED, NO_ORDER, NO_SUCH_ORDER, UNKNOWN_ORDER
from smarttrade.simulator import render_account, render_lists, render_trading
from smarttrade.simulator.call import Call
from smarttrade.simulator.errors import ApiError, from_rejection, missing
from smarttrade.simulator.requests import build_request, new_client_id, response_type

_RESTRICTIONS = ("ONLY_NEW", "ONLY_PARTIALLY_FILLED")


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
    if (call.parameters.get("computeCommissionRates") or "false").lower() == "true":
        return render_account.build_order_commission(call.account)
    return {}


def find_order(call: Call, id_name: str = "orderId", client_name: str = "origClientOrderId") -> Order | None:
    """The order named by either id; a client id names its newest order."""
    order_id, client_id = call.parameters.integer(id_name), call.parameters.get(client_name)
    if order_id is None and client_id is None:
        raise ApiError(-1102, f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!")
    symbol = call.market().market.symbol
    if order_id is None:
        return call.venue.history.find_by_client_id(call.account, symbol, client_id or "")
    order = call.venue.history.orders[call.account.name].get(order_id)
    return order if order is not None and order.market.symbol == symbol else None


def query(call: Call) -> Any:
    order = find_order(call)
    if order is None or not call.venue.history.is_visible(order):
        raise ApiError(NO_SUCH_ORDER, NO_ORDER)
    return render_trading.build_order(order)


def cancel(call: Call) -> Any:
    order = find_order(call)
    new_id = call.parameters.client_id("newClientOrderId") or new_client_id()
    check_cancelable(call, order)
    call.check_deadline()
    if order is None or not order.is_open:
        raise ApiError(CANCEL_REJECTED, UNKNOWN_ORDER)
    call.venue.cancel(order, new_id)
    order_list = call.venue.engine.order_lists.get(order.list_id)
    return (
        render_lists.build_canceled_list(order_list) if order_list else render_trading.build_canceled(order)
    )


def check_cancelable(call: Call, order: Order | None) -> None:
    """Obey `cancelRestrictions`."""
    wanted = call.parameters.get("cancelRestrictions")
    if wanted is not None and wanted not in _RESTRICTIONS:
        raise ApiError(-1130, "Data sent for parameter 'cancelRestrictions' is not valid.")
    if wanted is not None and order is not None and wanted != f"ONLY_{order.status.value}":
        raise ApiError(CANCEL_REJECTED, "Order was not canceled due to cancel restrictions.")


def cancel_all(call: Call) -> Any:
    """Cancel every open order of a market; a list is told of once, as a list."""
    symbol = call.market().market.symbol
    call.check_deadline()
    mine = [order for order in call.account.open_orders.values() if order.market.symbol == symbol]
    if not mine:
        raise ApiError(CANCEL_REJECTED, UNKNOWN_ORDER)
    answers = []
    for order in mine:
        if order.is_open:
            call.venue.cancel(order, new_client_id())
            order_list = call.venue.engine.order_lists.get(order.list_id)
            answers.append(
                render_lists.build_canceled_list(order_list)
                if order_list
                else render_trading.build_canceled(order)
            )
    return answers


def amend(call: Call) -> Any:
    order = find_order(call)
    quantity = call.parameters.decimal("newQty")
    if quantity is None:
        raise missing("newQty")
    client_id = call.parameters.client_id("newClientOrderId") or new_client_id()
    call.check_deadline()
    if order is None or not order.is_open:
        raise ApiError(NO_SUCH_ORDER, NO_ORDER)
    try:
        amendment = call.venue.reduce(order, quantity, client_id)
    except OrderRejected as error:
        raise from_rejection(error) from error
    order_list = call.venue.engine.order_lists.get(order.list_id)
    return {
        "transactTime": order.updated_ms,
        "executionId": amendment.execution_id,
        "amendedOrder": render_trading.build_amended(order, amendment),
        **({"listStatus": render_lists.build_list_status(order_list)} if order_list else {}),
    }


def amendments(call: Call) -> Any:
    """How an order was lowered, oldest first."""
    order = find_order(call)
    if order is None:
        raise ApiError(NO_SUCH_ORDER, NO_ORDER)
    first, limit = call.parameters.integer("fromExecutionId"), call.parameters.limit(500, 1000)
    rows = call.venue.history.amendments.get(order.id, [])
    chosen = [row for row in rows if first is None or row.execution_id >= first][:limit]
    return [render_trading.build_amendment(order, row) for row in chosen]
