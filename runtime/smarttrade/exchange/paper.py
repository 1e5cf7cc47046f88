"""The exchange of `mode: Paper`: the platform's fill engine in this process, on the account's market events.

It has the same face as the live one. What it knows dies with the process, so the log is its only truth: on
taking the lead it is built anew from the ledger and the open orders. An order that only a dead process's
paper exchange had seen never happened, which is what the log says of it too. Before it answers anything
then, it reads what the markets have traded since these orders came to rest, and matches them against it; what
arrives meanwhile waits. Filters, clock and missed trades are the real exchange's, read without a key.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from decimal import Decimal

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import VenueError
from smarttrade.exchange.capabilities import Capability
from smarttrade.exchange.endpoints import create_exchange, load_own_markets
from smarttrade.exchange.errors import OrderWithheldError, VenueUncertainError, sanitised
from smarttrade.exchange.exchange_time import OffsetBounds, ask_time
from smarttrade.exchange.missed import fetch_missed
from smarttrade.exchange.paper_book import PaperBook
from smarttrade.exchange.paper_terms import PaperTerms, Standing
from smarttrade.exchange.parsing import parse_filters, parse_quote
from smarttrade.exchange.reports import Balance, MarketFilters, OrderReport, TradeReport
from smarttrade.exchange.route import Route
from smarttrade.exchange.venue import NewOrder
from smarttrade.exchange.weights import limiter
from smarttrade.messages import MarketEvent, Quote, Trade

_BACKLOG = 10_000
"""Events that may wait; older ones are among the missed trades by the time these are read."""

__all__ = ["PaperTerms", "PaperVenue", "Standing"]


class PaperVenue:
    """One paper account."""

    def __init__(
        self,
        row: Capability,
        endpoint: Endpoint,
        symbols: Collection[str],
        terms: PaperTerms | None = None,
        route: Route | None = None,
        share: float | None = None,
    ) -> None:
        terms = terms or PaperTerms()
        self._latency_s = terms.latency_ms / 1000
        self._missing: dict[str, int] = {}
        self._backlog: deque[Quote | Trade] = deque(maxlen=_BACKLOG)
        self._catching_up = asyncio.Lock()
        self._symbols, self._left = sorted(symbols), list[str]()
        self._public = create_exchange(
            row.exchange, endpoint, {"number": str, **limiter(row.exchange, share)}, route=route
        )
        self._reports: asyncio.Queue[OrderReport] = asyncio.Queue()
        self._time, self._resolution_ms = OffsetBounds(), 0
        self._offset_ms = time.time() * 1000 - _monotonic_ms()
        self._book = PaperBook(row.codes, self._now_ms, terms.fees)

    def trade(self, symbols: Collection[str], left: Collection[str] = ()) -> None:
        self._symbols, self._left = sorted(symbols), sorted(left)

    async def price(self, asset: str, currency: str) -> Decimal | None:
        """Paper fees are taken from what is traded: there is no third asset to be priced."""
        return None

    async def quote(self, market: str) -> Quote:
        """The best prices now, which also move the book."""
        try:
            found = parse_quote(market, await self._public.fetch_order_book(market), self._now_ms())
        except Exception as error:  # noqa: BLE001  ccxt's many; all mean that there is no answer
            raise VenueUncertainError(sanitised(error)) from None
        self.on_market(found)
        return found

    async def close(self) -> None:
        await self._public.close()

    def restore(
        self, currency: str, cash: Decimal, held: Mapping[str, Decimal], orders: Iterable[Standing]
    ) -> None:
        """Begin anew from the log: cash, base quantity per market, and the orders that rest."""
        standing = list(orders)
        self._book.restore(currency, cash, held, standing)
        missing: dict[str, int] = {}
        for order in standing:
            missing[order.market] = min(order.since_ms, missing.get(order.market, order.since_ms))
        self._missing = missing
        self._backlog.clear()

    async def _catch_up(self) -> None:
        """Match what was traded since the orders came to rest; VenueUncertainError if it cannot be read."""
        async with self._catching_up:
            while missing := self._missing:
                market = next(iter(missing))
                trades = await self._read_missed(market, missing[market])
                if self._missing is not missing:
                    continue  # restored again meanwhile
                del missing[market]
                self._tell(self._book.replay(trades))
                self._resume(market, trades[-1].time_ms if trades else 0)

    async def _read_missed(self, market: str, since_ms: int) -> list[Trade]:
        try:
            return await fetch_missed(self._public, market, since_ms, self._now_ms())
        except Exception as error:  # noqa: BLE001  ccxt's many; all mean that there is no answer
            raise VenueUncertainError(
                f"the missed trades of {market} were not read: {sanitised(error)}"
            ) from None

    def _resume(self, market: str, replayed_ms: int) -> None:
        """Let what arrived meanwhile act, without the trades that have been matched."""
        waiting = [event for event in self._backlog if event.market == market]
        rest = [event for event in self._backlog if event.market != market]
        self._backlog = deque(rest, maxlen=_BACKLOG)
        if not waiting:
            self._tell(self._book.resume(market))
        for event in waiting:
            if not isinstance(event, Trade) or event.time_ms > replayed_ms:
                self._tell(self._book.on_market(event))

    def _tell(self, reports: Iterable[OrderReport]) -> None:
        for report in reports:
            self._reports.put_nowait(report)

    # --- the face of an exchange ---

    async def read_filters(self) -> tuple[MarketFilters, ...]:
        try:
            markets = await load_own_markets(self._public, self._symbols, self._left)
        except VenueError as error:
            raise VenueUncertainError(sanitised(error)) from None
        filters = {symbol: parse_filters(market) for symbol, market in markets.items()}
        self._book.use(filters)
        return tuple(filters.values())

    async def clock(self) -> tuple[float, float, float]:
        """What all answers together prove, as one sample whose round trip is their doubt."""
        try:
            # The clock comes first where it can be asked for: until it is known nothing is decided. An order
            # book needs its market, for which ccxt would load all that the exchange has.
            if not self._public.has.get("fetchTime") and not self._public.markets:
                await load_own_markets(self._public, self._symbols, self._left)
            if self._resolution_ms:
                await asyncio.sleep(self._time.wait_ms(_monotonic_ms()) / 1000)
            sent_ms = _monotonic_ms()
            told = await ask_time(self._public, self._symbols[0])
        except Exception as error:  # noqa: BLE001  ccxt's many; all mean that there is no answer
            raise VenueUncertainError(sanitised(error)) from None
        self._time.add(sent_ms, told, _monotonic_ms())
        self._resolution_ms = told.resolution_ms
        self._offset_ms, error_ms = self._time.best() or (self._offset_ms, 0.0)
        now_ms = _monotonic_ms()
        return now_ms - error_ms, now_ms + error_ms, now_ms + self._offset_ms

    async def place(self, order: NewOrder, may_leave: Callable[[], bool]) -> OrderReport:
        await self._travel(order, may_leave)
        return self._book.place(order, _has_left)

    async def place_pair(
        self, group: str, limit: NewOrder, stop: NewOrder, may_leave: Callable[[], bool]
    ) -> tuple[OrderReport, ...]:
        await self._travel(limit, may_leave)
        return self._book.place_pair(group, limit, stop, _has_left)

    async def _travel(self, order: NewOrder, may_leave: Callable[[], bool]) -> None:
        """The way to the exchange; OrderWithheldError where the order may not set out any more."""
        await self._catch_up()
        if not may_leave():
            raise OrderWithheldError(f"order {order.client_order_id} did not leave")
        await asyncio.sleep(self._latency_s)

    async def read_history(self) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...]]:
        """Nothing: what paper knows is what the log has told it."""
        return (), ()

    async def arm_switch(self, timeout_ms: int) -> None:
        """Paper orders die with the process that holds them."""

    async def query(self, client_order_id: str, market: str, since_ms: int = 0) -> OrderReport | None:
        await self._catch_up()
        return self._book.query(client_order_id)

    async def cancel(self, client_order_id: str, market: str, order_id: str) -> OrderReport:
        await self._catch_up()
        await asyncio.sleep(self._latency_s)
        return self._book.cancel(client_order_id)

    async def amend(self, client_order_id: str, market: str, order_id: str, quantity: Decimal) -> OrderReport:
        await self._catch_up()
        await asyncio.sleep(self._latency_s)
        return self._book.amend(client_order_id, quantity)

    async def trades_of(self, market: str, order_id: str) -> tuple[TradeReport, ...]:
        await self._catch_up()
        return self._book.trades_of(order_id)

    async def read_account(
        self, since_ms: int
    ) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...], tuple[Balance, ...]]:
        await self._catch_up()
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
        if isinstance(event, Quote | Trade) and event.market in self._missing:
            self._backlog.append(event)
        else:
            self._tell(self._book.on_market(event))

    def _now_ms(self) -> int:
        return int(_monotonic_ms() + self._offset_ms)


def _monotonic_ms() -> float:
    return time.monotonic() * 1000


def _has_left() -> bool:
    """An order on its way arrives, whoever leads by then: so it is with the real exchange."""
    return True
