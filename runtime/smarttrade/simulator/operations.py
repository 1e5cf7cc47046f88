"""What the exchange can be asked: one table for REST and the websocket API, handlers in two modules.

A handler takes the call and returns plain data. `Security` says what must be checked before it runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from smarttrade.simulator import market_operations as market
from smarttrade.simulator import trade_operations as trade
from smarttrade.simulator.call import Call


class Security(Enum):
    NONE = auto()
    KEY = auto()
    SIGNED = auto()


@dataclass(frozen=True, slots=True)
class Operation:
    """`weight` counts against the limit per minute; `is_order` also against the limit of orders."""

    handle: Callable[[Call], Any]
    security: Security = Security.NONE
    weight: int = 1
    is_order: bool = False


def _signed(handle: Callable[[Call], Any], weight: int = 1, is_order: bool = False) -> Operation:
    return Operation(handle, Security.SIGNED, weight, is_order)


REST: dict[tuple[str, str], Operation] = {
    ("GET", "/api/v3/ping"): Operation(market.ping),
    ("GET", "/api/v3/time"): Operation(market.server_time),
    ("GET", "/api/v3/exchangeInfo"): Operation(market.exchange_info, weight=20),
    ("GET", "/api/v3/depth"): Operation(market.depth, weight=5),
    ("GET", "/api/v3/trades"): Operation(market.trades, weight=25),
    ("GET", "/api/v3/historicalTrades"): Operation(market.historical_trades, weight=25),
    ("GET", "/api/v3/aggTrades"): Operation(market.aggregate_trades, weight=4),
    ("GET", "/api/v3/klines"): Operation(market.klines, weight=2),
    ("GET", "/api/v3/uiKlines"): Operation(market.klines, weight=2),
    ("GET", "/api/v3/avgPrice"): Operation(market.average_price, weight=2),
    ("GET", "/api/v3/ticker/24hr"): Operation(market.day_ticker, weight=2),
    ("GET", "/api/v3/ticker/price"): Operation(market.price_ticker, weight=2),
    ("GET", "/api/v3/ticker/bookTicker"): Operation(market.book_ticker, weight=2),
    ("POST", "/api/v3/order"): _signed(trade.place, is_order=True),
    ("POST", "/api/v3/order/test"): _signed(trade.test),
    ("GET", "/api/v3/order"): _signed(trade.query, weight=4),
    ("DELETE", "/api/v3/order"): _signed(trade.cancel),
    ("POST", "/api/v3/order/cancelReplace"): _signed(trade.cancel_replace, is_order=True),
    ("PUT", "/api/v3/order/amend/keepPriority"): _signed(trade.amend, weight=4),
    ("GET", "/api/v3/openOrders"): _signed(trade.open_orders, weight=6),
    ("DELETE", "/api/v3/openOrders"): _signed(trade.cancel_all),
    ("GET", "/api/v3/allOrders"): _signed(trade.all_orders, weight=20),
    ("POST", "/api/v3/orderList/oco"): _signed(trade.place_oco, is_order=True),
    ("GET", "/api/v3/orderList"): _signed(trade.query_list, weight=4),
    ("DELETE", "/api/v3/orderList"): _signed(trade.cancel_list),
    ("GET", "/api/v3/openOrderList"): _signed(trade.open_lists, weight=6),
    ("GET", "/api/v3/myTrades"): _signed(trade.my_trades, weight=20),
    ("GET", "/api/v3/account"): _signed(trade.account, weight=20),
    ("GET", "/api/v3/account/commission"): _signed(trade.commission, weight=20),
}

WEBSOCKET: dict[str, Operation] = {
    name: REST[key]
    for name, key in {
        "ping": ("GET", "/api/v3/ping"),
        "time": ("GET", "/api/v3/time"),
        "exchangeInfo": ("GET", "/api/v3/exchangeInfo"),
        "depth": ("GET", "/api/v3/depth"),
        "trades.recent": ("GET", "/api/v3/trades"),
        "trades.historical": ("GET", "/api/v3/historicalTrades"),
        "trades.aggregate": ("GET", "/api/v3/aggTrades"),
        "klines": ("GET", "/api/v3/klines"),
        "uiKlines": ("GET", "/api/v3/klines"),
        "avgPrice": ("GET", "/api/v3/avgPrice"),
        "ticker.24hr": ("GET", "/api/v3/ticker/24hr"),
        "ticker.price": ("GET", "/api/v3/ticker/price"),
        "ticker.book": ("GET", "/api/v3/ticker/bookTicker"),
        "order.place": ("POST", "/api/v3/order"),
        "order.test": ("POST", "/api/v3/order/test"),
        "order.status": ("GET", "/api/v3/order"),
        "order.cancel": ("DELETE", "/api/v3/order"),
        "order.cancelReplace": ("POST", "/api/v3/order/cancelReplace"),
        "order.amend.keepPriority": ("PUT", "/api/v3/order/amend/keepPriority"),
        "openOrders.status": ("GET", "/api/v3/openOrders"),
        "openOrders.cancelAll": ("DELETE", "/api/v3/openOrders"),
        "allOrders": ("GET", "/api/v3/allOrders"),
        "orderList.place.oco": ("POST", "/api/v3/orderList/oco"),
        "orderList.status": ("GET", "/api/v3/orderList"),
        "orderList.cancel": ("DELETE", "/api/v3/orderList"),
        "openOrderLists.status": ("GET", "/api/v3/openOrderList"),
        "myTrades": ("GET", "/api/v3/myTrades"),
        "account.status": ("GET", "/api/v3/account"),
        "account.commission": ("GET", "/api/v3/account/commission"),
    }.items()
}
