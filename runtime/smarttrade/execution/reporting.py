"""Tells the strategy, the operator and the user how things stand: on change, and as a heartbeat."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from smarttrade.api import Mode
from smarttrade.execution.accounting import Accounting
from smarttrade.execution.context import MARKETS_REFUSED, Context
from smarttrade.execution.effects import Publish
from smarttrade.execution.equity import Valuation
from smarttrade.execution.fees import FEE_UNVALUED
from smarttrade.execution.orders import OrderState
from smarttrade.execution.preflight import build_check
from smarttrade.execution.protection import smallest
from smarttrade.execution.reconciliation import EXCHANGE_UNREACHABLE
from smarttrade.execution.restoring import LOG_LOST
from smarttrade.execution.switch import HELD_BACK
from smarttrade.messages import AccountView, Check, EffectiveState, ExecutionReport, Position

_VIEW_EVERY_MS = 1_000.0
_UNPROTECTED_AFTER_MS = 1_000
_FILLS_EVERY_MS = 100.0
"""Fills alone are reported together: a fast account would send the operator hundreds of reports a second."""


class Reporting:
    """AccountView and ExecutionReport."""

    def __init__(self, ctx: Context, accounting: Accounting) -> None:
        self._ctx = ctx
        self._accounting = accounting
        self._view_due_ms = 0.0
        self._report_due_ms = self._reported_ms = 0.0
        self._last_view: tuple[object, ...] = ()
        self._last_report: tuple[object, ...] = ()

    def advance(self) -> None:
        """Publish what changed, or what is due; nothing from a book that is still being read."""
        ctx = self._ctx
        if ctx.spec is None or not (ctx.tuning.reports and ctx.lead.caught_up):
            return
        state = self._accounting.state().state
        seen = (self._decides, ctx.lead.epoch, state, ctx.book.fills)
        view_due, report_due = ctx.now_ms >= self._view_due_ms, ctx.now_ms >= self._report_due_ms
        if not (view_due or report_due or seen != self._last_view):
            return
        valuation, positions = self._accounting.valuation(), self.positions()
        if view_due or seen != self._last_view:
            self._last_view, self._view_due_ms = seen, ctx.now_ms + _VIEW_EVERY_MS
            ctx.emit(Publish(message=self._view(state, valuation, positions)))
        report = self.report(state, valuation, positions)
        essence = (report.generation, report.leading, state, report.checks, report.breach_id, report.fills)
        if not report_due and essence[:-1] == self._last_report[:-1] and essence != self._last_report:
            self._report_due_ms = min(self._report_due_ms, self._reported_ms + _FILLS_EVERY_MS)
            report_due = ctx.now_ms >= self._report_due_ms
            ctx.wake_at(self._report_due_ms)
        if report_due or essence[:-1] != self._last_report[:-1]:
            self._last_report, self._reported_ms = essence, ctx.now_ms
            self._report_due_ms = ctx.now_ms + ctx.tuning.report_every_ms
            ctx.emit(Publish(message=report))

    def look(self) -> AccountView:
        """The account as it is now, for who asks instead of being told (`Tuning.reports` off)."""
        state = self._accounting.state().state
        return self._view(state, self._accounting.valuation(), self.positions())

    @property
    def _decides(self) -> bool:
        """Whether the strategy of this pod is listened to: not before a new log was compared."""
        return self._ctx.leading and not self._ctx.book.restoring

    def positions(self) -> list[Position]:
        ledger, quotes = self._ctx.book.ledger, self._ctx.quotes
        found = []
        for market in ledger.markets:
            holding, held = ledger.holding(market), quotes.get(market)
            found.append(
                Position(
                    market=market,
                    quantity=holding.quantity,
                    average_price=holding.average_price,
                    realized_pnl=holding.realized_pnl,
                    unrealized_pnl=holding.unrealized(held[0].bid) if held else Decimal(0),
                    opened_ms=holding.opened_ms,
                )
            )
        return found

    def report(
        self, state: EffectiveState, valuation: Valuation, positions: list[Position]
    ) -> ExecutionReport:
        ctx, breach = self._ctx, self._ctx.book.losses.breach
        orders = ctx.book.unsettled()
        return ExecutionReport(
            pod=ctx.holder,
            generation=ctx.generation,
            leading=ctx.leading,
            epoch=ctx.book.epoch,
            effective_state=state,
            equity=valuation.equity,
            realized_pnl=valuation.realized,
            unrealized_pnl=valuation.unrealized,
            open_orders=len(orders),
            unknown_orders=sum(order.state is OrderState.UNKNOWN for order in orders),
            fills=ctx.book.fills,
            positions=positions,
            checks=self.checks(),
            as_of_ms=ctx.exchange_ms,
            breach_id=breach.id if breach else "",
            breach_reason=breach.reason if breach else "",
            breach_time_ms=breach.time_ms if breach else 0,
            fingerprints=ctx.fingerprints,
        )

    def checks(self) -> list[Check]:
        """Verdicts that become conditions; a standby says only what it knows."""
        ctx = self._ctx
        checks = [self._within_risk(), self._config(), *self._log_lost()]
        if ctx.lead.claimed:
            checks += [self._reconciled(), self._credentials(), *self._unprotected(), *self._flattened()]
            checks += [*self._told(FEE_UNVALUED, "NoPrice"), *self._told(HELD_BACK, "ForeignOrders")]
        preflight = build_check(ctx)
        if preflight is not None:
            checks.append(preflight)
        if ctx.deleting:
            checks.append(self._settled())
        return checks

    def _within_risk(self) -> Check:
        breach = self._ctx.book.losses.breach
        if breach is None:
            return Check(type="WithinRisk", ok=True, reason="WithinLimits")
        message = f"{breach.id}: the account is {breach.effect} until spec.acknowledgedBreach names it"
        return Check(type="WithinRisk", ok=False, reason=breach.reason, message=message)

    def _log_lost(self) -> Iterator[Check]:
        breach = self._ctx.book.losses.breach
        if breach is not None and breach.reason == LOG_LOST:
            message = (
                "the exchange keeps orders of this account that its log does not know: positions are as far "
                "as the exchange remembers. Compare them with the exchange, then set spec.acknowledgedBreach "
                f"to {breach.id}; losses count anew from there"
            )
            yield Check(type=LOG_LOST, ok=True, reason="Paused", message=message)

    def _flattened(self) -> Iterator[Check]:
        """What Flatten could not sell, and why."""
        ctx = self._ctx
        held = [market for market in ctx.book.ledger.held() if ctx.position(market) > 0]
        if self._accounting.state().state is not EffectiveState.FLATTEN:
            return
        if not held:
            yield Check(type="Flattened", ok=True, reason="Flat")
            return
        told = [f"{ctx.position(market):f} of {market}: {self._why_held(market)}" for market in held]
        yield Check(type="Flattened", ok=False, reason="Holding", message="; ".join(told))

    def _why_held(self, market: str) -> str:
        ctx = self._ctx
        filters, held = ctx.filters.get(market), ctx.quotes.get(market)
        if filters is None or held is None:
            return "the market has no price or no rules yet"
        if ctx.position(market) < smallest(held[0].bid, filters):
            return "less than the exchange takes in one order"
        last = ctx.exits.get(market)
        return last if last and ctx.book.market(market).current is None else "being sold"

    def _unprotected(self) -> Iterator[Check]:
        """A moment without protection belongs to every change of it; what lasts is told, since when."""
        ctx = self._ctx
        bare = {
            market: each
            for market, each in sorted(ctx.unprotected.items())
            if ctx.exchange_ms - each.since_ms >= _UNPROTECTED_AFTER_MS
        }
        if bare:
            told = [
                f"{each.quantity:f} of {market} since {_instant(each.since_ms)} ({each.reason})"
                for market, each in bare.items()
            ]
            reason = next(iter(bare.values())).reason
            yield Check(type="Unprotected", ok=True, reason=reason, message="; ".join(told))

    def _told(self, problem: str, reason: str) -> Iterator[Check]:
        """A problem that is a condition of its own, while there is one."""
        message = self._ctx.problems.get(problem)
        if message:
            yield Check(type=problem, ok=True, reason=reason, message=message)

    def _config(self) -> Check:
        refusal = self._ctx.refusal or self._ctx.problems.get(MARKETS_REFUSED)
        if refusal:
            return Check(type="ConfigApplied", ok=False, reason="Refused", message=refusal)
        if self._ctx.kill:
            message = "the platform's kill switch is thrown: every account is Halted until it is released"
            return Check(type="ConfigApplied", ok=True, reason="Applied", message=message)
        if self._ctx.left:
            message = (
                f"{', '.join(self._ctx.left)} is not in spec.markets any more and holds an order or "
                "a position: it is ReduceOnly; `smarttrade close` sells what is held"
            )
            return Check(type="ConfigApplied", ok=True, reason="Applied", message=message)
        return Check(type="ConfigApplied", ok=True, reason="Applied")

    def _reconciled(self) -> Check:
        ctx = self._ctx
        since = {**ctx.untold, **{cid: probe.since_ms for cid, probe in ctx.probes.items()}}
        unknown = [
            cid for cid, since_ms in since.items() if ctx.now_ms - since_ms > ctx.tuning.unknown_alarm_ms
        ]
        if unknown:
            message = (
                f"the exchange does not tell the fate, or the fills, of {', '.join(unknown)}: look at its "
                "order history, then `smarttrade order resolve ACCOUNT ID --not-placed` or "
                "`--filled QUANTITY`"
            )
            return Check(type="Reconciled", ok=False, reason="OrdersUnknown", message=message)
        for hold in self._accounting.holds():
            return Check(type="Reconciled", ok=False, reason=hold.code, message=hold.message)
        unreachable = ctx.problems.get(EXCHANGE_UNREACHABLE)
        if unreachable:
            return Check(type="Reconciled", ok=False, reason=EXCHANGE_UNREACHABLE, message=unreachable)
        message = "; ".join(f"{reason}: {told}" for reason, told in ctx.agreement.seen.items())
        return Check(type="Reconciled", ok=True, reason="InAgreement", message=message)

    def _credentials(self) -> Check:
        if self._ctx.spec is not None and self._ctx.spec.mode is Mode.PAPER:
            return Check(type="CredentialsValid", ok=True, reason="NotNeeded")
        refused = self._ctx.problems.get("CredentialsRefused")
        if refused:
            return Check(type="CredentialsValid", ok=False, reason="Refused", message=refused)
        if not self._ctx.lead.reconciled:
            return Check(type="CredentialsValid", ok=False, reason="NotYetUsed")
        return Check(type="CredentialsValid", ok=True, reason="Accepted")

    def _settled(self) -> Check:
        """Whether the deletion policy is done: what stays is named, because nobody will look after it."""
        ctx = self._ctx
        if not ctx.lead.reconciled:
            return Check(type="Settled", ok=False, reason="NotReconciled")
        orders = ctx.book.unsettled()
        retained = ctx.spec is not None and ctx.spec.deletion_policy == "Retain"
        pending = [order for order in orders if not (retained and order.resting)]
        if pending or any(True for _ in ctx.book.open_decisions()):
            return Check(type="Settled", ok=False, reason="Working", message=f"{len(pending)} orders to go")
        held = ", ".join(f"{p.quantity} {p.market.partition('/')[0]}" for p in self.positions() if p.quantity)
        return Check(type="Settled", ok=True, reason="Done", message=f"left: {held}" if held else "")

    def _view(self, state: EffectiveState, valuation: Valuation, positions: list[Position]) -> AccountView:
        ctx = self._ctx
        exposure = self._accounting.exposure()
        used = sum((p.quantity * p.average_price for p in positions), Decimal(0)) + exposure.buy_cost
        return AccountView(
            leading=self._decides,
            epoch=ctx.book.epoch,
            effective_state=state,
            currency=ctx.spec.capital.currency if ctx.spec else "",
            equity=valuation.equity,
            available=max(valuation.allocation + valuation.realized - used, Decimal(0)),
            positions=positions,
            time_ms=ctx.exchange_ms,
            memory=ctx.book.memory,
        )


def _instant(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
