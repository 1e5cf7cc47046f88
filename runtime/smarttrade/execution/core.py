"""The protocol of execution: inputs in, effects out, on whatever clock the caller has.

What must never be broken here, each for a loss or a double that its absence caused in a trial:

* an order leaves only after its intent is durable, and only while the lease holds;
* it carries the exchange time that was pinned in the intent, so a process that slept cannot send it late;
* everything but a certain refusal leaves it Unknown; Unknown holds its exposure and its market;
* a client order id is used once;
* a new leader resolves what is open before it sends anything new on that market.

The book is changed when a record is proposed and thrown away when the lead is lost; everything that anyone
else can see waits for the log.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from smarttrade.exchange.reports import OrderKind
from smarttrade.execution import effects as fx
from smarttrade.execution.accounting import Accounting
from smarttrade.execution.amending import Amending
from smarttrade.execution.book import DEADLINE_MISSED, WOULD_MATCH, Book
from smarttrade.execution.cancelling import Cancelling
from smarttrade.execution.commands import Commands
from smarttrade.execution.context import MARKETS_REFUSED, Context, Tuning
from smarttrade.execution.decisions import Decisions
from smarttrade.execution.fees import Fees
from smarttrade.execution.fills import Fills
from smarttrade.execution.guarding import Guarding
from smarttrade.execution.halting import Halting
from smarttrade.execution.identifiers import OrderIds
from smarttrade.execution.lead import Leading
from smarttrade.execution.orders import Order, OrderState, Purpose
from smarttrade.execution.reconciliation import Reconciliation
from smarttrade.execution.records import DecisionClosed, FillRecorded, OrderIntended, OrderMoved
from smarttrade.execution.reporting import Reporting
from smarttrade.execution.resolution import Resolution
from smarttrade.execution.resting import Resting
from smarttrade.execution.restoring import Restoring
from smarttrade.execution.snapshot import encode_snapshot
from smarttrade.execution.strangers import Strangers
from smarttrade.execution.switch import Switch
from smarttrade.execution.working import Working
from smarttrade.identity import AccountIdentity
from smarttrade.messages import DecisionOutcome, EffectiveState, Outcome

_ANOTHER_LOG = "the log lost its end: it is another one than was read"
_IN_FLIGHT = (OrderState.PENDING_NEW, OrderState.UNKNOWN)
_EVERY_SECOND_MS = 1_000.0


class Core:
    """One pod's execution without its I/O; `key` is the account's for its client order ids."""

    def __init__(self, identity: AccountIdentity, holder: str, tuning: Tuning, key: bytes = b"") -> None:
        ids = OrderIds(identity, key)
        self.ctx = ctx = Context(identity=identity, ids=ids, holder=holder, tuning=tuning)
        self._key = key
        self.accounting = Accounting(ctx)
        self.switch = Switch(ctx)
        self.fees = Fees(ctx)
        self.fills = Fills(ctx, self.switch, self.fees)
        self.decisions = Decisions(ctx)
        self.resolution = Resolution(ctx, self.fills)
        self.cancelling = Cancelling(ctx, self.resolution)
        self.amending = Amending(ctx)
        self.leading = Leading(ctx, self.resolution)
        self.restoring = Restoring(ctx, self.fills)
        self.strangers = Strangers(ctx)
        self.reconciliation = Reconciliation(
            ctx, self.fills, self.leading, self.resolution, self.restoring, self.strangers
        )
        self.resting = Resting(ctx, self.decisions, self.accounting, self.cancelling, self.amending)
        self.guarding = Guarding(ctx, self.decisions, self.accounting, self.cancelling, self.resting)
        self.working = Working(
            ctx, self.decisions, self.accounting, self.cancelling, self.resting, self.guarding
        )
        self.reporting = Reporting(ctx, self.accounting)
        self.halting = Halting(ctx)
        self.commands = Commands(
            ctx, self.decisions, self.accounting, self.cancelling, self.resolution, self.halting
        )
        self._dirty: set[str] = set()
        self._followed: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._second_ms = self._clock_ms = self._filters_ms = 0.0
        self._batches = 0
        self._on: dict[type, Callable[[Any], None]] = {
            fx.ControlRead: self._control,
            fx.SnapshotRead: self._snapshot,
            fx.LogRead: self._log,
            fx.LogMissing: lambda event: ctx.emit(fx.Reload(reason=_ANOTHER_LOG)),
            fx.LogCaughtUp: self._caught_up,
            fx.LeaseGained: lambda event: self.leading.gained(event.until_ms),
            fx.LeaseRenewed: lambda event: self.leading.renewed(event.until_ms),
            fx.LeaseLost: lambda event: self.leading.lost(event.reason),
            fx.Appended: self._appended,
            fx.AppendFailed: lambda event: self.leading.lost(event.reason),
            fx.DecisionReceived: self._decision,
            fx.QuoteSeen: self._quote,
            fx.StreamSeen: self._stream,
            fx.FiltersRead: self._filters,
            fx.SendSucceeded: lambda event: self._absorb(event.report),
            fx.SendRejected: self._rejected,
            fx.SendUncertain: self._uncertain,
            fx.SendWithheld: lambda event: self._withheld(event.cid),
            fx.QueryAnswered: self._answered,
            fx.QueryFailed: lambda event: self.resolution.failed(event.cid),
            fx.CancelFailed: lambda event: self.cancelling.failed(event.cid, event.gone),
            fx.AmendFailed: lambda event: self.amending.failed(event.cid),
            fx.OrderSeen: lambda event: self._absorb(event.report),
            fx.TradesSeen: self._trades,
            fx.PriceRead: lambda event: self.fees.heard(event),
            fx.AccountRead: self._account,
            fx.HistoryRead: self._history,
            fx.HistoryReadFailed: lambda event: self.reconciliation.failed(event.reason, credentials=False),
            fx.AccountReadFailed: lambda event: self.reconciliation.failed(event.reason, event.credentials),
            fx.SwitchAnswered: lambda event: self.switch.answered(event),
            fx.ClockSampled: self._clock,
            fx.StreamBroke: lambda event: self.reconciliation.soon(),
            fx.BusDisconnected: self._bus_lost,
            fx.BusReconnected: self._bus_back,
            fx.Draining: self._drain,
            fx.PeersUnhealthy: self._peers,
            fx.MarketsRefused: lambda event: ctx.problems.update({MARKETS_REFUSED: event.reason}),
            fx.PreflightRead: self._preflight,
            fx.CommandReceived: self._command,
            fx.HaltHeard: self._halt_heard,
            fx.Tick: self._tick,
        }

    def handle(self, event: fx.Input, now_ms: float) -> list[fx.Effect]:
        """Take one input at monotonic time `now_ms`; what is to be done, in order."""
        ctx = self.ctx
        ctx.now_ms = max(now_ms, ctx.now_ms)
        self._on[type(event)](event)
        if type(event) is fx.LogRead and not event.live:
            # A whole log is read like this: nothing follows but the next record.
            performed, ctx.effects = ctx.effects, []
            return performed
        if ctx.lead.claimed:
            self._work()
        self.halting.advance()
        self.commands.advance()
        self.decisions.answer()
        self.reporting.advance()
        append = ctx.outbox.flush(ctx.lead.epoch, ctx.holder, ctx.lead.claimed_ms)
        if append is not None:
            ctx.emit(append)
        performed, ctx.effects = _with_one_timer(ctx.effects), []
        return performed

    def successor(self) -> Core:
        """A core with an empty book that knows what this one knows of the world outside the log."""
        ctx = self.ctx
        new = Core(ctx.identity, ctx.holder, ctx.tuning, self._key)
        new.ctx.now_ms, new.ctx.clock = ctx.now_ms, ctx.clock
        new.ctx.quotes, new.ctx.streams, new.ctx.filters = ctx.quotes, ctx.streams, ctx.filters
        new.ctx.generation, new.ctx.spec = ctx.generation, ctx.spec
        new.ctx.deleting, new.ctx.kill, new.ctx.refusal = ctx.deleting, ctx.kill, ctx.refusal
        new.ctx.halt, new.ctx.preflight, new.ctx.fingerprints = ctx.halt, ctx.preflight, ctx.fingerprints
        new.ctx.cleared, new.ctx.shared, new.ctx.funded = ctx.cleared, ctx.shared, ctx.funded
        new.ctx.stranger = ctx.stranger
        new.ctx.lead.draining, new.ctx.bus_lost_ms = ctx.lead.draining, ctx.bus_lost_ms
        new.decisions.counts, new.decisions.denials = self.decisions.counts, self.decisions.denials
        return new

    # --- what is done after every input ---

    def _work(self) -> None:
        self.resolution.advance()
        self.fills.chase()
        self.fees.advance()
        if self.accounting.state().state is EffectiveState.HALTED:
            self.cancelling.halt(self.ctx.book.unsettled())
        if self._dirty:
            for market in sorted(self._dirty, key=self._turn):
                self.working.advance(market)
            self._dirty.clear()
        self._periodic()
        self._save()
        if self.ctx.lead.draining:
            self._finish_draining()

    def _turn(self, market: str) -> tuple[int, str]:
        """What markets share goes to the earlier event, and of one event by the market's name."""
        book = self.ctx.book.markets.get(market)
        decided = (book.current or book.standing) if book is not None else None
        return (decided.event_time_ms if decided is not None else 0, market)

    def _periodic(self) -> None:
        ctx, tuning = self.ctx, self.ctx.tuning
        self.reconciliation.advance()
        self.switch.advance()
        if ctx.now_ms >= self._clock_ms:
            self._clock_ms = ctx.now_ms + tuning.clock_every_ms
            ctx.emit(fx.MeasureClock())
        if ctx.now_ms >= self._filters_ms:
            self._filters_ms = ctx.now_ms + tuning.filters_every_ms
            ctx.emit(fx.RefreshFilters())
        if ctx.now_ms >= self._second_ms and ctx.spec is not None and ctx.leading:
            self._second_ms = ctx.now_ms + _EVERY_SECOND_MS
            self.cancelling.forget_ended()
            self.amending.forget_ended()
            self._forget_settled()
            self._follow()
            self.accounting.observe(ctx.spec)

    def _forget_settled(self) -> None:
        if not self.ctx.known_ms:
            return
        open_ = {order.cid for order in self.ctx.book.unsettled()}
        self.ctx.known_ms = {cid: at for cid, at in self.ctx.known_ms.items() if cid in open_}
        self.ctx.sent &= open_

    def _follow(self) -> None:
        """A market that was taken out of the specification stays in sight while it holds anything."""
        ctx = self.ctx
        if ctx.spec is None:
            return
        listed = tuple(sorted(market.symbol for market in ctx.spec.markets))
        used = {order.market for order in ctx.book.unsettled()} | set(ctx.book.ledger.held())
        ctx.left = tuple(sorted(used.difference(listed)))
        for market in ctx.left:
            ctx.streams.pop(market, None)
        if self._followed != (listed, ctx.left):
            self._followed = (listed, ctx.left)
            ctx.emit(fx.FollowMarkets(listed=listed, left=ctx.left))

    def _save(self, *, force: bool = False) -> None:
        """A snapshot is taken between two batches only, when book and log say the same."""
        ctx = self.ctx
        if ctx.outbox.idle and (force or self._batches >= ctx.tuning.snapshot_every):
            self._batches = 0
            payload = encode_snapshot(ctx.book.snapshot(ctx.outbox.sequence, ctx.outbox.batch_id))
            sequence, batch_id = ctx.outbox.sequence, ctx.outbox.batch_id
            ctx.emit(fx.SaveSnapshot(payload=payload, up_to=sequence, batch_id=batch_id))

    def _finish_draining(self) -> None:
        ctx = self.ctx
        moving = [o for o in ctx.book.unsettled() if o.state in _IN_FLIGHT or o.kind is OrderKind.LIMIT_IOC]
        if not moving and ctx.outbox.idle and not ctx.lead.released:
            self._save(force=True)
            self.leading.hand_over("draining")

    def _all_dirty(self) -> None:
        self._dirty.update(self.ctx.book.markets)
        if self.ctx.spec is not None:
            self._dirty.update(market.symbol for market in self.ctx.spec.markets)

    # --- inputs ---

    def _control(self, event: fx.ControlRead) -> None:
        ctx = self.ctx
        ctx.refusal = event.refusal
        ctx.generation, ctx.spec = event.generation, event.spec
        ctx.deleting, ctx.kill = event.deleting, event.kill
        ctx.cleared, ctx.shared = event.cleared, event.shared
        self._second_ms = 0.0
        self._follow()
        if ctx.lead.holding and not (ctx.lead.claimed or ctx.lead.claiming):
            self.leading.claim()
        self._all_dirty()

    def _snapshot(self, event: fx.SnapshotRead) -> None:
        self.ctx.book = Book.restore(event.snapshot)
        self.ctx.known_ms = {order.cid: self.ctx.now_ms for order in self.ctx.book.unsettled()}
        self.ctx.outbox.sequence = event.snapshot.sequence
        self.ctx.outbox.batch_id = self.ctx.outbox.seen_id = event.snapshot.batch_id

    def _caught_up(self, event: fx.LogCaughtUp) -> None:
        self.ctx.lead.caught_up = True

    def _log(self, event: fx.LogRead) -> None:
        outbox, batch = self.ctx.outbox, event.batch
        if event.sequence == outbox.sequence:
            if event.live and batch.id != outbox.seen_id:
                self.ctx.emit(fx.Reload(reason=_ANOTHER_LOG))
            return
        if batch.after not in (-1, outbox.sequence):
            self.ctx.emit(fx.Reload(reason="the log was compacted behind a snapshot that was not read"))
            return
        strange = batch.previous and outbox.batch_id and batch.previous != outbox.batch_id
        if strange and event.live:
            self.ctx.emit(fx.Reload(reason=_ANOTHER_LOG))
            return
        outbox.sequence, outbox.seen_id = event.sequence, batch.id
        if strange:
            text = f"a leader of a log that is lost wrote batch {batch.id}: it is not followed"
            self.ctx.problems["ForkedLog"] = text
            return
        outbox.batch_id = batch.id
        for record in event.batch.records:
            self.ctx.book.apply(record)
            if isinstance(record, OrderIntended):
                self.ctx.known_ms[record.cid] = self.ctx.now_ms
            if event.live:
                self._pass_on(record)

    def _pass_on(self, record: object) -> None:
        """The standby's strategy learns of fills and outcomes too."""
        if isinstance(record, FillRecorded):
            self.ctx.emit(fx.Publish(message=record.fill))
        elif isinstance(record, DecisionClosed):
            outcome = DecisionOutcome(
                id=record.id,
                market=record.market,
                outcome=record.outcome,
                code=record.code,
                message=record.message,
                time_ms=record.time_ms,
            )
            self.ctx.emit(fx.Publish(message=outcome))

    def _appended(self, event: fx.Appended) -> None:
        ctx = self.ctx
        self._batches += 1
        if ctx.lead.claiming:
            self.leading.claimed()
            self.reconciliation.started()
        for effect in ctx.outbox.acknowledged(event.sequence):
            if isinstance(effect, fx.Send | fx.SendPair):
                self._let_go(effect)
            else:
                ctx.emit(effect)

    def _let_go(self, effect: fx.Send | fx.SendPair) -> None:
        """The intent is durable: send, unless meanwhile the lease or the deadline has run out, or the account
        was halted."""
        legs = (effect,) if isinstance(effect, fx.Send) else effect.legs
        halted = self.accounting.state().state is EffectiveState.HALTED
        if self.ctx.lease_holds and self.ctx.now_ms < legs[0].leave_by_ms and not halted:
            self.ctx.sent.update(leg.cid for leg in legs)
            self.ctx.emit(effect)
        else:
            for leg in legs:
                self._withheld(leg.cid)

    def _decision(self, event: fx.DecisionReceived) -> None:
        if self.decisions.receive(event.decision, event.token):
            self._dirty.add(event.decision.market)

    def _quote(self, event: fx.QuoteSeen) -> None:
        market = event.quote.market
        self.ctx.quotes[market] = (event.quote, self.ctx.now_ms)
        book = self.ctx.book.markets.get(market)
        if book is not None and (book.current is not None or market in self.ctx.watched):
            self._dirty.add(market)

    def _stream(self, event: fx.StreamSeen) -> None:
        self.ctx.streams[event.market] = (event.fresh, self.ctx.now_ms)

    def _filters(self, event: fx.FiltersRead) -> None:
        self.ctx.filters = {filters.market: filters for filters in event.filters}
        self.ctx.problems.pop(MARKETS_REFUSED, None)
        if not all(filters.active for filters in event.filters):
            self._filters_ms = min(self._filters_ms, self.ctx.now_ms + self.ctx.tuning.suspended_every_ms)
        self._all_dirty()

    def _absorb(self, report: Any) -> None:
        order = self.fills.absorb(report)
        if order is None and self.ctx.lead.claimed:
            self.restoring.surfaced(report)
            self.strangers.see(report)
            self.switch.see(report)
        elif order is not None:
            self._dirty.add(order.market)
            if order.purpose is Purpose.PROTECTIVE and not order.ended:
                self.guarding.accepted(order)

    def _rejected(self, event: fx.SendRejected) -> None:
        ctx, order = self.ctx, self.ctx.book.orders.get(event.cid)
        if order is None or not ctx.lead.claimed or order.state not in _IN_FLIGHT:
            return
        ctx.record(
            OrderMoved(
                cid=order.cid,
                state=OrderState.REJECTED,
                order_id="",
                filled=order.filled,
                time_ms=ctx.exchange_ms,
                code=event.code,
                message=event.message,
            )
        )
        self._dirty.add(order.market)
        if event.code == DEADLINE_MISSED:
            ctx.clock.distrust()
            ctx.emit(fx.MeasureClock())
            ctx.resume_ms[order.market] = ctx.now_ms + ctx.tuning.residual_backoff_ms
        else:
            self._refused(order, event.code, event.message)

    def _refused(self, order: Order, code: str, message: str) -> None:
        """A certain refusal ends the decision; one for its price only is tried again at another price."""
        ctx = self.ctx
        ctx.emit(fx.RefreshFilters())
        current = ctx.book.market(order.market).current
        if order.purpose is Purpose.PROTECTIVE:
            self.guarding.refuse(order, code)
        elif order.purpose is Purpose.RESTING:
            self.resting.refuse(order, code, message)
        elif code == WOULD_MATCH:
            self.working.passed_over(order.market)
        elif current is not None and current.id == order.decision_id:
            self.decisions.close(current, Outcome.REJECTED, code, message)

    def _uncertain(self, event: fx.SendUncertain) -> None:
        order = self.ctx.book.orders.get(event.cid)
        if order is not None and self.ctx.lead.claimed:
            self.resolution.doubt(order)

    def _withheld(self, cid: str) -> None:
        """The order did not leave this process, and nobody else may send it: it is void."""
        order = self.ctx.book.orders.get(cid)
        if order is not None and self.ctx.lead.claimed and order.state is OrderState.PENDING_NEW:
            self.resolution.void(order, "Withheld")
            self._dirty.add(order.market)

    def _answered(self, event: fx.QueryAnswered) -> None:
        self.resolution.answered(event.cid, event.report, event.asked_ms)
        order = self.ctx.book.orders.get(event.cid)
        if order is not None:
            self._dirty.add(order.market)

    def _trades(self, event: fx.TradesSeen) -> None:
        self.fills.take(event.trades)
        self._dirty.update(trade.market for trade in event.trades)

    def _account(self, event: fx.AccountRead) -> None:
        if self.ctx.lead.claimed:
            self.reconciliation.read(event)
            self._all_dirty()

    def _history(self, event: fx.HistoryRead) -> None:
        self.reconciliation.restored(event)
        self._all_dirty()

    def _clock(self, event: fx.ClockSampled) -> None:
        """A sample that took too long to tell the time by is soon followed by another."""
        ctx = self.ctx
        ctx.clock.sample(event.sent_ms, event.received_ms, event.exchange_ms)
        if not ctx.knows_clock:
            self._clock_ms = min(self._clock_ms, ctx.now_ms + _EVERY_SECOND_MS)
            ctx.wake_at(self._clock_ms)
        self._all_dirty()

    def _bus_lost(self, event: fx.BusDisconnected) -> None:
        self.ctx.bus_lost_ms = self.ctx.bus_lost_ms or self.ctx.now_ms
        if self.ctx.spec is not None:
            self.ctx.wake_at(self.ctx.now_ms + self.ctx.spec.on_bus_loss.after.seconds * 1000)

    def _bus_back(self, event: fx.BusReconnected) -> None:
        self.ctx.bus_lost_ms = None

    def _drain(self, event: fx.Draining) -> None:
        self.ctx.lead.draining = True

    def _peers(self, event: fx.PeersUnhealthy) -> None:
        if self.ctx.lead.claimed and self.ctx.tuning.replicas > 1:
            self.leading.hand_over(event.reason, backoff_ms=5_000)

    def _preflight(self, event: fx.PreflightRead) -> None:
        self.ctx.preflight = event.findings
        self.ctx.fingerprints = event.fingerprints or self.ctx.fingerprints
        self._all_dirty()

    def _command(self, event: fx.CommandReceived) -> None:
        self.commands.receive(event)
        self._all_dirty()

    def _halt_heard(self, event: fx.HaltHeard) -> None:
        self.halting.hear(event)
        self._all_dirty()

    def _tick(self, event: fx.Tick) -> None:
        self._all_dirty()
        ctx = self.ctx
        if ctx.bus_lost_ms is None or ctx.spec is None or ctx.spec.on_bus_loss.do != "CancelResting":
            return
        if not ctx.lead.claimed:
            return
        if ctx.now_ms - ctx.bus_lost_ms >= ctx.spec.on_bus_loss.after.seconds * 1000:
            mine = [o for o in ctx.book.unsettled() if o.purpose is not Purpose.PROTECTIVE]
            self.cancelling.request_all(o for o in mine if o.kind is not OrderKind.LIMIT_IOC)


_at_ms = attrgetter("at_ms")


def _with_one_timer(performed: list[fx.Effect]) -> list[fx.Effect]:
    """Only the earliest timer matters: its tick sets the next."""
    timers: list[fx.SetTimer] = []
    rest: list[fx.Effect] = []
    for effect in performed:
        if isinstance(effect, fx.SetTimer):
            timers.append(effect)
        else:
            rest.append(effect)
    if timers:
        rest.append(min(timers, key=_at_ms))
    return rest
