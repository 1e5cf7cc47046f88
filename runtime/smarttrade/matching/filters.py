"""The exchange's order filters, in the order in which it checks them; each failure has its code and text."""

from decimal import ROUND_CEILING, Decimal

from smarttrade.matching.errors import (
    ICEBERG_TOO_LARGE,
    NEW_ORDER_REJECTED,
    TOO_MUCH_PRECISION,
    OrderRejected,
    filter_failure,
)
from smarttrade.matching.market import Market
from smarttrade.matching.orders import BUY, PRICED_TYPES, STOP_TYPES, Order, OrderRequest, OrderType

_FINEST = Decimal("1e-8")


def check_filters(market: Market, request: OrderRequest, reference: Decimal | None) -> None:
    """Raise OrderRejected for the first filter that `request` fails.

    `reference` is the recent average price (None while nothing has traded: percentage filters then pass).
    """
    check_precision(request)
    if request.price is not None and request.type in PRICED_TYPES:
        check_price(market, request.price)
        check_percent_price(market, request.side, request.price, reference)
    if request.stop_price is not None:
        check_price(market, request.stop_price)
    check_quantity(market, request)
    if request.iceberg_quantity is not None and request.quantity is not None:
        check_iceberg(market, request, request.iceberg_quantity)
    check_notional(market, request, reference)


def check_counts(market: Market, request: OrderRequest, mine: list[Order]) -> None:
    """Raise OrderRejected where an account has as many open orders (`mine`) in a market as it may."""
    if len(mine) >= market.max_open_orders:
        raise filter_failure("MAX_NUM_ORDERS")
    if request.type in STOP_TYPES and sum(o.type in STOP_TYPES for o in mine) >= market.max_stop_orders:
        raise filter_failure("MAX_NUM_ALGO_ORDERS")
    if (
        request.iceberg_quantity is not None
        and sum(bool(o.display) for o in mine) >= market.max_iceberg_orders
    ):
        raise filter_failure("MAX_NUM_ICEBERG_ORDERS")


def check_iceberg(market: Market, request: OrderRequest, shown: Decimal) -> None:
    """What is shown obeys the lot size, and the order is not cut into too many parts."""
    if request.quantity is None or shown > request.quantity:
        raise OrderRejected(NEW_ORDER_REJECTED, ICEBERG_TOO_LARGE)
    if shown < market.min_quantity or shown % market.step_size:
        raise filter_failure("LOT_SIZE")
    parts = (request.quantity / shown).to_integral_value(ROUND_CEILING)
    if parts > market.max_iceberg_parts:
        raise filter_failure("ICEBERG_PARTS")


def check_precision(request: OrderRequest) -> None:
    for name, value in (
        ("price", request.price),
        ("quantity", request.quantity),
        ("quoteOrderQty", request.quote_quantity),
        ("stopPrice", request.stop_price),
        ("icebergQty", request.iceberg_quantity),
    ):
        if value is not None and value != value.quantize(_FINEST):
            raise OrderRejected(TOO_MUCH_PRECISION, f"Parameter '{name}' has too much precision.")


def check_price(market: Market, price: Decimal) -> None:
    if not market.min_price <= price <= market.max_price or price % market.tick_size:
        raise filter_failure("PRICE_FILTER")


def check_percent_price(market: Market, side: int, price: Decimal, reference: Decimal | None) -> None:
    if reference is None:
        return
    up = market.bid_multiplier_up if side == BUY else market.ask_multiplier_up
    down = market.bid_multiplier_down if side == BUY else market.ask_multiplier_down
    if not reference * down <= price <= reference * up:
        raise filter_failure("PERCENT_PRICE_BY_SIDE")


def check_quantity(market: Market, request: OrderRequest) -> None:
    quantity = request.quantity
    if quantity is None:
        return
    if not market.min_quantity <= quantity <= market.max_quantity or quantity % market.step_size:
        raise filter_failure("LOT_SIZE")
    if request.type is OrderType.MARKET and quantity > market.max_market_quantity:
        raise filter_failure("MARKET_LOT_SIZE")


def check_notional(market: Market, request: OrderRequest, reference: Decimal | None) -> None:
    price = request.price if request.type in PRICED_TYPES else request.stop_price or reference
    if request.quote_quantity is not None:
        value = request.quote_quantity
    elif price is not None and request.quantity is not None:
        value = price * request.quantity
    else:
        return
    too_large = value > market.max_notional and request.type in PRICED_TYPES
    if value < market.min_notional or too_large:
        raise filter_failure("NOTIONAL")
