"""Commands by hand at the process: into the core and back, with what only the exchange itself can tell.

`Halt` does not trust the core to reach its orders: it may be cut off from the bus, a standby with a book that
is behind, or not started yet. So the exchange is asked directly for open orders with this account's ids, and
each is cancelled, again and again, until none is left. It is answered when none can be on its way to the
exchange any more; inside the exchange one may surface until the hold has passed, and is looked for that long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from smarttrade.errors import SmartTradeError
from smarttrade.exchange.errors import NothingToCancelError
from smarttrade.exchange.reports import OrderReport
from smarttrade.execution import commands_wire as wire
from smarttrade.execution.commands_wire import Answer, Line, OrderRow, Result
from smarttrade.execution.effects import CommandAnswered, CommandReceived, Input
from smarttrade.execution.exchange_link import Exchange
from smarttrade.execution.identifiers import is_tagged
from smarttrade.execution.records import HaltOrdered

_CORE_S = 20.0
_EXCHANGE_S = 4.0
_SWEEP_S = 6.0
_AGAIN_S = 0.2
_LATECOMERS_S = 1.3
"""The window of an order's deadline and its settling: later, nothing that was sent before can arrive."""
_WATCH_EVERY_S = 1.0


class CommandDesk:
    """One process's commands; `owns` knows the account's orders by their ids. `exchange` is None while the
    process does not know its exchange yet."""

    def __init__(
        self,
        owns: Callable[[str], bool],
        pod: str,
        feed: Callable[[Input], None],
        exchange: Callable[[], Exchange | None],
        build: Callable[[dict[str, Any]], Exchange],
        others_may_send: Callable[[], bool],
        hold_s: Callable[[], float],
        halted: Callable[[], bool],
    ) -> None:
        self._owns = owns
        self._pod = pod
        self._feed = feed
        self._exchange = exchange
        self._build = build
        self._others_may_send = others_may_send
        self._hold_s = hold_s
        self._halted = halted
        self._watches: set[asyncio.Task[None]] = set()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._token = 0

    async def handle(self, command: wire.AnyCommand) -> Answer:
        """Carry out one command and say what became of it."""
        answer = await self._through_core(command)
        if isinstance(command, wire.ListOrders):
            return await self._beside_exchange(answer)
        if isinstance(command, wire.Halt):
            lines = await self._sweep_anyhow(command)
            return msgspec.structs.replace(answer, lines=lines, result=wire.worst(lines))
        return answer

    def answered(self, effect: CommandAnswered) -> None:
        """The core has answered."""
        future = self._waiting.pop(effect.token, None)
        if future is not None and not future.done():
            future.set_result(effect.answer)

    async def _through_core(self, command: wire.AnyCommand) -> Answer:
        self._token += 1
        future = self._waiting[self._token] = asyncio.get_running_loop().create_future()
        self._feed(CommandReceived(command=command, token=self._token))
        try:
            return await asyncio.wait_for(future, _CORE_S)
        except TimeoutError:
            text = "no answer: the log is out of reach, or the lead moved on; see `smarttrade orders`"
            line = Line(subject=self._pod, result=Result.UNKNOWN, message=text)
            return Answer(
                pod=self._pod, leading=False, state="", result=Result.UNKNOWN, code="NoAnswer", lines=(line,)
            )

    # --- the exchange's own word ---

    async def _open_orders(self, exchange: Exchange) -> tuple[OrderReport, ...]:
        orders, _, _ = await asyncio.wait_for(exchange.read_account(0), _EXCHANGE_S)
        return orders

    async def _beside_exchange(self, answer: Answer) -> Answer:
        exchange = self._exchange()
        if exchange is None:
            return msgspec.structs.replace(answer, message="the exchange was not asked: not connected yet")
        try:
            reports = await self._open_orders(exchange)
        except (SmartTradeError, TimeoutError) as error:
            text = f"the exchange did not answer: {error or 'timeout'}"
            return msgspec.structs.replace(answer, message=text)
        return msgspec.structs.replace(answer, orders=join(answer.orders, reports, self._owns))

    async def _sweep_anyhow(self, command: wire.Halt) -> tuple[Line, ...]:
        """Also in a process that has no specification yet, because it started while the bus was away."""
        exchange = self._exchange()
        if exchange is not None:
            lines = await self._sweep(exchange)
            self._go_on(exchange)
            return lines
        if not command.spec:
            return (self._unknown("the exchange is not known yet: nothing was cancelled by this pod"),)
        try:
            exchange = self._build(command.spec)
        except SmartTradeError as error:
            return (self._unknown(f"nothing was cancelled by this pod: {error}"),)
        try:
            await asyncio.wait_for(exchange.read_filters(), _EXCHANGE_S)
            lines = await self._sweep(exchange)
        except (SmartTradeError, TimeoutError) as error:
            await exchange.close()
            return (self._unknown(f"the exchange does not answer: {error or 'timeout'}"),)
        self._go_on(exchange, close=True)
        return lines

    def _go_on(self, exchange: Exchange, *, close: bool = False) -> None:
        watch = asyncio.get_running_loop().create_task(self._watch(exchange, close=close))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)

    async def _watch(self, exchange: Exchange, *, close: bool) -> None:
        """What was in the exchange's queue when the halt came may surface until the hold has passed; who may
        trade again meanwhile keeps its orders."""
        ends = time.monotonic() + self._hold_s()
        try:
            while time.monotonic() < ends and self._halted():
                await self._cancel_latecomers(exchange)
                await asyncio.sleep(_WATCH_EVERY_S)
        finally:
            if close:
                await exchange.close()

    async def _cancel_latecomers(self, exchange: Exchange) -> None:
        logger = structlog.get_logger()
        try:
            own = [o for o in await self._open_orders(exchange) if self._is_own(o)]
            reason = await self._cancel_all(exchange, own if self._halted() else [], {})
        except (SmartTradeError, TimeoutError) as error:
            own, reason = [], str(error) or "timeout"
        if own or reason:
            orders = [order.client_order_id for order in own]
            logger.warning("an order came up after the halt", orders=orders, reason=reason)

    async def close(self) -> None:
        """End what still looks for latecomers."""
        for watch in list(self._watches):
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)

    async def _sweep(self, exchange: Exchange) -> tuple[Line, ...]:
        """Cancel every open order of this account's, until none is left and none can come."""
        cancelled: dict[str, str] = {}
        began, reason = time.monotonic(), ""
        stopped = None if self._others_may_send() else began
        while time.monotonic() - began < _SWEEP_S:
            try:
                own = [o for o in await self._open_orders(exchange) if self._is_own(o)]
                if not own and stopped is not None and time.monotonic() - stopped >= _LATECOMERS_S:
                    return tuple(self._cancelled(cid, market) for cid, market in cancelled.items())
                reason = await self._cancel_all(exchange, own, cancelled)
            except (SmartTradeError, TimeoutError) as error:
                reason = str(error) or "timeout"
            await asyncio.sleep(_AGAIN_S)
            if stopped is None and not self._others_may_send():
                stopped = time.monotonic()
        done = tuple(self._cancelled(cid, market) for cid, market in cancelled.items())
        if stopped is None:
            text = "the halt is not in the account's log yet: a pod that it did not reach may trade on"
        else:
            text = f"the exchange does not confirm that no own order is open: {reason}"
        return (*done, self._unknown(text))

    async def _cancel_all(
        self, exchange: Exchange, own: Iterable[OrderReport], cancelled: dict[str, str]
    ) -> str:
        reason = ""
        orders = list(own)
        answers = await asyncio.gather(
            *(exchange.cancel(o.client_order_id, o.market, o.order_id) for o in orders),
            return_exceptions=True,
        )
        for order, answer in zip(orders, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, NothingToCancelError):
                reason = str(answer)
            else:
                cancelled[order.client_order_id] = order.market
        return reason

    def _is_own(self, order: OrderReport) -> bool:
        return self._owns(order.client_order_id)

    def _cancelled(self, cid: str, market: str) -> Line:
        return Line(subject=cid, result=Result.DONE, message=f"cancelled in {market}")

    def _unknown(self, message: str) -> Line:
        return Line(subject=self._pod, result=Result.UNKNOWN, message=message)


