"""The one fill engine of simulator, paper trading and backtest: pure, exact, without clock or I/O.

`Engine` takes requests, `liquidity` and `candles` feed it what the market did, events come out.
"""

from smarttrade.matching.engine import Engine
from smarttrade.matching.errors import OrderRejected
from smarttrade.matching.events import Event, Execution, Kind, ListChange, PreventedMatch, PublicTrade
from smarttrade.matching.fees import FeeSchedule
from smarttrade.matching.ledger import Account
from smarttrade.matching.lists import Contingency, OrderList, OrderListRequest
from smarttrade.matching.market import Market
from smarttrade.matching.orders import (
    BUY,
    SELL,
    Order,
    OrderRequest,
    OrderType,
    SelfTradePrevention,
    Status,
    TimeInForce,
)

__all__ = [
    "BUY",
    "SELL",
    "Account",
    "Contingency",
    "Engine",
    "Event",
    "Execution",
    "FeeSchedule",
    "Kind",
    "ListChange",
    "Market",
    "Order",
    "OrderList",
    "OrderListRequest",
    "OrderRejected",
    "OrderRequest",
    "OrderType",
    "PreventedMatch",
    "PublicTrade",
    "SelfTradePrevention",
    "Status",
    "TimeInForce",
]
