"""Order parameters to engine requests, with the exchange's rules about which belongs to which type."""

import uuid

from smarttrade.matching import (
    BUY,
    SELL,
    OrderListRequest,
    OrderRequest,
    OrderType,
    SelfTradePrevention,
    TimeInForce,
)
from smarttrade.matching.orders import PRICED_TYPES, STOP_TYPES, TIMED_TYPES
from smarttrade.simulator.call import Call
from smarttrade.simulator.errors import ApiError, missing, not_required
from smarttrade.simulator.parameters import Parameters

_FULL_TYPES = (OrderType.LIMIT, OrderType.MARKET)


def side_of(parameters: Parameters) -> int:
    side = parameters.need("side").upper()
    if side not in ("BUY", "SELL"):
        raise ApiError(-1117, "Invalid side.")
    return BUY if side == "BUY" else SELL


def response_type(call: Call, kind: OrderType) -> str:
    value = call.parameters.get("newOrderRespType") or ("FULL" if kind in _FULL_TYPES else "ACK")
    if value not in ("ACK", "RESULT", "FULL"):
        raise ApiError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    return value


def build_request(call: Call) -> OrderRequest:
    """The order of a request; ApiError where parameters are missing, superfluous or malformed."""
    parameters = call.parameters
    symbol = call.market().market.symbol
    side = side_of(parameters)
    parameters.need("type")
    kind = parameters.choice("type", OrderType, -1116, "Invalid orderType.")
    assert kind is not None
    _check_needed(parameters, kind)
    return OrderRequest(
        symbol=symbol,
        side=side,
        type=kind,
        client_order_id=parameters.client_id("newClientOrderId") or uuid.uuid4().hex[:22],
        quantity=parameters.decimal("quantity"),
        quote_quantity=parameters.decimal("quoteOrderQty"),
        price=parameters.decimal("price"),
        stop_price=parameters.decimal("stopPrice"),
        time_in_force=_time_in_force(parameters),
        self_trade_prevention=_self_trade_prevention(parameters),
    )


def _time_in_force(parameters: Parameters) -> TimeInForce:
    value = parameters.choice("timeInForce", TimeInForce, -1115, "Invalid timeInForce.")
    return value or TimeInForce.GTC


def _self_trade_prevention(parameters: Parameters) -> SelfTradePrevention:
    message = "Data sent for parameter 'selfTradePreventionMode' is not valid."
    value = parameters.choice("selfTradePreventionMode", SelfTradePrevention, -1130, message)
    return value or SelfTradePrevention.NONE


def _check_needed(parameters: Parameters, kind: OrderType) -> None:
    if kind in TIMED_TYPES and parameters.get("timeInForce") is None:
        raise missing("timeInForce")
    if kind not in TIMED_TYPES and parameters.get("timeInForce") is not None:
        raise not_required("timeInForce")
    if kind in PRICED_TYPES and parameters.decimal("price") is None:
        raise missing("price")
    if kind not in PRICED_TYPES and parameters.get("price") is not None:
        raise not_required("price")
    if kind in STOP_TYPES and parameters.decimal("stopPrice") is None:
        raise missing("stopPrice")
    if kind not in STOP_TYPES and parameters.get("stopPrice") is not None:
        raise not_required("stopPrice")
    _check_quantities(parameters, kind)


def _check_quantities(parameters: Parameters, kind: OrderType) -> None:
    quantity, quote = parameters.get("quantity"), parameters.get("quoteOrderQty")
    if quote is not None and (kind is not OrderType.MARKET or quantity is not None):
        raise not_required("quoteOrderQty")
    if quote is None and parameters.decimal("quantity") is None:
        if quantity is not None:
            raise ApiError(-1013, "Invalid quantity.")
        raise missing("quantity")


def build_oco_request(call: Call) -> OrderListRequest:
    """Above and below legs of an OCO: one LIMIT_MAKER (or take-profit limit), one stop."""
    legs = [_leg(call, "above"), _leg(call, "below")]
    limits = [leg for leg in legs if leg.type is OrderType.LIMIT_MAKER]
    stops = [leg for leg in legs if leg.type in (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)]
    if len(limits) != 1 or len(stops) != 1:
        raise ApiError(
            -1158,
            "The combination of aboveType and belowType is invalid: use LIMIT_MAKER and STOP_LOSS(_LIMIT).",
        )
    client_id = call.parameters.client_id("listClientOrderId") or uuid.uuid4().hex[:22]
    return OrderListRequest(client_id, limits[0], stops[0])


def _leg(call: Call, name: str) -> OrderRequest:
    parameters = call.parameters
    parameters.need(f"{name}Type")
    kind = parameters.choice(f"{name}Type", OrderType, -1116, "Invalid orderType.")
    assert kind is not None
    timing = parameters.choice(f"{name}TimeInForce", TimeInForce, -1115, "Invalid timeInForce.")
    if parameters.decimal("quantity") is None:
        raise missing("quantity")
    return OrderRequest(
        symbol=call.market().market.symbol,
        side=side_of(parameters),
        type=kind,
        client_order_id=parameters.client_id(f"{name}ClientOrderId") or uuid.uuid4().hex[:22],
        quantity=parameters.decimal("quantity"),
        price=parameters.decimal(f"{name}Price"),
        stop_price=parameters.decimal(f"{name}StopPrice"),
        time_in_force=timing or TimeInForce.GTC,
        self_trade_prevention=_self_trade_prevention(parameters),
    )
