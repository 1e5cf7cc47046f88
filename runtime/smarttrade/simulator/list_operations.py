"""Order lists: OCO, OTO, OTOCO, OPO, OPOCO."""

from collections.abc import Callable
from typing import Any

from smarttrade.matching import OrderList, OrderListRequest, OrderRejected
from smarttrade.matching.errors import CANCEL_REJECTED, UNKNOWN_ORDER
from smarttrade.simulator import list_requests, render_lists
from smarttrade.simulator.call import Call
from smarttrade.simulator.errors import ApiError, from_rejection, missing
from smarttrade.simulator.requests import new_client_id


def place_oco(call: Call) -> Any:
    return _place(call, list_requests.build_oco)


def place_old_oco(call: Call) -> Any:
    return _place(call, list_requests.build_old_oco)


def place_oto(call: Call) -> Any:
    return _place(call, list_requests.build_oto)


def place_otoco(call: Call) -> Any:
    return _place(call, list_requests.build_otoco)


def place_opo(call: Call) -> Any:
    return _place(call, list_requests.build_opo)


def place_opoco(call: Call) -> Any:
    return _place(call, list_requests.build_opoco)


def _place(call: Call, build: Callable[[Call], OrderListRequest]) -> Any:
    request = build(call)
    response = call.parameters.get("newOrderRespType") or "RESULT"
    call.check_deadline()
    try:
        order_list = call.venue.place_list(call.account, request, call.endpoint)
    except OrderRejected as error:
        raise from_rejection(error) from error
    return render_lists.build_placed_list(order_list, response)


def _find(call: Call) -> OrderList | None:
    list_id = call.parameters.integer("orderListId")
    client_id = call.parameters.get("listClientOrderId") or call.parameters.get("origClientOrderId")
    if list_id is None and client_id is None:
        raise missing("orderListId")
    rows = call.venue.history.lists_of(call.account)
    found = [row for row in rows if list_id in (None, row.id) and client_id in (None, row.client_list_id)]
    return found[-1] if found else None


def query_list(call: Call) -> Any:
    order_list = _find(call)
    if order_list is None:
        raise ApiError(-2018, "Order list does not exist.")
    return render_lists.build_order_list(order_list)


def cancel_list(call: Call) -> Any:
    order_list = _find(call)
    call.check_deadline()
    if order_list is None or not order_list.is_open:
        raise ApiError(CANCEL_REJECTED, UNKNOWN_ORDER)
    new_id = call.parameters.client_id("newClientOrderId") or new_client_id()
    call.venue.cancel(next(order for order in order_list.orders if order.is_open), new_id)
    return render_lists.build_canceled_list(order_list)


def open_lists(call: Call) -> Any:
    return [
        render_lists.build_order_list(row) for row in call.venue.history.lists_of(call.account) if row.is_open
    ]


def all_lists(call: Call) -> Any:
    first, limit = call.parameters.integer("fromId"), call.parameters.limit(500, 1000)
    start, end = call.parameters.moment("startTime"), call.parameters.moment("endTime")
    if first is not None and (start is not None or end is not None):
        raise ApiError(-1128, "Combination of optional parameters invalid.")
    rows = [row for row in call.venue.history.lists_of(call.account) if is_within(row.created_ms, start, end)]
    if first is not None:
        rows = [row for row in rows if row.id >= first]
    chosen = rows[:limit] if first is not None or start is not None else rows[-limit:]
    return [render_lists.build_order_list(row) for row in chosen]


def is_within(time_ms: int, start: int | None, end: int | None) -> bool:
    return (start is None or time_ms >= start) and (end is None or time_ms <= end)
