"""Lowers resting orders in place, so that they keep their turn in the queue; nothing else can be amended so.

A lower quantity can only reduce what the order may still do. So a request needs no intent, and until the
exchange tells of the new quantity the old one counts. What it refuses, or leaves unanswered, is not tried
again: the order is cancelled and placed anew, as where no order can be amended.
"""

from __future__ import annotations

from decimal import Decimal

from smarttrade.exchange.reports import MarketFilters
from smarttrade.execution.context import Context
from smarttrade.execution.effects import Amend
from smarttrade.execution.orders import Order

_ANSWER_MS = 2_000.0


class Amending:
    """Requests amendments, one at a time for each order."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._asked: dict[str, tuple[Decimal, float]] = {}
        self._failed: set[str] = set()

    def lower(self, order: Order, quantity: Decimal, filters: MarketFilters) -> bool:
        """Whether the order is on its way to this quantity, the filled part included, or there already."""
        ctx = self._ctx
        if order.cid in self._failed or not self._may(order, quantity, filters):
            return False
        asked, due_ms = self._asked.get(order.cid, (None, 0.0))
        if asked is None or asked >= order.quantity:
            self._asked[order.cid] = quantity, ctx.now_ms + _ANSWER_MS
            ctx.emit(Amend(cid=order.cid, market=order.market, order_id=order.order_id, quantity=quantity))
            ctx.wake_at(ctx.now_ms + _ANSWER_MS)
        elif ctx.now_ms >= due_ms:
            self.failed(order.cid)
            return False
        else:
            ctx.wake_at(due_ms)
        return True

    def _may(self, order: Order, quantity: Decimal, filters: MarketFilters) -> bool:
        """What is left must be an order by itself."""
        left = quantity - order.filled
        least = max(filters.minimum_quantity, filters.lot)
        fits = left >= least and left * order.price >= filters.minimum_notional
        return self._ctx.tuning.amends and fits and quantity < order.quantity

    def failed(self, cid: str) -> None:
        self._failed.add(cid)

    def forget_ended(self) -> None:
        if not (self._asked or self._failed):
            return
        known = {order.cid for order in self._ctx.book.unsettled()}
        self._asked = {cid: asked for cid, asked in self._asked.items() if cid in known}
        self._failed &= known
