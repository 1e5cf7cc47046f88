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
from decimal import Decimal

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import VenueError
from smarttrade.exchange.capabilities import Capability
from smarttrade.exchange.endpoints import create_exchange, load_own_markets
from smarttrade.exchange.errors import VenueUncertainError, sanitised
from smarttrade.exchange.paper_book import PaperBook, Standing
from smarttrade.exchange.parsing import parse_filters
from smarttrade.exchange.reports import Balance, MarketFilters, OrderReport, TradeReport
from smarttrade.exchange.venue import NewOrder
from smarttrade.messages import MarketEvent

__all__ = ["PaperVenue", "Standing"]


class PaperVenue:
    """One paper account."""

    def __init__(self, row: Capability, endpoint: Endpoint, symbols: Collection[str]) -> None:
        self._symbols = sorted(symbols)
        self._public = create_exchange(row.exchange, endpoint, {"number": str})
        self._reports: asyncio.Queue[OrderReport] = asyncio.Queue()
        self._offset_ms = time.time() * 1000 - time.monotonic() * 1000
        self._book = PaperBook(row.codes, self._now_ms)

    def trade(self, symbols: Collection[str]) -> None:
        self._symbols = sorted(symbols)

    async def close(self) -> None:
        await self._public.close()

    def restore(
        self, currency: str, cash: Decimal, held: Mapping[str, Decimal], orders: Iterable[Standing]
    ) -> None:
        """Begin anew from the log: cash, base quantity per market, and the orders that rest."""
        for report in self._book.restore(currency, cash, held, orders):
            self._reports.put_nowait(report)

    # --- the face of an exchange ---

    async def read_filters(self) -> tuple[MarketFilters, ...]:
        try:
            markets = await load_own_markets(self._public, self._symbols)
        except VenueError as error:
            raise VenueUncertainError(sanitised(error)) from None
        filters = {symbol: parse_filters(market) for symbol, market in markets.items()}
        self._book.use(filters)
        return tuple(filters.values())

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
        return self._book.place(order, may_leave)

    async def place_pair(
        self, group: str, limit: NewOrder, stop: NewOrder, may_leave: Callable[[], bool]
    ) -> tuple[OrderReport, ...]:
        return self._book.place_pair(group, limit, stop, may_leave)

    async def read_history(self) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...]]:
        """Nothing: what paper knows is what the log has told it."""
        return (), ()

    async def arm_switch(self, timeout_ms: int) -> None:
        """Paper orders die with the process that holds them."""

    async def query(self, client_order_id: str, market: str) -> OrderReport | None:
        return self._book.query(client_order_id)

    async def cancel(self, client_order_id: str, market: str, order_id: str) -> OrderReport:
        return self._book.cancel(client_order_id)

    async def trades_of(self, market: str, order_id: str) -> tuple[TradeReport, ...]:
        return ()

    async def read_account(
        self, since_ms: int
    ) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...], tuple[Balance, ...]]:
        orders, balances = self._book.read_account()
        return orders, (), balances

    async def watch_orders(self) -> AsyncIterator[OrderReport]:
        while True:
            yield await self._reports.get()

    async def watch_trades(self) -> AsyncIterator[TradeReport]:
        """Trades come with the orders' reports."""
        await asyncio.Event().wait()
        raise VenueUncertainError("paper trades come with their orders")
        yield

    def on_market(self, event: MarketEvent) -> None:
        """Let the market move the book; what it fills is told on the order stream."""
        for report in self._book.on_market(event):
            self._reports.put_nowait(report)

    def _now_ms(self) -> int:
        return int(time.monotonic() * 1000 + self._offset_ms)
