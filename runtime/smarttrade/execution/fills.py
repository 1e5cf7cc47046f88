"""Takes in what the exchange says about orders and trades, from whichever way it comes first.

The same order and the same trade arrive by the answer to the order, by the user stream, by a query and by
reconciliation; each counts once. An order's filled quantity may run ahead of its trades: until they are
here the order is not settled, and after a moment they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import islice

import msgspec

from smarttrade.exchange.reports import OrderKind, OrderReport, TradeReport, VenueStatus
from smarttrade.execution.book import WOULD_MATCH
from smarttrade.execution.context import Context
from smarttrade.execution.effects import Cancel, FetchTrades, Publish
from smarttrade.execution.fees import Fees
from smarttrade.execution.ledger import value_fee
from smarttrade.execution.orders import (
    FORGOTTEN,
    Order,
    OrderState,
    Purpose,
    state_from_venue,
)
from smarttrade.execution.records import FillRecorded, LossTaken, OrderMoved
from smarttrade.execution.switch import Switch
from smarttrade.messages import Fill

_NEWEST = (OrderState.PENDING_NEW, OrderState.UNKNOWN, OrderState.NEW)
_REFUSED = (OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED)
_AGAIN_MS = 1_000.0
_AT_ONCE = 20
"""A restored history may lack the trades of a thousand orders; the allowance is for cancels too."""


class Fills:
    """Order reports and trades into records."""

    def __init__(self, ctx: Context, switch: Switch, fees: Fees) -> None:
        self._ctx = ctx
        self._fees = fees
        self._switch = switch
        self._ask_ms: dict[str, float] = {}

    def absorb(self, report: OrderReport) -> Order | None:
        """Bring one order up to date; None if it is not an order of the book."""
        book = self._ctx.book
        order = book.orders.get(report.client_order_id) or book.by_order_id(report.market, report.order_id)
        if order is None or not self._ctx.lead.claimed:
            return None
        if order.told_by_hand:
            self._contradicted(order, report)
            return order
        if report.status is VenueStatus.OPEN and (
            order.code == FORGOTTEN or order.state is OrderState.REJECTED
        ):
            self._reappeared(order, report.order_id)
        state = state_from_venue(order, report.status, report.filled)
        lowered = self._lowered(order, report)
        if state is not None and (lowered is not None or self._news(order, state, report)):
            self._move(order, state, report, lowered)
        self.take(report.trades)
        return order

    def take(self, trades: Iterable[TradeReport]) -> None:
        """Count trades of own orders; others are somebody else's."""
        if not self._ctx.lead.claimed:
            return
        told: dict[str, dict[str, Decimal]] = {}
        for trade in sorted(trades, key=lambda trade: trade.time_ms):
            order = self._ctx.book.by_order_id(trade.market, trade.order_id)
            if order is None or order.told_by_hand:
                continue
            told.setdefault(order.cid, {})[trade.trade_id] = trade.quantity
            if not self._is_counted(order, trade):
                self._count(order, trade)
        for cid, quantities in told.items():
            self._compare(self._ctx.book.orders.get(cid), sum(quantities.values(), Decimal(0)))

    def _is_counted(self, order: Order, trade: TradeReport) -> bool:
        """An order that may have more fills knows its trades; of a settled one, old trades are counted."""
        ledger = self._ctx.book.ledger
        if trade.trade_id in order.trades:
            return True
        if order.settled:
            return ledger.may_have_counted(trade.market, trade.trade_id, trade.side, trade.time_ms)
        return ledger.knows(trade.market, trade.trade_id, trade.side)

    def _compare(self, order: Order | None, told: Decimal) -> None:
        """Trades that were taken for counted, because they are old, must be within what was."""
        if order is not None and told > order.recorded:
            self._tell(order, told)

    def chase(self) -> None:
        """Ask for trades that the exchange counted and nobody delivered."""
        ctx = self._ctx
        if not (self._ask_ms or ctx.untold or ctx.book.has_unsettled):
            return
        missing = {o.cid: o for o in ctx.book.unsettled() if o.order_id and o.filled > o.recorded}
        self._ask_ms = {cid: at for cid, at in self._ask_ms.items() if cid in missing}
        ctx.untold = {cid: ctx.untold.get(cid, ctx.now_ms) for cid in missing}
        for cid, order in islice(missing.items(), _AT_ONCE):
            due = self._ask_ms.setdefault(cid, ctx.now_ms + ctx.tuning.trades_wait_ms)
            if ctx.now_ms >= due:
                ctx.emit(FetchTrades(market=order.market, order_id=order.order_id))
                due = self._ask_ms[cid] = ctx.now_ms + _AGAIN_MS
            ctx.wake_at(due)

    def _contradicted(self, order: Order, report: OrderReport) -> None:
        """What a person has told of an order counts already; counting the exchange's trades too would double
        it. Its id there is kept, so that they are not taken for somebody else's; open, it must go."""
        if report.order_id and not order.order_id:
            self._move(order, order.state, msgspec.structs.replace(report, filled=order.filled))
        self._tell(order, report.filled)
        if report.status is VenueStatus.OPEN:
            self._reappeared(order, report.order_id)

    def _tell(self, order: Order, told: Decimal) -> None:
        """Write down the exchange's sum of a settled order, where it is news."""
        if told != (order.recorded if order.told is None else order.told):
            self._ctx.record(
                OrderMoved(
                    cid=order.cid,
                    state=order.state,
                    order_id=order.order_id,
                    filled=order.filled,
                    time_ms=self._ctx.exchange_ms,
                    told=told,
                )
            )

    def _reappeared(self, order: Order, order_id: str) -> None:
        """It ended in the log because the exchange had not known it, or had refused it; open after all, it
        must go."""
        ctx = self._ctx
        ctx.agreement.surface(order, ctx.now_ms)
        if ctx.now_ms >= ctx.cancelling.get(order.cid, 0.0):
            ctx.cancelling[order.cid] = ctx.now_ms + _AGAIN_MS
            ctx.emit(Cancel(cid=order.cid, market=order.market, order_id=order_id))

    def _lowered(self, order: Order, report: OrderReport) -> Decimal | None:
        """The quantity that a resting order was amended to; a late report of a higher one says nothing."""
        if order.purpose is not Purpose.RESTING or not self._ctx.tuning.amends:
            return None
        return report.quantity if report.filled <= report.quantity < order.quantity else None

    def _news(self, order: Order, state: OrderState, report: OrderReport) -> bool:
        return state is not order.state or report.filled > order.filled or not order.order_id

    def _move(
        self, order: Order, state: OrderState, report: OrderReport, lowered: Decimal | None = None
    ) -> None:
        if order.state in (OrderState.VOID, OrderState.REJECTED):
            self._ctx.agreement.surface(order, self._ctx.now_ms)
        before = order.state
        self._ctx.record(
            OrderMoved(
                cid=order.cid,
                state=state,
                order_id=report.order_id,
                filled=report.filled,
                time_ms=report.time_ms,
                code=WOULD_MATCH if self._would_have_matched(order, state, report) else "",
                quantity=lowered,
            )
        )
        self._switch.notice(order, before)
        if order.ended and order.filled < order.quantity and order.purpose is not Purpose.PROTECTIVE:
            self._back_off(order.market)

    def _would_have_matched(self, order: Order, state: OrderState, report: OrderReport) -> bool:
        """Some exchanges take a post-only order and cancel it at once, where others refuse it."""
        unasked = order.state in _NEWEST and state in _REFUSED
        at_once = self._ctx.exchange_ms <= order.deadline_ms + order.window_ms
        return order.kind is OrderKind.POST_ONLY and unasked and at_once and not report.filled

    def _back_off(self, market: str) -> None:
        """Let the market come back before the rest is tried: longer each time."""
        ctx = self._ctx
        book = ctx.book.market(market)
        tries = min(book.residuals + book.matched, ctx.tuning.residual_legs)
        ctx.resume_ms[market] = ctx.now_ms + ctx.tuning.residual_backoff_ms * 2 ** max(tries - 1, 0)

    def _count(self, order: Order, trade: TradeReport) -> None:
        fill = Fill(
            market=trade.market,
            trade_id=trade.trade_id,
            order_id=trade.order_id,
            client_order_id=order.cid,
            decision_id=order.decision_id,
            side=trade.side,
            price=trade.price,
            quantity=trade.quantity,
            fee=trade.fee,
            fee_asset=trade.fee_asset,
            maker=trade.maker,
            time_ms=trade.time_ms,
        )
        before = self._ctx.book.ledger.holding(fill.market).realized_pnl
        value = value_fee(fill)
        entry = FillRecorded(
            fill=fill,
            fee_value=value or Decimal(0),
            unvalued=value is None,
            crossed=self._ctx.book.ledger.crosses(fill),
        )
        self._ctx.record(entry, Publish(message=fill))
        if value is None:
            self._fees.advance()
        self._note_loss(fill, before)

    def _note_loss(self, fill: Fill, before: Decimal) -> None:
        holding = self._ctx.book.ledger.holding(fill.market)
        if fill.side == "Sell" and holding.realized_pnl < before:
            self._ctx.record(LossTaken(market=fill.market, time_ms=fill.time_ms))
