"""What an exchange says about orders, trades, filters and balances, in one shape for every exchange.

Cores read these and never see ccxt. `filled` of an order is cumulative and may run ahead of the trades
that were delivered: a fill counts in the ledger only when its trade is known.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from smarttrade.messages import Side


class OrderKind(StrEnum):
    """How an order is placed. MARKET is never sent: a marketable order is LIMIT IOC at the collar, and a stop
    turns into a limit at its trigger."""

    LIMIT_IOC = "LimitIoc"
    LIMIT = "Limit"
    POST_ONLY = "PostOnly"
    STOP_LIMIT = "StopLimit"


class VenueStatus(StrEnum):
    """The exchange's own word on an order."""

    OPEN = "Open"
    FILLED = "Filled"
    CANCELED = "Canceled"
    REJECTED = "Rejected"
    EXPIRED = "Expired"


class TradeReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fill as the exchange reports it; `fee` is positive when paid."""

    trade_id: str
    order_id: str
    market: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    time_ms: int


class OrderReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One order as the exchange reports it, with the trades that came along; `trigger` is a stop's price."""

    client_order_id: str
    order_id: str
    market: str
    side: Side
    status: VenueStatus
    price: Decimal
    quantity: Decimal
    filled: Decimal
    time_ms: int
    trades: tuple[TradeReport, ...] = ()
    trigger: Decimal | None = None


class MarketFilters(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The steps, minima and maxima that the exchange enforces; 0 where it has none. `maximum_orders`: of one
    account that may be open in the market at once, whatever their kind; `maximum_stops`: of those that
    wait for a trigger."""

    market: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    minimum_quantity: Decimal
    minimum_notional: Decimal
    maximum_orders: int = 0
    maximum_stops: int = 0
    active: bool = True


class Balance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One asset of the wallet."""

    asset: str
    free: Decimal
    total: Decimal


class Fees(msgspec.Struct, frozen=True):
    """What the account pays in one market, as shares of the notional."""

    maker: Decimal
    taker: Decimal
