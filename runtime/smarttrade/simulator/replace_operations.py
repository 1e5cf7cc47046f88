"""Cancel-replace: one request, two steps, three answers."""

from typing import Any

from smarttrade.matching import Order, OrderRejected
from smarttrade.matching.errors import CANCEL_REJECTED, UNKNOWN_ORDER
from smarttrade.simulator import render_trading
from smarttrade.simulator.call import Call
from smarttrade.simulator.errors import ApiError, from_rejection
from smarttrade.simulator.order_operations import check_cancelable, find_order
from smarttrade.simulator.requests import build_request, new_client_id, response_type


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
    return _answer(canceled, cancel_error, placed, place_error)


def _answer(
    canceled: Any, cancel_error: ApiError | None, placed: Any, place_error: ApiError | None
) -> dict[str, Any]:
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
        check_cancelable(call, order)
    except ApiError as error:
        return None, error
    call.venue.cancel(order, call.parameters.client_id("cancelNewClientOrderId") or new_client_id())
    return render_trading.build_canceled(order), None
