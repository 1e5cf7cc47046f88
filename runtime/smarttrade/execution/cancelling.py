"""Cancels own orders, and never waits for the log with it.

A cancel that is lost, refused or repeated does no harm, so it needs no intent. What it does not do is
prove anything: an order counts until the exchange has said that it ended.
"""

from __future__ import annotations

from collections.abc import Iterable

from smarttrade.exchange.reports import OrderKind
from smarttrade.execution.context import Context
from smarttrade.execution.effects import Cancel
from smarttrade.execution.orders import ON_BOOK, Order, OrderState
from smarttrade.execution.resolution import Resolution, ask_for

_IN_DOUBT = (OrderState.PENDING_NEW, OrderState.UNKNOWN)
_AGAIN_MS = 1_000.0


class Cancelling:
    """Requests cancels, and repeats them until the order has ended."""

    def __init__(self, ctx: Context, resolution: Resolution) -> None:
        self._ctx = ctx
        self._resolution = resolution

    def request(self, order: Order) -> None:
        """Cancel a resting order, at most once in a while."""
        ctx = self._ctx
        due = ctx.cancelling.get(order.cid, 0.0)
        if order.ended or order.state in _IN_DOUBT:
            return
        if order.state is OrderState.PENDING_CANCEL and ctx.now_ms < due:
            ctx.wake_at(due)
            return
        order.move(OrderState.PENDING_CANCEL)
        ctx.cancelling[order.cid] = ctx.now_ms + _AGAIN_MS
        ctx.emit(Cancel(cid=order.cid, market=order.market, order_id=order.order_id))
        ctx.wake_at(ctx.now_ms + _AGAIN_MS)

    def halt(self, orders: Iterable[Order]) -> None:
        """Cancel everything that could rest, by its client id also what may not even exist, or has left and
        was not answered yet: the answer may take long."""
        for order in orders:
            away = order.state is OrderState.UNKNOWN or order.cid in self._ctx.sent
            if away and order.state in _IN_DOUBT and order.kind is not OrderKind.LIMIT_IOC:
                self._try(order)
            else:
                self.request(order)

    def _try(self, order: Order) -> None:
        """Proves nothing, whatever the answer: the order may arrive later, and is asked for as before."""
        ctx = self._ctx
        due = ctx.cancelling.get(order.cid, 0.0)
        if ctx.now_ms >= due:
            due = ctx.cancelling[order.cid] = ctx.now_ms + _AGAIN_MS
            ctx.emit(Cancel(cid=order.cid, market=order.market, order_id=order.order_id))
        ctx.wake_at(due)

    def request_all(self, orders: Iterable[Order]) -> None:
        for order in orders:
            self.request(order)

    def failed(self, cid: str, gone: bool) -> None:
        """The exchange did not cancel: it may have filled, so ask; or it was not reached, so try again."""
        order = self._ctx.book.orders.get(cid)
        if order is None or order.ended:
            return
        self._ctx.cancelling[cid] = self._ctx.now_ms + self._ctx.tuning.query_backoff_ms
        self._ctx.wake_at(self._ctx.cancelling[cid])
        if gone and order.state in ON_BOOK:
            self._resolution.miss(order)
        elif gone:
            self._ctx.emit(ask_for(order))

    def forget_ended(self) -> None:
        if not self._ctx.cancelling:
            return
        orders = self._ctx.book.orders
        for cid in [c for c in self._ctx.cancelling if c not in orders or orders[c].ended]:
            del self._ctx.cancelling[cid]
