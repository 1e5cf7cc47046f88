"""Order parameters to engine requests, with the exchange's rules about which belongs to which type.

A list's parameters carry a prefix for each of its orders (`workingPrice`, `pendingAboveStopPrice`): `Named`
reads all of them through one set of rules.
"""

import uuid
from dataclasses import dataclass
from decimal import Decimal

from smarttrade.matching import (
    BUY,
    SELL,
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
_UNSUPPORTED = {
    "trailingDelta": "Trailing stop orders are not supported for this symbol.",
    "pegPriceType": "Pegged orders are not supported for this symbol.",
}


@dataclass(frozen=True, slots=True)
class Named:
    """The parameters of one order: `prefix` before their names, `client_id` as the name of its id."""

    parameters: Parameters
    prefix: str = ""
    client_id: str = "newClientOrderId"

    def name(self, plain: str) -> str:
        return f"{self.prefix}{plain[0].upper()}{plain[1:]}" if self.prefix else plain

    def get(self, plain: str) -> str | None:
        return self.parameters.get(self.name(plain))

    def decimal(self, plain: str) -> Decimal | None:
        return self.parameters.decimal(self.name(plain))

    def missing(self, plain: str) -> ApiError:
        return missing(self.name(plain))

    def not_required(self, plain: str) -> ApiError:
        return not_required(self.name(plain))


def new_client_id() -> str:
    """An id as the exchange makes one where the client gave none."""
    return uuid.uuid4().hex[:22]


def side_of(parameters: Parameters, name: str = "side") -> int:
    side = parameters.need(name).upper()
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
    symbol = call.market().market.symbol
    return build_named(symbol, Named(call.parameters), side_of(call.parameters))


def build_named(
    symbol: str, named: Named, side: int, quantity: Decimal | None = None, *, is_paid: bool = False
) -> OrderRequest:
    """The order that `named` describes; `quantity` where a list gives it once for several. One that another
    order pays for has none."""
    parameters = named.parameters
    parameters.need(named.name("type"))
    kind = parameters.choice(named.name("type"), OrderType, -1116, "Invalid orderType.")
    assert kind is not None
    _check_needed(named, kind)
    if is_paid and named.get("quoteOrderQty") is not None:
        raise named.not_required("quoteOrderQty")
    if quantity is None and not is_paid:
        _check_quantities(named, kind)
        quantity = named.decimal("quantity")
    timing = parameters.choice(named.name("timeInForce"), TimeInForce, -1115, "Invalid timeInForce.")
    timing = timing or TimeInForce.GTC
    iceberg = named.decimal("icebergQty")
    if iceberg is not None and (kind not in PRICED_TYPES or timing is not TimeInForce.GTC):
        raise named.not_required("icebergQty")
    return OrderRequest(
        symbol=symbol,
        side=side,
        type=kind,
        client_order_id=parameters.client_id(named.client_id) or new_client_id(),
        quantity=quantity,
        quote_quantity=named.decimal("quoteOrderQty"),
        price=named.decimal("price"),
        stop_price=named.decimal("stopPrice"),
        time_in_force=timing,
        self_trade_prevention=self_trade_prevention(parameters),
        iceberg_quantity=iceberg,
    )


def self_trade_prevention(parameters: Parameters) -> SelfTradePrevention:
    message = "Data sent for parameter 'selfTradePreventionMode' is not valid."
    value = parameters.choice("selfTradePreventionMode", SelfTradePrevention, -1130, message)
    return value or SelfTradePrevention.NONE


def _check_needed(named: Named, kind: OrderType) -> None:
    for name, text in _UNSUPPORTED.items():
        if named.get(name) is not None:
            raise ApiError(-2010, text)
    for name, kinds in (("timeInForce", TIMED_TYPES), ("price", PRICED_TYPES), ("stopPrice", STOP_TYPES)):
        if kind in kinds and named.get(name) is None:
            raise named.missing(name)
        if kind not in kinds and named.get(name) is not None:
            raise named.not_required(name)
    for name, kinds in (("price", PRICED_TYPES), ("stopPrice", STOP_TYPES)):
        if kind in kinds and named.decimal(name) is None:
            raise named.missing(name)


def _check_quantities(named: Named, kind: OrderType) -> None:
    quantity, quote = named.get("quantity"), named.get("quoteOrderQty")
    if quote is not None and (kind is not OrderType.MARKET or quantity is not None):
        raise named.not_required("quoteOrderQty")
    if quote is None and named.decimal("quantity") is None:
        if quantity is not None:
            raise ApiError(-1013, "Invalid quantity.")
        raise named.missing("quantity")
