"""The exchange as execution needs it: place, find, cancel, watch, compare. Adapter over ccxt.

Three instances of ccxt, because their work must not disturb one another: orders (no limiter, short time-out,
no retries), polling, and the user stream. `place` has three ends: a report, a certain refusal, or
VenueUncertainError; whoever treats the last as a failure doubles orders.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import VenueError
from smarttrade.exchange import errors
from smarttrade.exchange.capabilities import Capability, Lookup
from smarttrade.exchange.endpoints import create_exchange, load_own_markets
from smarttrade.exchange.pacing import TokenBucket
from smarttrade.exchange.parsing import parse_balances, parse_filters, parse_order, parse_trade
from smarttrade.exchange.pinning import deadline_parameters, pinned
from smarttrade.exchange.reports import (
    Balance,
    MarketFilters,
    OrderKind,
    OrderReport,
    TradeReport,
)
from smarttrade.messages import Side

_ORDER_TIMEOUT_MS = 1_500
_RATE, _BURST, _RESERVE = 40.0, 80.0, 20.0
_TYPES: dict[OrderKind, dict[str, Any]] = {
    OrderKind.LIMIT_IOC: {"timeInForce": "IOC"},
    OrderKind.LIMIT: {"timeInForce": "GTC"},
    OrderKind.POST_ONLY: {"postOnly": True},
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """An exchange key; never shown."""

    api_key: str
    secret: str
    password: str = ""

    def __repr__(self) -> str:
        return "Credentials(***)"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """One order with the deadline that it must carry."""

    client_order_id: str
    market: str
    side: Side
    kind: OrderKind
    price: Decimal
    quantity: Decimal
    deadline_ms: int
    window_ms: int


class Venue:
    """One account on one exchange."""

    def __init__(
        self,
        row: Capability,
        endpoint: Endpoint,
        credentials: Credentials,
        symbols: Collection[str],
    ) -> None:
        key: dict[str, Any] = {"apiKey": credentials.api_key, "secret": credentials.secret, "number": str}
        key["options"] = row.options
        if credentials.password:
            key["password"] = credentials.password
        quiet = {"enableRateLimit": False, "maxRetriesOnFailure": 0}
        self._row = row
        self._symbols = sorted(symbols)
        self._orders = create_exchange(row.exchange, endpoint, {**key, **quiet, "timeout": _ORDER_TIMEOUT_MS})
        self._polling = create_exchange(row.exchange, endpoint, {**key, **quiet})
        self._stream = create_exchange(row.exchange, endpoint, {**key, "newUpdates": True})
        self._bucket = TokenBucket(_RATE, _BURST, _RESERVE)
        self._lock = asyncio.Lock()

    async def read_filters(self) -> tuple[MarketFilters, ...]:
        """The markets as they are now, given to every instance."""
        markets = await load_own_markets(self._polling, self._symbols)
        for exchange in (self._orders, self._stream):
            exchange.set_markets(list(markets.values()))
        return tuple(parse_filters(market) for market in markets.values())

    def trade(self, symbols: Collection[str]) -> None:
        """Trade these markets from the next `read_filters` on."""
        self._symbols = sorted(symbols)

    async def close(self) -> None:
        for exchange in (self._orders, self._polling, self._stream):
            await exchange.close()

    async def place(self, order: NewOrder, may_leave: Callable[[], bool]) -> OrderReport:
        """Send one order, once.

        `may_leave` is asked last before the request is made: OrderWithheldError if it says no.
        VenueRejectedError is certain, VenueUncertainError is everything else.
        """
        await self._bucket.take()
        parameters = {
            self._row.lookup_parameter: order.client_order_id,
            **_TYPES[order.kind],
            **deadline_parameters(self._row, order.deadline_ms, order.window_ms),
        }
        if self._row.exchange == "binance":
            parameters["newOrderRespType"] = "FULL"
        async with pinned(self._orders, self._lock, self._row, order.deadline_ms, order.window_ms):
            if not may_leave():
                raise errors.OrderWithheldError(f"order {order.client_order_id} did not leave")
            async with self._translated():
                answer = await self._orders.create_order(
                    order.market,
                    "limit",
                    str(order.side).lower(),
                    format(order.quantity, "f"),
                    format(order.price, "f"),
                    parameters,
                )
                return parse_order(answer, order.client_order_id)

    async def query(self, client_order_id: str, market: str) -> OrderReport | None:
        """The order by its client id; None if the exchange says that it knows none. VenueError: no answer."""
        await self._bucket.take(urgent=True)
        parameters = {self._row.lookup_parameter: client_order_id}
        try:
            async with self._translated():
                if self._row.lookup is Lookup.FETCH_ORDER:
                    found = await self._polling.fetch_order(None, market, parameters)
                    return parse_order(found, client_order_id)
                return await self._listed(client_order_id, market, parameters)
        except errors.NothingToCancelError:
            return None

    async def cancel(self, client_order_id: str, market: str, order_id: str) -> OrderReport:
        """Cancel one order; NothingToCancelError if the exchange has nothing to cancel."""
        await self._bucket.take(urgent=True)
        async with self._translated():
            answer = await self._polling.cancel_order(
                order_id or None, market, {self._row.lookup_parameter: client_order_id}
            )
            return parse_order(answer, client_order_id)

    async def trades_of(self, market: str, order_id: str) -> tuple[TradeReport, ...]:
        """Every trade of one order."""
        await self._bucket.take(urgent=True)
        async with self._translated():
            trades = await self._polling.fetch_my_trades(market, None, None, {"orderId": order_id})
            return tuple(parse_trade(trade) for trade in trades if str(trade.get("order")) == order_id)

    async def read_account(
        self, since_ms: int
    ) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...], tuple[Balance, ...]]:
        """Open orders, trades since an exchange time, and the wallet."""
        async with self._translated():
            orders: list[OrderReport] = []
            trades: list[TradeReport] = []
            for market in self._symbols:
                await self._bucket.take(urgent=True)
                orders += [parse_order(order) for order in await self._polling.fetch_open_orders(market)]
                found = await self._polling.fetch_my_trades(market, since_ms or None)
                trades += [parse_trade(trade) for trade in found]
            balance = await self._polling.fetch_balance()
        return tuple(orders), tuple(trades), parse_balances(balance)

    async def clock(self) -> tuple[float, float, float]:
        """One sample of the exchange's clock: sent and received (monotonic ms), and what it said."""
        sent_ms = time.monotonic() * 1000
        async with self._translated():
            told = await self._polling.fetch_time()
        return sent_ms, time.monotonic() * 1000, float(told)

    async def watch_orders(self) -> AsyncIterator[OrderReport]:
        """Own order updates as they come; VenueError when the stream breaks: reconcile, then call again."""
        while True:
            async with self._translated():
                updates = await self._stream.watch_orders()
                reports = [parse_order(order) for order in updates]
            for report in reports:
                yield report

    async def watch_trades(self) -> AsyncIterator[TradeReport]:
        """Own trades as they come; as `watch_orders`."""
        while True:
            async with self._translated():
                updates = await self._stream.watch_my_trades()
                reports = [parse_trade(trade) for trade in updates]
            for report in reports:
                yield report

    async def _listed(
        self, client_order_id: str, market: str, parameters: dict[str, Any]
    ) -> OrderReport | None:
        """Open orders, then ended ones: for exchanges that have no look-up by client id."""
        for fetch in (self._polling.fetch_open_orders, self._polling.fetch_closed_orders):
            for order in await fetch(market, None, None, parameters):
                if order.get("clientOrderId") == client_order_id:
                    return parse_order(order, client_order_id)
        return None

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        """ccxt's exceptions into ours: what the row proves, else uncertain."""
        from ccxt.base.errors import BaseError

        try:
            yield
        except VenueError:
            raise
        except (BaseError, OSError, TimeoutError, ValueError, KeyError, TypeError, ArithmeticError) as error:
            code, _ = errors.venue_code(error)
            message = errors.sanitised(error)
            if code in self._row.credential_codes:
                raise errors.VenueCredentialsError(message) from None
            if code in self._row.unknown_order_codes:
                raise errors.NothingToCancelError(message) from None
            refusal = errors.certain_refusal(error, self._row.codes)
            raise refusal or errors.VenueUncertainError(message) from None
