"""Takes the lead, keeps it, and lets go of it.

Lease for liveness, epoch record for the fence: a pod leads when it holds the lease *and* its epoch record,
compare-and-swapped onto the end of the log that it has read, is durable. From then on every older leader's
append fails. What the old leader left open is resolved before anything new is sent on that market.
"""

from __future__ import annotations

from smarttrade.execution.context import Context
from smarttrade.execution.effects import MeasureClock, ReadAccount, RefreshFilters, ReleaseLease, Reload
from smarttrade.execution.records import EpochStarted, LedgerOpened
from smarttrade.execution.resolution import Resolution


class Leading:
    """The lead of this pod."""

    def __init__(self, ctx: Context, resolution: Resolution) -> None:
        self._ctx = ctx
        self._resolution = resolution
        self._known_until_ms = 0

    def gained(self, until_ms: float) -> None:
        """The lease is ours; claim the log."""
        lead = self._ctx.lead
        lead.holding, lead.caught_up, lead.lease_until_ms = True, True, until_ms
        if not lead.claiming and not lead.claimed:
            self.claim()

    def renewed(self, until_ms: float) -> None:
        self._ctx.lead.lease_until_ms = until_ms
        if not self._ctx.lead.claiming and not self._ctx.lead.claimed:
            self.claim()

    def claim(self) -> None:
        """Write the epoch record, once there is a specification to open the ledger with, and under a lease
        that has not lapsed meanwhile: another pod may lead by then, and would be fenced off."""
        ctx, lead = self._ctx, self._ctx.lead
        if ctx.spec is None or not ctx.lease_holds or lead.released:
            return
        lead.claiming, lead.epoch = True, ctx.book.epoch + 1
        lead.claimed_ms, self._known_until_ms = ctx.exchange_ms, ctx.book.last_ms
        ctx.record(EpochStarted(epoch=lead.epoch, holder=ctx.holder, time_ms=ctx.exchange_ms))
        if not ctx.book.opened:
            self._open_ledger()

    def claimed(self) -> None:
        """The epoch is durable: find out what is open, on the exchange and in the log."""
        ctx = self._ctx
        ctx.lead.claiming, ctx.lead.claimed = False, True
        for order in ctx.book.unsettled():
            self._resolution.doubt(order)
        ctx.emit(MeasureClock(), ReadAccount(since_ms=self.trades_since_ms()))
        if not ctx.filters:
            ctx.emit(RefreshFilters())

    def lost(self, reason: str) -> None:
        """Another leads, or may lead: everything here may be wrong."""
        self._ctx.lead.released = True
        self._ctx.emit(ReleaseLease(reason=reason), Reload(reason=reason))

    def hand_over(self, reason: str, backoff_ms: int = 0) -> None:
        """Give the lease away, once."""
        if self._ctx.lead.released:
            return
        self._ctx.lead.released = True
        self._ctx.emit(ReleaseLease(reason=reason, backoff_ms=backoff_ms), Reload(reason=reason))

    def trades_since_ms(self) -> int:
        """From when on trades may be missing: a while before the last comparison; before the first, since the
        oldest order that is not settled, or the end of the log that was taken over; 0 (the exchange's newest
        trades) while its clock is not known."""
        ctx = self._ctx
        if ctx.clock.error_ms(ctx.now_ms) is None:
            return 0
        if ctx.lead.reconciled and ctx.compared_ms:
            oldest = ctx.compared_ms
        else:
            unsettled = (order.deadline_ms for order in ctx.book.unsettled())
            oldest = min([self._known_until_ms, *unsettled])
        return max(min(oldest, ctx.exchange_ms) - ctx.tuning.trade_lookback_ms, 0)

    def _open_ledger(self) -> None:
        spec = self._ctx.spec
        if spec is None:
            return
        adopted = tuple((p.symbol, p.quantity, p.average_price) for p in spec.capital.initial_positions)
        self._ctx.record(
            LedgerOpened(
                currency=spec.capital.currency,
                allocation=spec.capital.allocation,
                positions=adopted,
                time_ms=self._ctx.exchange_ms,
                restoring=self._ctx.tuning.restores,
            )
        )
