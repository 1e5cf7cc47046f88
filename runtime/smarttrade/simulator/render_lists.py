"""Order lists as the exchange answers them; plain data."""

from typing import Any

from smarttrade.matching import Order, OrderList, Status
from smarttrade.simulator.render_trading import build_canceled, build_placed

Json = dict[str, Any]


def build_order_list(order_list: OrderList, *, is_open: bool | None = None) -> Json:
    is_open = order_list.is_open if is_open is None else is_open
    return {
        "orderListId": order_list.id,
        "contingencyType": order_list.contingency.value,
        "listStatusType": "EXEC_STARTED" if is_open else "ALL_DONE",
        "listOrderStatus": "EXECUTING" if is_open else "ALL_DONE",
        "listClientOrderId": order_list.client_list_id,
        "transactionTime": order_list.created_ms,
        "symbol": order_list.orders[0].market.id,
        "orders": [
            {"symbol": o.market.id, "orderId": o.id, "clientOrderId": o.client_order_id}
            for o in order_list.orders
        ],
    }


def build_list_status(order_list: OrderList) -> Json:
    """The list in the answer to an amendment of one of its orders."""
    left_out = ("listStatusType", "transactionTime")
    return {name: value for name, value in build_order_list(order_list).items() if name not in left_out}


def build_placed_list(order_list: OrderList, response: str) -> Json:
    """The answer to a new list."""
    shown = build_order_list(order_list)
    if response != "ACK":
        shown["orderReports"] = [build_placed(order, [], "RESULT") for order in order_list.orders]
    return shown


def build_canceled_list(order_list: OrderList) -> Json:
    return {
        **build_order_list(order_list),
        "orderReports": [_build_report(order) for order in order_list.orders],
    }


def _build_report(order: Order) -> Json:
    if order.status is Status.CANCELED:
        return build_canceled(order)
    return build_placed(order, [], "RESULT")
