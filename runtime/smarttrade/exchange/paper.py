"""The exchange of `mode: Paper`: the platform's fill engine in this process, on the account's market events.

It has the same face as the live one. What it knows dies with the process, so the log is its only truth: on
taking the lead it is built anew from the ledger and the open orders. An order that only a dead process's
paper exchange had seen never happened, which is what the log says of it too. Filters and the clock are
the real exchange's, read without a key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import VenueError
from smarttrade.exchange.capabilities import DEADLINE_MISSED, Capability
from smarttrade.exchange.endpoints import create_exchange, load_own_markets
from smarttrade.exchange.errors import (
    NothingToCancelError,
    OrderWithheldError,
    VenueRejectedError,
    VenueUncertainError,
    certain_refusal,
    sanitised,
)
from smarttrade.exchange.parsing import parse_filters
from smarttrade.exchange.reports import (
    Balance,
    MarketFilters,
    OrderKind,
    OrderReport,
    TradeReport,
    VenueStatus,
)
from smarttrade.exchange.venue import NewOrder
from smarttrade.matching import (
    BUY,
    SELL,
    Account,
    Engine,
    Execution,
    Kind,
    Market,
    Order,
    OrderRejected,
    OrderRequest,
    OrderType,
    Status,
    TimeInForce,
    liquidity,
)
from smarttrade.matching.units import to_decimal, to_units
from smarttrade.messages import MarketEvent, Quote, Side, Trade

ZERO = Decimal(0)
_IDS_A_MS = 1_000
_SMALLEST = Decimal("0.00000001")
_STATUS = {
    Status.NEW: VenueStatus.OPEN,
    Status.PARTIALLY_FILLED: VenueStatus.OPEN,
    Status.FILLED: VenueStatus.FILLED,
    Status.CANCELED: VenueStatus.CANCELED,
    Status.EXPIRED: VenueStatus.EXPIRED,
    Status.EXPIRED_IN_MATCH: VenueStatus.EXPIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A resting order that the log knows, to be put back. `filled` is what the ledger has of it."""

    client_order_id: str
    order_id: str
    market: str
    side: Side
    price: Decimal
    quantity: Decimal
    filled: Decimal


@dataclass(slots=True)
class _Placed:
    order: Order
    order_id: str
    quantity: Decimal
    filled_before: Decimal


