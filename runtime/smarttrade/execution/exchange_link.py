"""Performs the core's requests to the exchange, and brings back what it says.

Every request is a task of its own: an answer that is late for one order must not hold up another. What an
exception means was decided in `exchange.errors`; here it only becomes the right input.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from typing import Any, Protocol

import structlog

from smarttrade.errors import SmartTradeError, VenueError
from smarttrade.exchange.errors import (
    NothingToCancelError,
    OrderWithheldError,
    VenueCredentialsError,
    VenueRejectedError,
)
from smarttrade.exchange.reports import Balance, MarketFilters, OrderReport, TradeReport
from smarttrade.exchange.venue import NewOrder
from smarttrade.execution import effects as fx

CLOCK_SAMPLES = 5
_STREAM_RETRY_S = 0.5


class Exchange(Protocol):
    """What a live or a paper exchange does; see `exchange.venue.Venue` for the errors."""

    def trade(self, symbols: Collection[str]) -> None: ...

    async def read_filters(self) -> tuple[MarketFilters, ...]: ...

    async def place(self, order: NewOrder, may_leave: Callable[[], bool]) -> OrderReport: ...

    async def query(self, client_order_id: str, market: str) -> OrderReport | None: ...

    async def cancel(self, client_order_id: str, market: str, order_id: str) -> OrderReport: ...

    async def trades_of(self, market: str, order_id: str) -> tuple[TradeReport, ...]: ...

    async def read_account(
        self, since_ms: int
    ) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...], tuple[Balance, ...]]: ...

    async def clock(self) -> tuple[float, float, float]: ...

    def watch_orders(self) -> AsyncIterator[OrderReport]: ...

    def watch_trades(self) -> AsyncIterator[TradeReport]: ...

    async def close(self) -> None: ...


def monotonic_ms() -> float:
    return time.monotonic() * 1000


class ExchangeLink:
    """Exchange effects into requests, answers into inputs."""

    def __init__(
        self, exchange: Exchange, feed: Callable[[fx.Input], None], may_send: Callable[[], bool]
    ) -> None:
        self._exchange = exchange
        self._feed = feed
        self._may_send = may_send
        self._tasks: set[asyncio.Task[None]] = set()
        self._logger = structlog.get_logger()
        self.failing_since_ms: float | None = None
        self.order_seconds: Callable[[float], None] = lambda seconds: None

    def start(self) -> None:
        """Watch the user stream."""
        self._spawn(self._watch("orders"))
        self._spawn(self._watch("trades"))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._exchange.close()

    def perform(self, effect: fx.Effect) -> bool:
        """Start one exchange effect; False if it is none."""
        match effect:
            case fx.Send():
                self._spawn(self._send(effect))
            case fx.Query():
                self._spawn(self._query(effect))
            case fx.Cancel():
                self._spawn(self._cancel(effect))
            case fx.FetchTrades():
                self._spawn(self._fetch_trades(effect))
            case fx.ReadAccount():
                self._spawn(self._read_account(effect))
            case fx.MeasureClock():
                self._spawn(self._measure_clock())
            case fx.RefreshFilters():
                self._spawn(self._refresh_filters())
            case _:
                return False
        return True

    async def _send(self, effect: fx.Send) -> None:
        order = NewOrder(
            client_order_id=effect.cid,
            market=effect.market,
            side=effect.side,
            kind=effect.kind,
            price=effect.price,
            quantity=effect.quantity,
            deadline_ms=effect.deadline_ms,
            window_ms=effect.window_ms,
        )
        logger = self._logger.bind(market=effect.market, order=effect.cid)
        started = time.monotonic()
        try:
            report = await self._exchange.place(
                order, lambda: self._may_send() and monotonic_ms() < effect.leave_by_ms
            )
        except OrderWithheldError:
            logger.warning("order withheld: the lease or the deadline ran out before it left")
            self._feed(fx.SendWithheld(cid=effect.cid))
        except VenueRejectedError as error:
            logger.warning("order rejected", code=error.code, reason=error.message)
            self._feed(fx.SendRejected(cid=effect.cid, code=error.code, message=error.message))
        except VenueCredentialsError as error:
            logger.error("order rejected: the exchange refuses the key", reason=str(error))
            self._feed(fx.SendRejected(cid=effect.cid, code="CredentialsRefused", message=str(error)))
        except (SmartTradeError, ArithmeticError) as error:
            logger.warning("order of unknown fate", reason=str(error))
            self._failed()
            self._feed(fx.SendUncertain(cid=effect.cid, reason=str(error)))
        else:
            self.order_seconds(time.monotonic() - started)
            self.failing_since_ms = None
            self._feed(fx.SendSucceeded(cid=effect.cid, report=report))

    async def _query(self, effect: fx.Query) -> None:
        asked_ms = monotonic_ms()
        try:
            report = await self._exchange.query(effect.cid, effect.market)
        except SmartTradeError as error:
            self._failed()
            self._feed(fx.QueryFailed(cid=effect.cid, reason=str(error)))
        else:
            self.failing_since_ms = None
            self._feed(fx.QueryAnswered(cid=effect.cid, report=report, asked_ms=asked_ms))

    async def _cancel(self, effect: fx.Cancel) -> None:
        try:
            report = await self._exchange.cancel(effect.cid, effect.market, effect.order_id)
        except NothingToCancelError as error:
            self._feed(fx.CancelFailed(cid=effect.cid, gone=True, reason=str(error)))
        except SmartTradeError as error:
            self._logger.warning("cancel not confirmed", order=effect.cid, reason=str(error))
            self._feed(fx.CancelFailed(cid=effect.cid, gone=False, reason=str(error)))
        else:
            self._feed(fx.OrderSeen(report=report))

    async def _fetch_trades(self, effect: fx.FetchTrades) -> None:
        try:
            trades = await self._exchange.trades_of(effect.market, effect.order_id)
        except SmartTradeError as error:
            self._logger.warning("trades not read", market=effect.market, reason=str(error))
        else:
            self._feed(fx.TradesSeen(trades=trades))

    async def _read_account(self, effect: fx.ReadAccount) -> None:
        asked_ms = monotonic_ms()
        try:
            orders, trades, balances = await self._exchange.read_account(effect.since_ms)
        except SmartTradeError as error:
            self._failed()
            refused = isinstance(error, VenueCredentialsError)
            self._logger.warning("the exchange account was not read", reason=str(error))
            self._feed(fx.AccountReadFailed(reason=str(error), credentials=refused))
        else:
            self.failing_since_ms = None
            self._feed(fx.AccountRead(orders=orders, trades=trades, balances=balances, asked_ms=asked_ms))

    async def _measure_clock(self) -> None:
        for _ in range(CLOCK_SAMPLES):
            try:
                sent, received, told = await self._exchange.clock()
            except SmartTradeError as error:
                self._logger.warning("the exchange's clock was not read", reason=str(error))
                await asyncio.sleep(_STREAM_RETRY_S)
            else:
                self._feed(fx.ClockSampled(sent_ms=sent, received_ms=received, exchange_ms=told))

    async def _refresh_filters(self) -> None:
        try:
            filters = await self._exchange.read_filters()
        except SmartTradeError as error:
            self._logger.warning("the markets were not read", reason=str(error))
        else:
            self._feed(fx.FiltersRead(filters=filters))

    async def _watch(self, what: str) -> None:
        """Follow one half of the user stream for good; after each break the account is compared again."""
        while True:
            try:
                if what == "orders":
                    async for report in self._exchange.watch_orders():
                        self._feed(fx.OrderSeen(report=report))
                else:
                    async for trade in self._exchange.watch_trades():
                        self._feed(fx.TradesSeen(trades=(trade,)))
            except VenueError as error:
                self._logger.warning("user stream broke", stream=what, reason=str(error))
            await asyncio.sleep(_STREAM_RETRY_S)
            self._feed(fx.StreamBroke())

    def _failed(self) -> None:
        self.failing_since_ms = self.failing_since_ms or monotonic_ms()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._logger.critical("exchange request failed unexpectedly", exc_info=task.exception())
