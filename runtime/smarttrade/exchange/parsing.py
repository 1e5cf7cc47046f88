"""ccxt's orders, trades, markets and balances as our structs; prices and quantities as they were written."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from smarttrade.errors import VenueError
from smarttrade.exchange.reports import Balance, MarketFilters, OrderReport, TradeReport, VenueStatus
from smarttrade.messages import Quote, Side

_STATUS = {
    "open": VenueStatus.OPEN,
    "canceling": VenueStatus.OPEN,
    "closed": VenueStatus.FILLED,
    "canceled": VenueStatus.CANCELED,
    "rejected": VenueStatus.REJECTED,
    "expired": VenueStatus.EXPIRED,
    "expired_in_match": VenueStatus.EXPIRED,
}


_DIGITS = 30
"""No price and no quantity of any coin has so many before or behind its point."""


def number(value: Any) -> Decimal:
    """ccxt's figure, a string or a float, as a decimal; 0 for what is missing. VenueError for one that cannot
    be meant (NaN, 1e999): what is reckoned with it later would fail, or be as wrong."""
    told = Decimal(str(value)) if value is not None else Decimal(0)
    if not told.is_finite() or (told and abs(told.adjusted()) > _DIGITS):
        raise VenueError(f"{str(value)[:40]} is no figure of an exchange")
    return told


def parse_side(value: Any) -> Side:
    return Side.BUY if value == "buy" else Side.SELL


def parse_trade(trade: Mapping[str, Any], order: Mapping[str, Any] | None = None) -> TradeReport:
    """One own trade; what the trade of an order's answer leaves out is taken from the order."""
    owner = order or {}
    fee = trade.get("fee") or {}
    return TradeReport(
        trade_id=str(trade["id"]),
        order_id=str(trade.get("order") or owner.get("id") or ""),
        market=str(trade.get("symbol") or owner.get("symbol")),
        side=parse_side(trade.get("side") or owner.get("side")),
        price=number(trade["price"]),
        quantity=number(trade["amount"]),
        fee=number(fee.get("cost")),
        fee_asset=str(fee.get("currency") or ""),
        maker=trade.get("takerOrMaker") == "maker",
        time_ms=int(trade.get("timestamp") or owner.get("timestamp") or 0),
    )


def parse_order(order: Mapping[str, Any], client_order_id: str = "") -> OrderReport:
    """One order; `client_order_id` where it is known better than by the answer (a cancel's has its own).

    VenueError for a status that is not known, and for what names no order: guessing could end one that lives.
    ccxt calls some orders closed that were cancelled after a part had filled.
    """
    status = _STATUS.get(str(order.get("status")))
    if status is None:
        raise VenueError(f"order {order.get('id')} has status {order.get('status')!r}, which is not known")
    if order.get("id") is None or order.get("symbol") is None:
        raise VenueError("the answer names no order")
    filled, quantity = number(order.get("filled")), number(order.get("amount"))
    if status is VenueStatus.FILLED and not filled:
        raise VenueError(f"order {order['id']} is said to be filled, and not how far")
    if status is VenueStatus.FILLED and filled < quantity:
        status = VenueStatus.CANCELED
    trades = [parse_trade(trade, order) for trade in order.get("trades") or []]
    trigger = number(order.get("triggerPrice") or order.get("stopPrice"))
    return OrderReport(
        client_order_id=client_order_id or own_id(order.get("clientOrderId")),
        order_id=str(order["id"]),
        market=str(order["symbol"]),
        side=parse_side(order.get("side")),
        status=status,
        price=number(order.get("price")),
        quantity=quantity,
        filled=filled,
        time_ms=int(order.get("lastUpdateTimestamp") or order.get("timestamp") or 0),
        trades=tuple(trade for trade in trades if trade.order_id),
        trigger=trigger if trigger > 0 else None,
    )


def own_id(value: Any) -> str:
    """A client's id as the client gave it: Gate puts "t-" before every one."""
    return str(value or "").removeprefix("t-")


def parse_filters(market: Mapping[str, Any], market_orders: int = 0) -> MarketFilters:
    """`market_orders`: how many may be open in a market whose own word is missing."""
    limits, precision, told = market["limits"], market["precision"], market.get("info") or {}
    return MarketFilters(
        market=str(market["symbol"]),
        base=str(market["base"]),
        quote=str(market["quote"]),
        tick=number(precision.get("price")),
        lot=number(precision.get("amount")),
        minimum_quantity=number(limits["amount"].get("min")),
        minimum_notional=number(limits["cost"].get("min")),
        maximum_orders=_most(told, "maxNumOrders") or market_orders,
        maximum_stops=_most(told, "maxNumAlgoOrders"),
        active=market.get("active") is not False,
    )


def _most(told: Mapping[str, Any], name: str) -> int:
    """ccxt keeps no limit of this kind: it is read where an exchange tells it as Binance does."""
    filters = told.get("filters")
    limits = filters if isinstance(filters, list) else []
    return next((int(each[name]) for each in limits if name in each), 0)


def parse_quote(market: str, book: Mapping[str, Any], time_ms: int) -> Quote:
    """The best bid and ask of an order book; ValueError where one side is empty."""
    if not book["bids"] or not book["asks"]:
        raise ValueError(f"the order book of {market} has an empty side")
    bid, ask = book["bids"][0], book["asks"][0]
    return Quote(
        market=market,
        bid=number(bid[0]),
        bid_quantity=number(bid[1]),
        ask=number(ask[0]),
        ask_quantity=number(ask[1]),
        time_ms=time_ms,
    )


def parse_balances(balance: Mapping[str, Any]) -> tuple[Balance, ...]:
    free, total = balance.get("free") or {}, balance.get("total") or {}
    return tuple(
        Balance(asset=asset, free=number(free.get(asset)), total=number(amount))
        for asset, amount in total.items()
        if number(amount)
    )
