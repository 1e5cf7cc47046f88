"""Brings back from the exchange what the log does not know, and says that the log was lost.

An order's intent is durable before it is sent. So an own order that the exchange knows and the log does not
proves that the log lost something: all of it, where the log is new, or its end. What the exchange keeps of
own orders and their fills is taken over; which decisions were acted on, what protected a position and what
losses were counted is gone. So nothing that was decided on earlier events is executed, and the account is
Paused, as if a limit were broken, until the owner has looked: losses then count from that moment.

The loss is recorded before what it brings back, which may be many records: whoever goes on in the middle of
them has to know of it.

Trades carry no client id: whose they are is told by the order list, asked for when a trade has an order
that nobody knows. What bites: ended orders are forgotten after a while, so only one that is open, or has a
trade that was never counted, proves a loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from smarttrade.exchange.reports import OrderReport, TradeReport, VenueStatus
from smarttrade.execution.book import KEPT_ENDED
from smarttrade.execution.context import Context
from smarttrade.execution.effects import HistoryRead, ReadHistory
from smarttrade.execution.equity import breach_id, stricter
from smarttrade.execution.fills import Fills
from smarttrade.execution.records import Breached, HistoryRestored, OrderAdopted
from smarttrade.messages import EffectiveState

LOG_LOST = "LogLost"
_AGAIN_MS = 2_000.0
_OPEN = VenueStatus.OPEN
_STRANGERS = 10_000


class Restoring:
    """Own orders unknown to the log."""

    def __init__(self, ctx: Context, fills: Fills) -> None:
        self._ctx = ctx
        self._fills = fills
        self._due_ms = 0.0
        self._since_ms: float | None = None
        self._strangers: dict[str, None] = {}
        self.adopted = 0

    def begin(self) -> None:
        """A new log: ask what the exchange remembers, until it has answered."""
        ctx = self._ctx
        if ctx.now_ms >= self._due_ms:
            self._due_ms = ctx.now_ms + _AGAIN_MS
            ctx.emit(ReadHistory())
        ctx.wake_at(self._due_ms)

    def suspect(self, trades: Iterable[TradeReport]) -> bool:
        """Whether there are trades of orders that nobody knows: the user's own, or of a part of the log that
        was lost. The order list is asked whose they are."""
        book = self._ctx.book
        strange = [
            trade.order_id
            for trade in trades
            if trade.order_id not in self._strangers
            and book.by_order_id(trade.market, trade.order_id) is None
            and not book.ledger.may_have_counted(trade.market, trade.trade_id, trade.side, trade.time_ms)
        ]
        if strange:
            self.begin()
        return bool(strange)

    def surfaced(self, report: OrderReport) -> None:
        """The stream, or the list of open orders, tells of an order: an own one that a leader's log does not
        know proves a loss, also where no query shows it yet."""
        if self._is_missing(report, report.trades, fresh=False):
            newest_ms = max([report.time_ms, *(trade.time_ms for trade in report.trades)])
            self._declare_lost(orders=1, fills=len(report.trades), newest_ms=newest_ms)
            self._adopt(report)

    def read(self, event: HistoryRead) -> None:
        """Take over own orders that the log does not know, with their fills."""
        fresh = self._ctx.book.restoring
        self._remember_strangers(event)
        trades: dict[tuple[str, str], list[TradeReport]] = {}
        for trade in event.trades:
            trades.setdefault((trade.market, trade.order_id), []).append(trade)
        found = [
            (report, trades.get((report.market, report.order_id), []))
            for report in event.orders
            if self._is_missing(report, trades.get((report.market, report.order_id), []), fresh=fresh)
        ]
        if found:
            fills = [trade for _, own in found for trade in own]
            times = [report.time_ms for report, _ in found] + [trade.time_ms for trade in fills]
            self._declare_lost(orders=len(found), fills=len(fills), newest_ms=max(times))
        elif fresh and not self._lost:
            self._ask_about_former(event)
        for report in event.orders:
            self._note_identity(report)
        for report, _ in found:
            self._adopt(report)
        self._fills.take(event.trades)
        if found:
            return
        if fresh and (not self._lost or self._all_surfaced(event.asked_ms)):
            self._record(lost=False, final=True, time_ms=self._ctx.exchange_ms)

    def _ask_about_former(self, event: HistoryRead) -> None:
        """Orders of a new log's past whose ids are from before ids had keys: whether they are this account's
        only its owner can tell, so none is taken over, and nothing is traded until the owner has looked."""
        ctx = self._ctx
        former = [o for o in event.orders if ctx.ids.may_be_former(o.client_order_id)]
        former = [o for o in former if not ctx.owns(o.client_order_id) and (o.filled or o.status is _OPEN)]
        if former:
            self._declare_lost(orders=len(former), fills=0, newest_ms=max(order.time_ms for order in former))

    @property
    def _lost(self) -> bool:
        """Whether this log was found to lack something; the owner may have acknowledged it already."""
        return self._ctx.book.not_before_ms > 0

    def _all_surfaced(self, asked_ms: float) -> bool:
        """What a lost log had sent shows within the hold, on the exchange's clock and on ours."""
        ctx, tuning = self._ctx, self._ctx.tuning
        hold_ms = max(tuning.window_ms + tuning.settle_ms, tuning.hold_ms) + tuning.window_ms
        self._since_ms = self._since_ms if self._since_ms is not None else ctx.now_ms
        passed = ctx.clock.surely_past(asked_ms, ctx.book.not_before_ms + hold_ms)
        return passed and asked_ms - self._since_ms >= hold_ms

    def _is_missing(self, report: OrderReport, trades: Sequence[TradeReport], *, fresh: bool) -> bool:
        ctx = self._ctx
        if not ctx.ids.is_own(report.client_order_id) or report.client_order_id in ctx.book.orders:
            return False
        if report.status is VenueStatus.OPEN:
            return True
        if trades:  # a lost log's are newer than what the ledger has forgotten
            known = ctx.book.ledger.may_have_counted
            return any(not known(trade.market, trade.trade_id, trade.side, trade.time_ms) for trade in trades)
        return fresh and len(ctx.book.orders) < KEPT_ENDED  # a fuller book has forgotten such orders

    def _note_identity(self, report: OrderReport) -> None:
        """An order of the book whose id at the exchange nobody had learned: its trades are not strange."""
        order = self._ctx.book.orders.get(report.client_order_id)
        if order is not None and not order.order_id:
            self._fills.absorb(report)

    def _remember_strangers(self, event: HistoryRead) -> None:
        own = {o.order_id for o in event.orders if self._ctx.owns(o.client_order_id)}
        for trade in event.trades:
            if trade.order_id not in own:
                self._strangers[trade.order_id] = None
        while len(self._strangers) > _STRANGERS:
            del self._strangers[next(iter(self._strangers))]

    def _adopt(self, report: OrderReport) -> None:
        self.adopted += 1
        self._ctx.record(
            OrderAdopted(
                cid=report.client_order_id,
                order_id=report.order_id,
                market=report.market,
                side=report.side,
                price=report.price,
                quantity=report.quantity,
                time_ms=report.time_ms,
                trigger=report.trigger,
            )
        )
        self._fills.absorb(report)

    def _declare_lost(self, *, orders: int, fills: int, newest_ms: int) -> None:
        """As of now, or of the newest that the exchange told, `newest_ms`, where its clock stepped since it
        was measured: what was decided before that order left must not be done again."""
        ctx, now_ms = self._ctx, max(self._ctx.exchange_ms, newest_ms)
        self._since_ms = self._since_ms if self._since_ms is not None else ctx.now_ms
        self._record(lost=True, final=False, orders=orders, fills=fills, time_ms=now_ms)
        ctx.lead.reconciled = False
        breach = ctx.book.losses.breach
        if breach is None or breach.reason != LOG_LOST:
            ctx.record(
                Breached(
                    id=breach_id(LOG_LOST, now_ms),
                    reason=LOG_LOST,
                    effect=stricter(breach.effect if breach else None, EffectiveState.PAUSED),
                    time_ms=now_ms,
                )
            )

    def _record(self, *, lost: bool, final: bool, time_ms: int, orders: int = 0, fills: int = 0) -> None:
        self._ctx.record(HistoryRestored(lost=lost, final=final, orders=orders, fills=fills, time_ms=time_ms))
