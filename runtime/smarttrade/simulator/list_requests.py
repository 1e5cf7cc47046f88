"""Parameters of order lists to engine requests: OCO (new and old form), OTO and OTOCO, OPO and OPOCO."""

from decimal import Decimal

from smarttrade.matching import BUY, OrderListRequest, OrderRequest, OrderType, TimeInForce
from smarttrade.simulator.call import Call
from smarttrade.simulator.errors import ApiError, missing, not_required
from smarttrade.simulator.requests import (
    Named,
    build_named,
    new_client_id,
    self_trade_prevention,
    side_of,
)

_PROFIT_TYPES = (OrderType.LIMIT_MAKER, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)
_STOP_TYPES = (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)
_WORKING_TYPES = (OrderType.LIMIT, OrderType.LIMIT_MAKER)


def build_oco(call: Call) -> OrderListRequest:
    """Above and below legs of one side and quantity."""
    side, quantity = side_of(call.parameters), _quantity(call, "quantity")
    return OrderListRequest(_list_id(call), _pair(call, "above", "below", side, quantity))


def build_old_oco(call: Call) -> OrderListRequest:
    """`price` is the limit maker's, `stopPrice` (and `stopLimitPrice`) the stop's."""
    parameters, symbol = call.parameters, call.market().market.symbol
    side, quantity = side_of(parameters), _quantity(call, "quantity")
    for name in ("price", "stopPrice"):
        if parameters.decimal(name) is None:
            raise missing(name)
    stop_limit = parameters.decimal("stopLimitPrice")
    timing = parameters.choice("stopLimitTimeInForce", TimeInForce, -1115, "Invalid timeInForce.")
    if stop_limit is not None and timing is None:
        raise missing("stopLimitTimeInForce")
    mode = self_trade_prevention(parameters)
    limit = OrderRequest(
        symbol,
        side,
        OrderType.LIMIT_MAKER,
        parameters.client_id("limitClientOrderId") or new_client_id(),
        quantity,
        price=parameters.decimal("price"),
        self_trade_prevention=mode,
        iceberg_quantity=parameters.decimal("limitIcebergQty"),
    )
    stop = OrderRequest(
        symbol,
        side,
        OrderType.STOP_LOSS if stop_limit is None else OrderType.STOP_LOSS_LIMIT,
        parameters.client_id("stopClientOrderId") or new_client_id(),
        quantity,
        price=stop_limit,
        stop_price=parameters.decimal("stopPrice"),
        time_in_force=timing or TimeInForce.GTC,
        self_trade_prevention=mode,
        iceberg_quantity=parameters.decimal("stopIcebergQty"),
    )
    return OrderListRequest(_list_id(call), (limit, stop))


def build_oto(call: Call) -> OrderListRequest:
    """A working limit order, and one order of any type that is placed when it has filled."""
    symbol = call.market().market.symbol
    side = side_of(call.parameters, "pendingSide")
    quantity = _quantity(call, "pendingQuantity")
    pending = build_named(symbol, Named(call.parameters, "pending", "pendingClientOrderId"), side, quantity)
    return OrderListRequest(_list_id(call), (pending,), _working(call))


def build_otoco(call: Call) -> OrderListRequest:
    """A working limit order, and a pair that is placed when it has filled."""
    side = side_of(call.parameters, "pendingSide")
    legs = _pair(call, "pendingAbove", "pendingBelow", side, _quantity(call, "pendingQuantity"))
    return OrderListRequest(_list_id(call), legs, _working(call))


def build_opo(call: Call) -> OrderListRequest:
    """A working buy, and one order of any type that sells what it has received."""
    symbol, side = call.market().market.symbol, _paid_side(call)
    named = Named(call.parameters, "pending", "pendingClientOrderId")
    return OrderListRequest(_list_id(call), (build_named(symbol, named, side, is_paid=True),), _paying(call))


def build_opoco(call: Call) -> OrderListRequest:
    """A working buy, and a pair that sells what it has received."""
    legs = _pair(call, "pendingAbove", "pendingBelow", _paid_side(call), None)
    return OrderListRequest(_list_id(call), legs, _paying(call))


def _paying(call: Call) -> OrderRequest:
    working = _working(call)
    if working.side != BUY:
        raise ApiError(-1222, "Working order in an OPO list must be a bid.")
    return working


def _paid_side(call: Call) -> int:
    if call.parameters.get("pendingQuantity") is not None:
        raise not_required("pendingQuantity")
    side = side_of(call.parameters, "pendingSide")
    if side == BUY:
        raise ApiError(-1223, "Pending orders in an OPO list must be asks.")
    return side


def _working(call: Call) -> OrderRequest:
    named = Named(call.parameters, "working", "workingClientOrderId")
    side = side_of(call.parameters, "workingSide")
    request = build_named(call.market().market.symbol, named, side, _quantity(call, "workingQuantity"))
    if request.type not in _WORKING_TYPES:
        raise ApiError(-1116, "Invalid orderType.")
    return request


def _pair(
    call: Call, above: str, below: str, side: int, quantity: Decimal | None
) -> tuple[OrderRequest, OrderRequest]:
    """(profit, stop): a seller takes profit above the market, a buyer below. Without a quantity a working
    order pays for them."""
    symbol, parameters = call.market().market.symbol, call.parameters
    legs = [
        build_named(
            symbol,
            Named(parameters, prefix, f"{prefix}ClientOrderId"),
            side,
            quantity,
            is_paid=quantity is None,
        )
        for prefix in (above, below)
    ]
    profit, stop = reversed(legs) if side == BUY else legs
    if profit.type not in _PROFIT_TYPES or stop.type not in _STOP_TYPES:
        raise ApiError(
            -1158,
            f"The combination of {above}Type and {below}Type is invalid: the leg that takes profit is "
            "LIMIT_MAKER or TAKE_PROFIT(_LIMIT), the other STOP_LOSS(_LIMIT).",
        )
    return profit, stop


def _list_id(call: Call) -> str:
    return call.parameters.client_id("listClientOrderId") or new_client_id()


def _quantity(call: Call, name: str) -> Decimal:
    quantity = call.parameters.decimal(name)
    if quantity is None:
        raise missing(name)
    return quantity