def join(
    known: Iterable[OrderRow], reports: Iterable[OrderReport], owns: Callable[[str], bool]
) -> tuple[OrderRow, ...]:
    """The log's orders with the exchange's word on each, then what the exchange has beyond them."""
    open_ = {report.client_order_id: report for report in reports}
    rows = [
        msgspec.structs.replace(row, exchange="Open" if row.order in open_ else "NotListed") for row in known
    ]
    listed = {row.order for row in rows}
    return (*rows, *(_stranger(r, owns) for cid, r in open_.items() if cid not in listed))


def _stranger(report: OrderReport, owns: Callable[[str], bool]) -> OrderRow:
    if owns(report.client_order_id):
        state = "NotInLog"
    else:
        state = "OtherSmartTrade" if is_tagged(report.client_order_id) else "Foreign"
    return OrderRow(
        order=report.client_order_id or report.order_id,
        market=report.market,
        side=str(report.side),
        price=report.price,
        quantity=report.quantity,
        filled=report.filled,
        state=state,
        purpose="",
        exchange="Open",
    )


# --- a halt survives its process ---------------------------------------------------------------------------


def keep_halt(path: Path, halt: HaltOrdered | None) -> None:
    """Write the halt beside the socket, or remove it: a container that restarts while the bus is away has
    nothing else to know it by."""
    try:
        if halt is None:
            path.unlink(missing_ok=True)
            return
        fresh = path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(halt))
        fresh.replace(path)
    except OSError as error:
        structlog.get_logger().error("the halt cannot be kept over a restart", reason=str(error))


def kept_halt(path: Path) -> HaltOrdered | None:
    """The halt that an earlier process of this container was told of."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=HaltOrdered)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        structlog.get_logger().error("the kept halt cannot be read", path=str(path), reason=str(error))
        return None
