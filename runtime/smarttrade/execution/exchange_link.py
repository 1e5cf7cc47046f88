"""Performs the core's requests to the exchange, and brings back what it says.

Every request is a task of its own: an answer that is late for one order must not hold up another. What an
exception means was decided in `exchange.errors`; here it only becomes the right input.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Mapping
from decimal import Decimal
from typing import Any, Protocol

import structlog

from smarttrade.errors import ConfigurationError, SmartTradeError, VenueError
from smarttrade.exchange.errors import (
    NothingToCancelError,
    OrderWithheldError,
    VenueCredentialsError,
    VenueRejectedError,
)
from smarttrade.exchange.reports import Balance, MarketFilters, OrderReport, TradeReport
from smarttrade.exchange.venue import NewOrder
from smarttrade.execution import effects as fx
from smarttrade.messages import Quote

CLOCK_SAMPLES = 5
_STREAM_RETRY_S, _STREAM_RETRY_LIMIT_S, _STREAM_LASTS_MS = 0.5, 5.0, 10_000.0
_FILTERS_RETRY_S = 2.0
_MARKETS_RETRY_S = 60.0
_PRICE_EVERY_S = 2.0


class Exchange(Protocol):
    """What a live or a paper exchange does; see `exchange.venue.Venue` for the errors."""

    def trade(self, symbols: Collection[str], left: Collection[str] = ()) -> None: ...

    async def quote(self, market: str) -> Quote: ...

    async def price(self, asset: str, currency: str) -> Decimal | None: ...

    async def read_filters(self) -> tuple[MarketFilters, ...]: ...

    async def place(self, order: NewOrder, may_leave: Callable[[], bool]) -> OrderReport: ...

    async def place_pair(
        self, group: str, limit: NewOrder, stop: NewOrder, may_leave: Callable[[], bool]
    ) -> tuple[OrderReport, ...]: ...

    async def query(self, client_order_id: str, market: str, since_ms: int = 0) -> OrderReport | None: ...

    async def cancel(self, client_order_id: str, market: str, order_id: str) -> OrderReport: ...

    async def amend(
        self, client_order_id: str, market: str, order_id: str, quantity: Decimal
    ) -> OrderReport: ...

    async def trades_of(self, market: str, order_id: str) -> tuple[TradeReport, ...]: ...

    async def read_account(
        self, since_ms: int
    ) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...], tuple[Balance, ...]]: ...

    async def read_history(self) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...]]: ...

    async def arm_switch(self, timeout_ms: int) -> None: ...

    async def clock(self) -> tuple[float, float, float]: ...

    def watch_orders(self) -> AsyncIterator[OrderReport]: ...

    def watch_trades(self) -> AsyncIterator[TradeReport]: ...

    async def close(self) -> None: ...


def build_order(send: fx.Send) -> NewOrder:
    return NewOrder(
        client_order_id=send.cid,
        market=send.market,
        side=send.side,
        kind=send.kind,
        price=send.price,
        quantity=send.quantity,
        deadline_ms=send.deadline_ms,
        window_ms=send.window_ms,
        trigger=send.trigger,
    )


def _told(send: fx.Send, reports: Mapping[str, OrderReport]) -> fx.Input:
    """An order that the answer leaves out may exist nevertheless."""
    report = reports.get(send.cid)
    if report is None:
        return fx.SendUncertain(cid=send.cid, reason="the answer does not tell of it")
    return fx.SendSucceeded(cid=send.cid, report=report)


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
        self._refreshing = self._refresh_wanted = False
        self._refresh_asked = asyncio.Event()
        self._left: tuple[str, ...] = ()
        self._pricing = False
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
            case fx.SendPair():
                self._spawn(self._send_pair(effect))
            case fx.ReadHistory():
                self._spawn(self._read_history())
            case fx.ArmSwitch():
                self._spawn(self._arm_switch(effect))
            case fx.Query():
                self._spawn(self._query(effect))
            case fx.Cancel():
                self._spawn(self._cancel(effect))
            case fx.Amend():
                self._spawn(self._amend(effect))
            case fx.FetchTrades():
                self._spawn(self._fetch_trades(effect))
            case fx.ReadPrice():
                self._spawn(self._read_price(effect))
            case fx.ReadAccount():
                self._spawn(self._read_account(effect))
            case fx.MeasureClock():
                self._spawn(self._measure_clock())
            case fx.FollowMarkets():
                self._follow(effect)
            case fx.RefreshFilters():
                self._spawn(self._refresh_filters())
            case _:
                return False
        return True

    async def _send(self, effect: fx.Send) -> None:
        async def place() -> tuple[OrderReport, ...]:
            return (await self._exchange.place(build_order(effect), lambda: self._may_leave(effect)),)

        await self._placed((effect,), place())

    async def _send_pair(self, effect: fx.SendPair) -> None:
        limit, stop = build_order(effect.limit), build_order(effect.stop)
        placing = self._exchange.place_pair(effect.group, limit, stop, lambda: self._may_leave(effect.limit))
        await self._placed(effect.legs, placing)

    def _may_leave(self, effect: fx.Send) -> bool:
        return self._may_send() and monotonic_ms() < effect.leave_by_ms

    async def _placed(
        self, sends: tuple[fx.Send, ...], placing: Coroutine[Any, Any, tuple[OrderReport, ...]]
    ) -> None:
        """Wait for one request, and tell of each of its orders what its end proves."""
        first = sends[0]
        logger = self._logger.bind(market=first.market, decision=first.decision_id, order=first.cid)
        started = time.monotonic()
        try:
            reports = {report.client_order_id: report for report in await placing}
        except OrderWithheldError:
            logger.warning("order withheld: the lease or the deadline ran out before it left")
            self._tell(fx.SendWithheld(cid=send.cid) for send in sends)
        except VenueRejectedError as error:
            logger.warning("order rejected", code=error.code, reason=error.message)
            code, message = error.code, error.message
            self._tell(fx.SendRejected(cid=send.cid, code=code, message=message) for send in sends)
        except VenueCredentialsError as error:
            logger.error("order rejected: the exchange refuses the key", reason=str(error))
            message = str(error)
            self._tell(
                fx.SendRejected(cid=send.cid, code="CredentialsRefused", message=message) for send in sends
            )
        except Exception as error:  # noqa: BLE001 - an order whose end nobody hears of would hold its market
            reason = str(error) or type(error).__name__
            logger.warning("order of unknown fate", reason=reason)
            self._failed()
            self._tell(fx.SendUncertain(cid=send.cid, reason=reason) for send in sends)
        else:
            self.order_seconds(time.monotonic() - started)
            self.failing_since_ms = None
            self._tell(_told(send, reports) for send in sends)
            logger.info("order placed", status={cid: str(report.status) for cid, report in reports.items()})

    def _tell(self, events: Iterable[fx.Input]) -> None:
        for event in events:
            self._feed(event)

    async def _query(self, effect: fx.Query) -> None:
        asked_ms = monotonic_ms()
        try:
            report = await self._exchange.query(effect.cid, effect.market, effect.since_ms)
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

    async def _amend(self, effect: fx.Amend) -> None:
        try:
            report = await self._exchange.amend(effect.cid, effect.market, effect.order_id, effect.quantity)
        except SmartTradeError as error:
            self._logger.warning("order not amended", order=effect.cid, reason=str(error))
            self._feed(fx.AmendFailed(cid=effect.cid, reason=str(error)))
        else:
            self._feed(fx.OrderSeen(report=report))

    async def _fetch_trades(self, effect: fx.FetchTrades) -> None:
        try:
            trades = await self._exchange.trades_of(effect.market, effect.order_id)
        except SmartTradeError as error:
            self._logger.warning("trades not read", market=effect.market, reason=str(error))
        else:
            self._feed(fx.TradesSeen(trades=trades))

    async def _read_price(self, effect: fx.ReadPrice) -> None:
        try:
            price = await self._exchange.price(effect.asset, effect.currency)
            reason = "" if price else f"the exchange has no market of {effect.asset} and {effect.currency}"
        except SmartTradeError as error:
            price, reason = None, str(error)
        if price is None:
            self._logger.warning("a fee has no price", asset=effect.asset, reason=reason)
        self._feed(fx.PriceRead(asset=effect.asset, price=price, reason=reason))

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

    async def _read_history(self) -> None:
        asked_ms = monotonic_ms()
        try:
            orders, trades = await self._exchange.read_history()
        except SmartTradeError as error:
            self._failed()
            self._logger.warning("the exchange's history was not read", reason=str(error))
            self._feed(fx.HistoryReadFailed(reason=str(error)))
        else:
            self._feed(fx.HistoryRead(orders=orders, trades=trades, asked_ms=asked_ms))

    async def _arm_switch(self, effect: fx.ArmSwitch) -> None:
        try:
            await self._exchange.arm_switch(effect.timeout_ms)
        except Exception as error:  # noqa: BLE001 - without an answer it would not be asked for again
            failure = str(error) or type(error).__name__
            self._logger.warning("the dead man's switch was not set", reason=failure)
            self._feed(fx.SwitchAnswered(timeout_ms=effect.timeout_ms, failure=failure))
        else:
            self._feed(fx.SwitchAnswered(timeout_ms=effect.timeout_ms))

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
        """Until they are read: a pod that starts during the exchange's maintenance has none to trade by.
        Asked for meanwhile, perhaps for other markets, they are read once more."""
        self._refresh_wanted = True
        self._refresh_asked.set()
        if self._refreshing:
            return
        self._refreshing = True
        try:
            while self._refresh_wanted:
                self._refresh_wanted = False
                await self._read_filters()
        finally:
            self._refreshing = False

    def _follow(self, effect: fx.FollowMarkets) -> None:
        self._exchange.trade(effect.listed, effect.left)
        self._spawn(self._refresh_filters())
        self._left = effect.left
        if self._left and not self._pricing:
            self._spawn(self._price())

    async def _price(self) -> None:
        """Ask for the prices of markets that monitoring does not follow any more."""
        self._pricing = True
        while self._left:
            for market in self._left:
                try:
                    self._feed(fx.QuoteSeen(quote=await self._exchange.quote(market)))
                except SmartTradeError as error:
                    self._logger.warning("price not read", market=market, reason=str(error))
            await asyncio.sleep(_PRICE_EVERY_S)
        self._pricing = False

    async def _read_filters(self) -> None:
        try:
            filters = await self._exchange.read_filters()
        except ConfigurationError as error:
            self._logger.error("a market is not there", reason=str(error))
            self._feed(fx.MarketsRefused(reason=str(error)))
            await self._pause_refresh(_MARKETS_RETRY_S)
        except SmartTradeError as error:
            self._logger.warning("the markets were not read", reason=str(error))
            await self._pause_refresh(_FILTERS_RETRY_S)
        else:
            self._feed(fx.FiltersRead(filters=filters))

    async def _pause_refresh(self, seconds: float) -> None:
        """Try again then; sooner when other markets are asked for."""
        self._refresh_asked.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._refresh_asked.wait(), seconds)
        self._refresh_wanted = True

    async def _watch(self, what: str) -> None:
        """Follow one half of the user stream for good; after each break the account is compared again, which
        costs requests: a stream that breaks at once is tried again later each time."""
        pause_s = _STREAM_RETRY_S
        while True:
            began_ms = monotonic_ms()
            try:
                if what == "orders":
                    async for report in self._exchange.watch_orders():
                        self._feed(fx.OrderSeen(report=report))
                else:
                    async for trade in self._exchange.watch_trades():
                        self._feed(fx.TradesSeen(trades=(trade,)))
            except VenueError as error:
                self._logger.warning("user stream broke", stream=what, reason=str(error))
            if monotonic_ms() - began_ms >= _STREAM_LASTS_MS:
                pause_s = _STREAM_RETRY_S
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _STREAM_RETRY_LIMIT_S)
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
