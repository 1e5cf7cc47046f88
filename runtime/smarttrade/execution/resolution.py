"""Finds out what became of an order whose fate is unknown, and never guesses.

The order is asked for by its client id until it is found, or until the exchange's own clock has certainly
passed the last instant at which the exchange could still have accepted it, the hold of the capability
table included, the hold has passed on our own clock since the order was known of, and it was then missed
several times. Only after that it is void, and what it was to do is
tried again under a new id. Meanwhile its whole quantity counts as exposure and its market waits; other
markets go on.

An order that the exchange had accepted is looked for in the same way when it is neither listed nor found: it
has ended, and what it filled is what the exchange keeps trades of, because exchanges forget orders that
ended unfilled. What bites: a list may be behind, so an order that is listed again is not missed any more.
"""

from __future__ import annotations

from smarttrade.exchange.reports import OrderReport
from smarttrade.execution.context import Context, Probe
from smarttrade.execution.effects import FetchTrades, Query
from smarttrade.execution.fills import Fills
from smarttrade.execution.orders import FORGOTTEN, ON_BOOK, Order, OrderState
from smarttrade.execution.records import OrderMoved

_OPEN_QUESTION = (OrderState.PENDING_NEW, OrderState.UNKNOWN)


class Resolution:
    """Probes of unknown orders."""

    def __init__(self, ctx: Context, fills: Fills) -> None:
        self._ctx = ctx
        self._fills = fills

    def doubt(self, order: Order) -> None:
        """From now on the order may or may not exist."""
        if order.state not in _OPEN_QUESTION:
            return
        order.move(OrderState.UNKNOWN)
        self._begin(order, accepted=False)

    def miss(self, order: Order) -> None:
        """The exchange does not list an accepted order, or cannot cancel it: ask how it ended."""
        if order.state in ON_BOOK:
            self._begin(order, accepted=True)

    def listed(self, order: Order) -> None:
        """The exchange lists the order: it is not missed."""
        probe = self._ctx.probes.get(order.cid)
        if probe is not None and probe.accepted:
            del self._ctx.probes[order.cid]

    def _begin(self, order: Order, *, accepted: bool) -> None:
        now, tuning = self._ctx.now_ms, self._ctx.tuning
        known = self._ctx.probes.get(order.cid)
        if known is None or known.accepted is not accepted:
            self._ctx.probes[order.cid] = Probe(
                since_ms=now, next_ms=now, backoff_ms=tuning.query_backoff_ms, accepted=accepted
            )

    def advance(self) -> None:
        """Ask again about every order whose next question is due."""
        for cid, probe in list(self._ctx.probes.items()):
            order = self._ctx.book.orders.get(cid)
            if order is None or not _is_sought(order, probe):
                del self._ctx.probes[cid]
            elif not probe.asking and self._ctx.now_ms >= probe.next_ms:
                probe.asking = True
                self._ctx.emit(ask_for(order))
            elif not probe.asking:
                self._ctx.wake_at(probe.next_ms)

    def answered(self, cid: str, report: OrderReport | None, asked_ms: float) -> None:
        """The exchange answered a query: with the order, or that it knows none."""
        probe = self._ctx.probes.get(cid)
        if report is not None:
            self._ctx.probes.pop(cid, None)
            self._fills.absorb(report)
            return
        order = self._ctx.book.orders.get(cid)
        if probe is None or order is None or not _is_sought(order, probe):
            return
        self._again(probe)
        if self._is_late(order, probe, asked_ms):
            probe.misses += 1
            probe.next_ms = self._ctx.now_ms + self._ctx.tuning.query_backoff_ms
        if probe.misses >= self._ctx.tuning.misses:
            self._give_up(order)

    def failed(self, cid: str) -> None:
        """No answer proves nothing."""
        probe = self._ctx.probes.get(cid)
        if probe is not None:
            self._again(probe)

    def _is_late(self, order: Order, probe: Probe, asked_ms: float) -> bool:
        """An accepted order is missed for as long as an unknown one, from when it was missed first."""
        missed_long = not probe.accepted or asked_ms - probe.since_ms >= self.hold_ms(order)
        return missed_long and self.could_not_arrive_any_more(order, asked_ms)

    def _give_up(self, order: Order) -> None:
        if order.state is OrderState.UNKNOWN:
            self.void(order, "NotFound")
        else:
            self.forgotten(order)

    def forgotten(self, order: Order) -> None:
        """Record that an accepted order has ended, with no more filled than is told by its trades."""
        self._ctx.probes.pop(order.cid, None)
        self._ctx.emit(FetchTrades(market=order.market, order_id=order.order_id))
        self._end(order, OrderState.CANCELED, FORGOTTEN)

    def void(self, order: Order, code: str) -> None:
        """Record that the order never reached the exchange."""
        self._ctx.probes.pop(order.cid, None)
        self._end(order, OrderState.VOID, code)

    def _end(self, order: Order, state: OrderState, code: str) -> None:
        self._ctx.record(
            OrderMoved(
                cid=order.cid,
                state=state,
                order_id="",
                filled=order.filled,
                time_ms=self._ctx.exchange_ms,
                code=code,
            )
        )

    def could_not_arrive_any_more(self, order: Order, asked_ms: float) -> bool:
        """The hold has passed on the exchange's clock and on this process's own: the first alone may step."""
        ctx, hold_ms = self._ctx, self.hold_ms(order)
        known_ms = ctx.known_ms.setdefault(order.cid, ctx.now_ms)
        held_here = asked_ms - known_ms >= hold_ms
        return held_here and ctx.clock.surely_past(asked_ms, order.deadline_ms + hold_ms)

    def hold_ms(self, order: Order) -> float:
        """For how long after its deadline's base the exchange may still show an order for the first time."""
        return max(order.window_ms + self._ctx.tuning.settle_ms, self._ctx.tuning.hold_ms)

    def _again(self, probe: Probe) -> None:
        probe.asking = False
        probe.next_ms = self._ctx.now_ms + probe.backoff_ms
        probe.backoff_ms = min(probe.backoff_ms * 2, self._ctx.tuning.query_backoff_limit_ms)


def ask_for(order: Order) -> Query:
    """The question for one order."""
    return Query(
        cid=order.cid, market=order.market, order_id=order.order_id, since_ms=max(order.deadline_ms, 0)
    )


def _is_sought(order: Order, probe: Probe) -> bool:
    return order.state in ON_BOOK if probe.accepted else order.state is OrderState.UNKNOWN
