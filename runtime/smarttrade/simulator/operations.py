"""What the exchange can be asked: one table for REST and the websocket API.

A handler takes the call and returns plain data. `Security` says what must be checked before it runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from smarttrade.simulator import account_operations as account
from smarttrade.simulator import list_operations as lists
from smarttrade.simulator import market_operations as market
from smarttrade.simulator import order_operations as order
from smarttrade.simulator import rule_operations as rules
from smarttrade.simulator import ticker_operations as ticker
from smarttrade.simulator import weights
from smarttrade.simulator.call import Call
from smarttrade.simulator.parameters import Parameters
from smarttrade.simulator.replace_operations import cancel_replace

Handler = Callable[[Call], Any]
Weight = int | Callable[[Parameters], int]


class Security(Enum):
    NONE = auto()
    KEY = auto()
    SIGNED = auto()


@dataclass(frozen=True, slots=True)
class Operation:
    """`weight` counts against the limit per minute; `orders` against the limits of new orders."""

    handle: Handler
    security: Security = Security.NONE
    weight: Weight = 1
    orders: int = 0

    def weigh(self, parameters: Parameters) -> int:
        return self.weight if isinstance(self.weight, int) else self.weight(parameters)


def _signed(handle: Handler, weight: Weight = 1, orders: int = 0) -> Operation:
    return Operation(handle, Security.SIGNED, weight, orders)


REST: dict[tuple[str, str], Operation] = {
    ("GET", "/api/v3/ping"): Operation(market.ping),
    ("GET", "/api/v3/time"): Operation(market.server_time),
    ("GET", "/api/v3/exchangeInfo"): Operation(market.exchange_info, weight=20),
    ("GET", "/api/v3/depth"): Operation(market.depth, weight=weights.depth),
    ("GET", "/api/v3/trades"): Operation(market.trades, weight=25),
    ("GET", "/api/v3/historicalTrades"): Operation(market.historical_trades, weight=25),
    ("GET", "/api/v3/aggTrades"): Operation(market.aggregate_trades, weight=4),
    ("GET", "/api/v3/klines"): Operation(market.klines, weight=2),
    ("GET", "/api/v3/uiKlines"): Operation(market.klines, weight=2),
    ("GET", "/api/v3/avgPrice"): Operation(market.average_price, weight=2),
    ("GET", "/api/v3/executionRules"): Operation(rules.execution_rules, weight=weights.execution_rules),
    ("GET", "/api/v3/referencePrice"): Operation(rules.reference_price, weight=2),
    ("GET", "/api/v3/referencePrice/calculation"): Operation(rules.reference_price, weight=2),
    ("GET", "/api/v3/historicalBlockTrades"): Operation(rules.block_trades, weight=25),
    ("GET", "/api/v3/myFilters"): _signed(rules.my_filters, 40),
    ("GET", "/api/v3/ticker"): Operation(ticker.window, weight=weights.window_ticker),
    ("GET", "/api/v3/ticker/24hr"): Operation(ticker.day, weight=weights.day_ticker),
    ("GET", "/api/v3/ticker/tradingDay"): Operation(ticker.trading_day, weight=weights.window_ticker),
    ("GET", "/api/v3/ticker/price"): Operation(ticker.price, weight=weights.quick_ticker),
    ("GET", "/api/v3/ticker/bookTicker"): Operation(ticker.book, weight=weights.quick_ticker),
    ("POST", "/api/v3/order"): _signed(order.place, orders=1),
    ("POST", "/api/v3/order/test"): _signed(order.test, weights.test_order),
    ("GET", "/api/v3/order"): _signed(order.query, 4),
    ("DELETE", "/api/v3/order"): _signed(order.cancel),
    ("POST", "/api/v3/order/cancelReplace"): _signed(cancel_replace, orders=1),
    ("PUT", "/api/v3/order/amend/keepPriority"): _signed(order.amend, 4),
    ("GET", "/api/v3/order/amendments"): _signed(order.amendments, 4),
    ("GET", "/api/v3/openOrders"): _signed(account.open_orders, weights.open_orders),
    ("DELETE", "/api/v3/openOrders"): _signed(order.cancel_all),
    ("GET", "/api/v3/allOrders"): _signed(account.all_orders, 20),
    ("POST", "/api/v3/order/oco"): _signed(lists.place_old_oco, orders=2),
    ("POST", "/api/v3/orderList/oco"): _signed(lists.place_oco, orders=2),
    ("POST", "/api/v3/orderList/oto"): _signed(lists.place_oto, orders=2),
    ("POST", "/api/v3/orderList/otoco"): _signed(lists.place_otoco, orders=3),
    ("POST", "/api/v3/orderList/opo"): _signed(lists.place_opo, orders=2),
    ("POST", "/api/v3/orderList/opoco"): _signed(lists.place_opoco, orders=3),
    ("GET", "/api/v3/orderList"): _signed(lists.query_list, 4),
    ("DELETE", "/api/v3/orderList"): _signed(lists.cancel_list),
    ("GET", "/api/v3/allOrderList"): _signed(lists.all_lists, 20),
    ("GET", "/api/v3/openOrderList"): _signed(lists.open_lists, 6),
    ("GET", "/api/v3/myTrades"): _signed(account.my_trades, weights.my_trades),
    ("GET", "/api/v3/myPreventedMatches"): _signed(account.prevented_matches, weights.prevented_matches),
    ("GET", "/api/v3/myAllocations"): _signed(account.allocations, 20),
    ("GET", "/api/v3/account"): _signed(account.account, 20),
    ("GET", "/api/v3/account/commission"): _signed(account.commission, 20),
    ("GET", "/api/v3/rateLimit/order"): _signed(account.order_limits, 40),
    ("POST", "/api/v3/userDataStream"): Operation(account.listen_key),
    ("PUT", "/api/v3/userDataStream"): Operation(account.listen_key),
    ("DELETE", "/api/v3/userDataStream"): Operation(account.listen_key),
    ("GET", "/fapi/v1/exchangeInfo"): Operation(market.no_derivatives),
    ("GET", "/dapi/v1/exchangeInfo"): Operation(market.no_derivatives),
    ("GET", "/eapi/v1/exchangeInfo"): Operation(market.no_derivatives),
    ("GET", "/sapi/v1/system/status"): Operation(market.system_status),
    ("GET", "/sapi/v1/capital/config/getall"): _signed(account.coins, 10),
    ("GET", "/sapi/v1/asset/tradeFee"): _signed(account.trade_fees),
    ("POST", "/sapi/v3/asset/getUserAsset"): _signed(account.user_assets, 5),
    ("GET", "/sapi/v1/account/status"): _signed(account.account_status),
    ("GET", "/sapi/v1/account/apiRestrictions"): _signed(account.key_permissions),
    ("GET", "/sapi/v1/margin/allPairs"): Operation(account.margin_pairs, Security.KEY),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): _signed(account.margin_pairs, 10),
}

WEBSOCKET: dict[str, Operation] = {
    name: REST[method, path]
    for name, method, path in (
        ("ping", "GET", "/api/v3/ping"),
        ("time", "GET", "/api/v3/time"),
        ("exchangeInfo", "GET", "/api/v3/exchangeInfo"),
        ("depth", "GET", "/api/v3/depth"),
        ("trades.recent", "GET", "/api/v3/trades"),
        ("trades.historical", "GET", "/api/v3/historicalTrades"),
        ("trades.aggregate", "GET", "/api/v3/aggTrades"),
        ("klines", "GET", "/api/v3/klines"),
        ("uiKlines", "GET", "/api/v3/uiKlines"),
        ("avgPrice", "GET", "/api/v3/avgPrice"),
        ("executionRules", "GET", "/api/v3/executionRules"),
        ("referencePrice", "GET", "/api/v3/referencePrice"),
        ("referencePrice.calculation", "GET", "/api/v3/referencePrice/calculation"),
        ("blockTrades.historical", "GET", "/api/v3/historicalBlockTrades"),
        ("myFilters", "GET", "/api/v3/myFilters"),
        ("ticker", "GET", "/api/v3/ticker"),
        ("ticker.24hr", "GET", "/api/v3/ticker/24hr"),
        ("ticker.tradingDay", "GET", "/api/v3/ticker/tradingDay"),
        ("ticker.price", "GET", "/api/v3/ticker/price"),
        ("ticker.book", "GET", "/api/v3/ticker/bookTicker"),
        ("order.place", "POST", "/api/v3/order"),
        ("order.test", "POST", "/api/v3/order/test"),
        ("order.status", "GET", "/api/v3/order"),
        ("order.cancel", "DELETE", "/api/v3/order"),
        ("order.cancelReplace", "POST", "/api/v3/order/cancelReplace"),
        ("order.amend.keepPriority", "PUT", "/api/v3/order/amend/keepPriority"),
        ("order.amendments", "GET", "/api/v3/order/amendments"),
        ("openOrders.status", "GET", "/api/v3/openOrders"),
        ("openOrders.cancelAll", "DELETE", "/api/v3/openOrders"),
        ("allOrders", "GET", "/api/v3/allOrders"),
        ("orderList.place", "POST", "/api/v3/order/oco"),
        ("orderList.place.oco", "POST", "/api/v3/orderList/oco"),
        ("orderList.place.oto", "POST", "/api/v3/orderList/oto"),
        ("orderList.place.otoco", "POST", "/api/v3/orderList/otoco"),
        ("orderList.place.opo", "POST", "/api/v3/orderList/opo"),
        ("orderList.place.opoco", "POST", "/api/v3/orderList/opoco"),
        ("orderList.status", "GET", "/api/v3/orderList"),
        ("orderList.cancel", "DELETE", "/api/v3/orderList"),
        ("openOrderLists.status", "GET", "/api/v3/openOrderList"),
        ("allOrderLists", "GET", "/api/v3/allOrderList"),
        ("myTrades", "GET", "/api/v3/myTrades"),
        ("myPreventedMatches", "GET", "/api/v3/myPreventedMatches"),
        ("myAllocations", "GET", "/api/v3/myAllocations"),
        ("account.status", "GET", "/api/v3/account"),
        ("account.commission", "GET", "/api/v3/account/commission"),
        ("account.rateLimits.orders", "GET", "/api/v3/rateLimit/order"),
    )
}
