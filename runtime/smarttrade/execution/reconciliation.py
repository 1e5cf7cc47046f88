"""Compares the log with the exchange: at the start, after every reconnect, and every half minute.

Own orders that the log does not know are adopted (`restoring`) and then cancelled, because no decision stands
behind them, but for stops, which protect; everything else that is not ours is counted and left alone. A
wallet below the ledger is a fact to be reported, never to be corrected by trading.
"""

from __future__ import annotations

from collections.abc import Iterable

from smarttrade.exchange.reports import OrderReport
from smarttrade.execution.context import Context
from smarttrade.execution.effects import AccountRead, HistoryRead, ReadAccount
from smarttrade.execution.fills import Fills
from smarttrade.execution.lead import Leading
from smarttrade.execution.orders import ON_BOOK, Order
from smarttrade.execution.resolution import Resolution
from smarttrade.execution.restoring import Restoring
from smarttrade.execution.strangers import Strangers

EXCHANGE_UNREACHABLE = "ExchangeUnreachable"
_RETRY_MS = 1_000.0
_STRANGE_MS = 2_000.0
"""Until a leader that found strange trades compares anew; it doubles, since others may go on trading."""


class Reconciliation:
    """Open orders, recent trades and wallet against the book."""

    def __init__(
        self,
        ctx: Context,
        fills: Fills,
        leading: Leading,
        resolution: Resolution,
        restoring: Restoring,
        strangers: Strangers,
    ) -> None:
        self._ctx = ctx
        self._fills = fills
        self._resolution = resolution
        self._leading = leading
        self._restoring = restoring
        self._strangers = strangers
        self._next_ms = 0.0
        self._strange_ms = _STRANGE_MS
        self.differences = 0

    def advance(self) -> None:
        """Read the account again when it is time."""
        ctx = self._ctx
        if ctx.book.restoring:
            self._restoring.begin()
        if ctx.now_ms >= self._next_ms:
            ctx.emit(ReadAccount(since_ms=self._leading.trades_since_ms()))
            self._next_ms = ctx.now_ms + ctx.tuning.reconcile_every_ms
        if ctx.agreement.appeared:
            self.soon(_RETRY_MS)
        ctx.wake_at(self._next_ms)

    def soon(self, delay_ms: float = 0.0) -> None:
        self._next_ms = min(self._next_ms, self._ctx.now_ms + delay_ms)

    def started(self) -> None:
        """Somebody has just asked."""
        self._next_ms = self._ctx.now_ms + self._ctx.tuning.reconcile_every_ms

    def failed(self, reason: str, credentials: bool) -> None:
        self._ctx.problems["CredentialsRefused" if credentials else EXCHANGE_UNREACHABLE] = reason
        self.soon(_RETRY_MS)

    def read(self, account: AccountRead) -> None:
        """Take in what the exchange has."""
        ctx = self._ctx
        for problem in ("CredentialsRefused", EXCHANGE_UNREACHABLE):
            ctx.problems.pop(problem, None)
        before = ctx.book.fills
        ctx.balances = {balance.asset: balance for balance in account.balances}
        if ctx.book.restoring:
            return
        self._orders(account.orders)
        listed = {name for report in account.orders for name in (report.client_order_id, report.order_id)}
        ctx.agreement.compared(ctx.book, listed, account.asked_ms)
        self._fills.take(account.trades)
        strange = self._restoring.suspect(account.trades)
        self._missing(account)
        self.differences += ctx.book.fills - before
        self._wallet()
        ctx.lead.reconciled = ctx.lead.reconciled or not strange
        if not ctx.lead.reconciled:
            self.soon(self._strange_ms)
            self._strange_ms *= 2
        if not strange and ctx.clock.error_ms(ctx.now_ms) is not None:
            ctx.compared_ms = ctx.clock.exchange_ms(account.asked_ms)

    def restored(self, event: HistoryRead) -> None:
        """The exchange told what it keeps; the account is compared once more with what is known now."""
        if self._ctx.lead.claimed:
            self._restoring.read(event)
            for report in event.orders:
                self._strangers.see(report)
            self.soon()

    def _orders(self, reports: Iterable[OrderReport]) -> None:
        self._ctx.foreign.clear()
        self._ctx.foreign_stops.clear()
        foreign = []
        for report in reports:
            if self._fills.absorb(report) is not None:
                continue
            if self._ctx.ids.is_own(report.client_order_id):
                self.differences += 1
                self._restoring.surfaced(report)
            else:
                self._ctx.foreign[report.market] += 1
                self._ctx.foreign_stops[report.market] += report.trigger is not None
                foreign.append(report)
        self._strangers.compared(foreign)

    def _missing(self, account: AccountRead) -> None:
        """Orders that the book holds for open and the exchange did not list have ended: ask how."""
        listed = {report.order_id for report in account.orders}
        for order in self._ctx.book.unsettled():
            if order.order_id in listed:
                self._resolution.listed(order)
            elif order.state in ON_BOOK and not self._younger(order, account):
                self.differences += 1
                self._resolution.miss(order)

    def _younger(self, order: Order, account: AccountRead) -> bool:
        """Whether the list may have been made before the order was there."""
        known_ms = self._ctx.known_ms.get(order.cid)
        return known_ms is not None and known_ms > account.asked_ms

    def _wallet(self) -> None:
        """The ledger's position must be in the wallet, unless something is under way."""
        ctx = self._ctx
        short = [market for market in ctx.book.ledger.held() if self._short(market)]
        if short:
            ctx.problems["BalanceShortfall"] = (
                f"the wallet holds less than the ledger in {', '.join(short)}: withdrawn, or sold by hand? "
                "Put it back, or tell the ledger with `smarttrade adopt ACCOUNT MARKET --quantity=-QUANTITY`"
            )
        else:
            ctx.problems.pop("BalanceShortfall", None)

    def _short(self, market: str) -> bool:
        ctx, filters = self._ctx, self._ctx.filters.get(market)
        if filters is None or _busy(ctx.book.unsettled(market)):
            return False
        balance = ctx.balances.get(filters.base)
        total = balance.total if balance else 0
        owed = sum(fees.get(filters.base, 0) for fees in ctx.book.owed.values())
        return total + owed + filters.lot < ctx.position(market)


def _busy(orders: list[Order]) -> bool:
    return any(not order.resting for order in orders)