class PaperVenue:
    """One paper account."""

    def __init__(self, row: Capability, endpoint: Endpoint, symbols: Collection[str]) -> None:
        self._row = row
        self._symbols = sorted(symbols)
        self._public = create_exchange(row.exchange, endpoint, {"number": str})
        self._filters: dict[str, MarketFilters] = {}
        self._reports: asyncio.Queue[OrderReport] = asyncio.Queue()
        self._placed: dict[str, _Placed] = {}
        self._quotes: dict[str, Quote] = {}
        self._offset_ms = time.time() * 1000 - time.monotonic() * 1000
        self._account = Account("paper")
        self._engine = Engine([])

    def trade(self, symbols: Collection[str]) -> None:
        self._symbols = sorted(symbols)

    async def close(self) -> None:
        await self._public.close()

    def restore(
        self, currency: str, cash: Decimal, held: Mapping[str, Decimal], orders: Iterable[Standing]
    ) -> None:
        """Begin anew from the log: cash, base quantity per market, and the orders that rest."""
        self._account = Account("paper")
        self._account.deposit(currency, max(cash, ZERO).quantize(_SMALLEST, ROUND_FLOOR))
        for market, quantity in held.items():
            self._account.deposit(market.partition("/")[0], quantity.quantize(_SMALLEST, ROUND_FLOOR))
        self._engine = Engine(_market(filters) for filters in self._filters.values())
        self._engine.add_account(self._account)
        self._engine.next_order_id = first = self._now_ms() * _IDS_A_MS
        for state in self._engine.markets.values():
            state.next_trade_id = first
        self._placed.clear()
        for order in orders:
            self._put_back(order)
        for quote in self._quotes.values():
            self.on_market(quote)

    # --- the face of an exchange ---

    async def read_filters(self) -> tuple[MarketFilters, ...]:
        try:
            markets = await load_own_markets(self._public, self._symbols)
        except VenueError as error:
            raise VenueUncertainError(sanitised(error)) from None
        self._filters = {symbol: parse_filters(market) for symbol, market in markets.items()}
        for symbol, filters in self._filters.items():
            if symbol not in self._engine.markets:
                self._engine.add_market(_market(filters))
        return tuple(self._filters.values())

    async def clock(self) -> tuple[float, float, float]:
        sent_ms = time.monotonic() * 1000
        try:
            told = float(await self._public.fetch_time())
        except Exception as error:  # noqa: BLE001  ccxt's many; all mean that there is no answer
            raise VenueUncertainError(sanitised(error)) from None
        received_ms = time.monotonic() * 1000
        self._offset_ms = told - (sent_ms + received_ms) / 2
        return sent_ms, received_ms, told

    async def place(self, order: NewOrder, may_leave: Callable[[], bool]) -> OrderReport:
        if order.market not in self._engine.markets:
            raise OrderWithheldError(f"the filters of {order.market} were not read yet")
        if not may_leave():
            raise OrderWithheldError(f"order {order.client_order_id} did not leave")
        if self._now_ms() > order.deadline_ms + order.window_ms:
            raise VenueRejectedError(DEADLINE_MISSED, "the order came after its deadline")
        try:
            placed = self._engine.place(self._account, _request(order), self._now_ms())
        except OrderRejected as error:
            refusal = certain_refusal(_as_told(error), self._row.codes)
            raise refusal or VenueRejectedError("VenueRejected", str(error)) from None
        self._placed[order.client_order_id] = _Placed(placed, str(placed.id), order.quantity, ZERO)
        return self._take_events().get(order.client_order_id) or self._report(order.client_order_id)

    async def query(self, client_order_id: str, market: str) -> OrderReport | None:
        return self._report(client_order_id) if client_order_id in self._placed else None

    async def cancel(self, client_order_id: str, market: str, order_id: str) -> OrderReport:
        placed = self._placed.get(client_order_id)
        if placed is None or not placed.order.is_open:
            raise NothingToCancelError(f"no open order {client_order_id}")
        self._engine.cancel(placed.order, self._now_ms())
        return self._take_events().get(client_order_id) or self._report(client_order_id)

    async def trades_of(self, market: str, order_id: str) -> tuple[TradeReport, ...]:
        return ()

    async def read_account(
        self, since_ms: int
    ) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...], tuple[Balance, ...]]:
        orders = tuple(self._report(cid) for cid, placed in self._placed.items() if placed.order.is_open)
        balances = []
        for asset in self._account.free:
            free, locked = self._account.balance(asset)
            balances.append(Balance(asset=asset, free=free, total=free + locked))
        return orders, (), tuple(balances)

    async def watch_orders(self) -> AsyncIterator[OrderReport]:
        while True:
            yield await self._reports.get()

    async def watch_trades(self) -> AsyncIterator[TradeReport]:
        """Trades come with the orders' reports."""
        await asyncio.Event().wait()
        raise VenueUncertainError("paper trades come with their orders")
        yield

    # --- the market ---

    def on_market(self, event: MarketEvent) -> None:
        """Let the market move the book; what it fills is told on the order stream."""
        if isinstance(event, Quote):
            self._quotes[event.market] = event
        if not isinstance(event, Quote | Trade) or event.market not in self._engine.markets:
            return
        if isinstance(event, Quote):
            bids = {to_units(event.bid): to_units(event.bid_quantity)}
            asks = {to_units(event.ask): to_units(event.ask_quantity)}
            liquidity.set_depth(self._engine, event.market, bids, asks, self._now_ms())
        else:
            price, quantity = to_units(event.price), to_units(event.quantity)
            buyer_is_maker = event.side is Side.SELL
            liquidity.trade(self._engine, event.market, price, quantity, buyer_is_maker, self._now_ms())
        for report in self._take_events().values():
            self._reports.put_nowait(report)

    def _take_events(self) -> dict[str, OrderReport]:
        """The newest report of each order that changed, with all the trades that changed it."""
        trades: dict[str, list[TradeReport]] = {}
        for event in self._engine.take_events():
            if isinstance(event, Execution):
                found = trades.setdefault(event.order.client_order_id, [])
                if event.kind is Kind.TRADE:
                    found.append(self._trade(event))
        return {cid: self._report(cid, tuple(found)) for cid, found in trades.items() if cid in self._placed}

    def _report(self, client_order_id: str, trades: tuple[TradeReport, ...] = ()) -> OrderReport:
        placed = self._placed[client_order_id]
        order = placed.order
        return OrderReport(
            client_order_id=client_order_id,
            order_id=placed.order_id,
            market=order.market.symbol,
            side=_side(order.side),
            status=_STATUS[order.status],
            price=to_decimal(order.price),
            quantity=placed.quantity,
            filled=placed.filled_before + to_decimal(order.filled),
            time_ms=order.updated_ms,
            trades=trades,
        )

    def _trade(self, event: Execution) -> TradeReport:
        order = event.order
        placed = self._placed.get(order.client_order_id)
        return TradeReport(
            trade_id=str(event.trade_id),
            order_id=placed.order_id if placed else str(order.id),
            market=order.market.symbol,
            side=_side(order.side),
            price=to_decimal(event.price),
            quantity=to_decimal(event.quantity),
            fee=to_decimal(event.commission),
            fee_asset=event.commission_asset or "",
            maker=event.is_maker,
            time_ms=event.time_ms,
        )

    def _put_back(self, standing: Standing) -> None:
        request = OrderRequest(
            symbol=standing.market,
            side=BUY if standing.side is Side.BUY else SELL,
            type=OrderType.LIMIT,
            client_order_id=standing.client_order_id,
            quantity=standing.quantity - standing.filled,
            price=standing.price,
        )
        try:
            order = self._engine.place(self._account, request, self._now_ms())
        except (OrderRejected, KeyError):
            return  # it cannot rest any more: reconciliation finds it missing and asks
        self._placed[standing.client_order_id] = _Placed(
            order, standing.order_id, standing.quantity, standing.filled
        )

    def _now_ms(self) -> int:
        return int(time.monotonic() * 1000 + self._offset_ms)


def _side(side: int) -> Side:
    return Side.BUY if side == BUY else Side.SELL


def _market(filters: MarketFilters) -> Market:
    return Market(
        base=filters.base,
        quote=filters.quote,
        tick_size=filters.tick,
        step_size=filters.lot,
        min_quantity=filters.minimum_quantity,
        min_notional=filters.minimum_notional,
        min_price=filters.tick,
    )


def _request(order: NewOrder) -> OrderRequest:
    maker = order.kind is OrderKind.POST_ONLY
    return OrderRequest(
        symbol=order.market,
        side=BUY if order.side is Side.BUY else SELL,
        type=OrderType.LIMIT_MAKER if maker else OrderType.LIMIT,
        client_order_id=order.client_order_id,
        quantity=order.quantity,
        price=order.price,
        time_in_force=TimeInForce.IOC if order.kind is OrderKind.LIMIT_IOC else TimeInForce.GTC,
    )


def _as_told(error: OrderRejected) -> Any:
    """The engine's refusal in the exchange's own words, so that one table of codes serves both."""
    return VenueError(f'{{"code":{error.code},"msg":"{error.message}"}}')
