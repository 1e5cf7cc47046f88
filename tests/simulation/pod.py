"""One pod: the real core, and around it what `service`, `leadership` and `exchange_link` do, on virtual time.

Its monotonic clock drifts and may lose time; it may be paused, which delays everything that happens to it,
or crash, which loses everything but the log. Answers of the exchange go to whichever core is current.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from smarttrade.api import TradingAccountSpec
from smarttrade.execution import effects as fx
from smarttrade.execution.context import Tuning
from smarttrade.execution.core import Core
from smarttrade.execution.records import RECORD_VERSION
from smarttrade.execution.snapshot import SNAPSHOT_VERSION, decode_snapshot
from smarttrade.identity import AccountIdentity
from smarttrade.messages import AccountView, Answer, Decision, DecisionReply, Target
from tests.simulation.plan import Fault
from tests.simulation.venue import FILTERS, build_quote

if TYPE_CHECKING:
    from tests.simulation.world import World

IDENTITY = AccountIdentity("install", "alice", "alice")
SELF_FENCE_MS = 700.0
RENEW_MS = 250.0
TRY_MS = 100.0
FOLLOW_MS = 300.0
HEARTBEAT_MS = 500.0
QUOTES_MS = 2_000.0
RETRY_MS = 200.0
ASIDE_MS = 5_000.0
REPLY_TIMEOUT_MS = 1_500.0
SILENCE = object()
"""The exchange took the request and gave no answer."""


class Pod:
    """A replica that can be hurt. `cut` names what it cannot reach now: `bus`, `exchange`."""

    def __init__(self, world: World, index: int) -> None:
        self.world, self.index, self.name = world, index, f"pod-{index}"
        self.drift = world.draw.uniform(-80e-6, 80e-6)
        self.base_ms = world.draw.uniform(1_000, 10_000_000)
        self.lost_ms = 0.0
        self.slept_until_ms = -1e9
        self.cut: set[str] = set()
        self.paused_until = 0.0
        self.alive = False
        self.older = index in world.plan.older
        """Whether it runs the version before this one, as far as the log is concerned."""
        self.life = 0
        self._backlog: list[Callable[[], None]] = []
        self.start()

    # --- life ---

    def start(self) -> None:
        self.alive, self.life, self.paused_until, self._backlog = True, self.life + 1, 0.0, []
        self.core: Core = self._aged(self.world.safeguards.build_core(IDENTITY, self.name, self._tuning()))
        self.caught_up, self._tick_at = False, float("inf")
        self._failing_since: float | None = None
        self._not_before, self._disconnected = 0.0, False
        self.lease_until, self._revision, self._leading_view = 0.0, 0, False
        self._newest: dict[str, Decision] = {d.market: d for d in self.world.decisions.values()}
        self._answered: dict[str, str] = {}
        self._asked: dict[str, float] = {}
        self._token = 0
        self._waiting: dict[int, Decision] = {}
        self.after(self.delay(), self._boot)

    def _boot(self) -> None:
        generation, spec, kill = self.world.control[0], self.world.spec_of(self), self.world.control[2]
        self.feed(fx.ControlRead(generation=generation, spec=spec, kill=kill))
        self.feed(fx.FiltersRead(filters=FILTERS))
        self._measure()
        self._quotes()
        self._heartbeat()
        self._read_all()

    def crash(self, for_ms: float) -> None:
        """Everything that is not in the log is gone; the pod starts again later."""
        if not self.alive:
            return
        self.alive = False
        self.life += 1
        self.world.clockwork.after(max(for_ms, 50), self.start)

    def pause(self, for_ms: float) -> None:
        """SIGSTOP, or a long collection: clocks go on."""
        self.paused_until = max(self.paused_until, self.world.clockwork.now_ms + for_ms)
        life = self.life
        self.world.clockwork.at(self.paused_until, lambda: self._resume(life))

    def suspend(self, for_ms: float) -> None:
        """The machine sleeps: its monotonic clock loses the time."""
        self.lost_ms += for_ms
        self.slept_until_ms = max(self.slept_until_ms, self.world.clockwork.now_ms + for_ms)
        self.pause(for_ms)

    def _resume(self, life: int) -> None:
        if life != self.life or self.world.clockwork.now_ms < self.paused_until:
            return
        backlog, self._backlog = self._backlog, []
        for number, step in enumerate(backlog):
            if life != self.life:
                return
            if self.paused:
                self._backlog += backlog[number:]
                return
            step()

    @property
    def paused(self) -> bool:
        return self.world.clockwork.now_ms < self.paused_until

    @property
    def mono_ms(self) -> float:
        return self.base_ms + (self.world.clockwork.now_ms - self.lost_ms) * (1 + self.drift)

    def delay(self) -> float:
        return self.world.draw.uniform(0.3, 6.0)

    def after(self, delay_ms: float, step: Callable[[], None]) -> None:
        """A step of this life of the pod: not if it has crashed, later if it is paused."""
        if not self.alive:
            return
        life = self.life

        def run() -> None:
            if life != self.life or not self.alive:
                return
            if self.paused:
                self._backlog.append(step)
            else:
                step()

        self.world.clockwork.after(delay_ms, run)

    # --- inputs and effects ---

    def feed(self, event: fx.Input) -> None:
        if not self.alive:
            return
        self.perform(self.world.step(self, event))

    def perform(self, effects: list[fx.Effect]) -> None:
        """In order; a fault may strike before or after each of them."""
        life = self.life
        for number, effect in enumerate(effects):
            self.world.strike(self, effect)
            if life != self.life:
                return
            if self.paused:
                self._backlog.append(partial(self._resume_effects, effects[number:]))
                return
            self._one(effect)
            self.world.strike_after(self, effect)
            if life != self.life:
                return

    def _resume_effects(self, effects: list[fx.Effect]) -> None:
        self._one(effects[0])
        self.perform(effects[1:])

    def _one(self, effect: fx.Effect) -> None:
        match effect:
            case fx.SetTimer():
                self._wake_at(effect.at_ms)
            case fx.Append():
                self._append(effect, self.core)
            case fx.Send():
                self._send(effect, (effect,))
            case fx.SendPair():
                self._send(effect, effect.legs)
            case fx.ReadHistory():
                self._read_history()
            case fx.Query():
                self._query(effect)
            case fx.Cancel():
                self._cancel(effect)
            case fx.Amend():
                self._amend(effect)
            case fx.FetchTrades():
                self._fetch_trades(effect)
            case fx.ReadAccount():
                self._read_account(effect)
            case fx.MeasureClock():
                self._measure()
            case fx.RefreshFilters():
                self.after(self.delay(), lambda: self.feed(fx.FiltersRead(filters=FILTERS)))
            case fx.Reply():
                self.world.checks.answered(effect.reply)
                decision = self._waiting.pop(effect.token, None)
                if decision is not None:
                    self.after(self.delay(), lambda: self._replied(decision, effect))
            case fx.Publish():
                if isinstance(effect.message, AccountView):
                    leading = effect.message.leading
                    self.after(self.delay(), lambda: self._viewed(leading))
            case fx.SaveSnapshot():
                self._bus(lambda: self.world.save(effect), lambda _: None)
            case fx.ReleaseLease():
                self._not_before = self.mono_ms + effect.backoff_ms
                self._release()
            case fx.Reload():
                self._reload()

    def _wake_at(self, at_ms: float) -> None:
        at = max(at_ms, self.mono_ms + 1)
        if self.mono_ms < self._tick_at <= at:
            return
        self._tick_at = at
        self.after(at - self.mono_ms, lambda: self._tick(at))

    def _tick(self, at: float) -> None:
        if self._tick_at == at:
            self._tick_at = float("inf")
            self.feed(fx.Tick())

    def _heartbeat(self) -> None:
        connected = "bus" not in self.cut and not self.world.bus_down
        if connected is self._disconnected:
            self._disconnected = not connected
            self.feed(fx.BusReconnected() if connected else fx.BusDisconnected())
        failing = self._failing_since
        if failing is not None and self.mono_ms - failing > 3_000:
            self._failing_since = self.mono_ms
            self.feed(fx.PeersUnhealthy(reason="the exchange cannot be reached"))
        self.feed(fx.Tick())
        self.after(HEARTBEAT_MS, self._heartbeat)

    def _quotes(self) -> None:
        for market in self.world.markets:
            self.feed(fx.QuoteSeen(quote=build_quote(market, self.world.venue.time_ms)))
        self.after(QUOTES_MS, self._quotes)

    def control(self, generation: int, spec: TradingAccountSpec, kill: bool) -> None:
        self.after(
            self.delay(), lambda: self.feed(fx.ControlRead(generation=generation, spec=spec, kill=kill))
        )

    def _tuning(self) -> Tuning:
        tuning = self.world.tuning
        return msgspec.structs.replace(tuning, restores=False, amends=False) if self.older else tuning

    def _aged(self, core: Core) -> Core:
        """An older version denies what it cannot protect, does not look for what a log has lost, and writes
        nothing that it has no record for."""
        if self.older:
            core.guarding._remember = lambda market, since_ms: None
            core.fills._tell = lambda order, told: None
            refusal = core.decisions._refusal

            def refused(decision: Decision) -> DecisionReply | None:
                want, found = decision.want, refusal(decision)
                if (
                    not isinstance(want, Target)
                    or want.stop_loss is want.take_profit is want.trailing_stop is None
                ):
                    return found
                return found or DecisionReply(
                    id=decision.id, answer=Answer.DENIED, code="ProtectionNotSupported"
                )

            core.decisions._refusal = refused  # type: ignore[method-assign]
            core.restoring.suspect = lambda trades: False  # type: ignore[method-assign]
            core.restoring.surfaced = lambda report: None  # type: ignore[method-assign]
        return core

    def _reads(self, version: int, newest: int = RECORD_VERSION) -> bool:
        """Whether it understands what is in the log; if not it stands aside."""
        return version <= (1 if self.older else newest)

    def _stand_aside(self) -> None:
        self.world.coverage["older version stands aside"] += 1
        self._not_before = self.mono_ms + ASIDE_MS
        self._release()

    # --- the bus ---

    def _bus(self, request: Callable[[], object], answer: Callable[[object], None]) -> None:
        """One request; without an answer if the bus is out of reach on the way there or back."""
        world, life, fate = self.world, self.life, self.world.take_fate()

        def arrive() -> None:
            if not self._reachable() or fate == "lose-request":
                return
            result = request()
            if self._reachable() and life == self.life and fate != "lose-reply":
                self.after(self.delay(), lambda: answer(result))

        world.clockwork.after(self.delay() + world.slowness(fate), arrive)

    def _reachable(self) -> bool:
        return "bus" not in self.cut and not self.world.bus_down

    def _append(self, effect: fx.Append, core: Core) -> None:
        """Until certain, as the adapter does; a core that was replaced does not care any more."""
        done: list[bool] = []

        def answered(sequence: object) -> None:
            if done or core is not self.core:
                return
            done.append(True)
            if isinstance(sequence, int):
                self.feed(fx.Appended(sequence=sequence))
            else:
                self.feed(fx.AppendFailed(reason="another leader writes"))

        def attempt(*, again: bool) -> None:
            if done or core is not self.core:
                return
            if again and self._reachable() and self.mono_ms >= self.lease_until:
                answered(None)
                return
            self._bus(lambda: self.world.append(self, effect), answered)
            self.after(600, lambda: attempt(again=True))

        attempt(again=False)

    def _release(self) -> None:
        revision, self._revision, self.lease_until = self._revision, 0, 0.0
        self._bus(lambda: self.world.lease.release(revision), lambda _: None)

    def _read_all(self) -> None:
        """Snapshot and tail into an empty core, then stand by."""
        self.caught_up = False
        core = self.core

        def read(found: Any) -> None:
            if core is not self.core or self.caught_up:
                return
            payload, tail = found
            if payload is not None and not self._reads(msgspec.json.decode(payload)["v"], SNAPSHOT_VERSION):
                self._stand_aside()
                return
            if payload is not None:
                self.feed(fx.SnapshotRead(snapshot=decode_snapshot(payload)))
            if self._follow(core, tail, live=False):
                self.caught_up = True
                self.feed(fx.LogCaughtUp())
                self._stand_by(core, self.mono_ms)

        def attempt() -> None:
            if core is self.core and not self.caught_up:
                self._bus(self.world.read_all, read)
                self.after(RETRY_MS * 3, attempt)

        attempt()

    def _read_tail(self, core: Core, then: Callable[[], None]) -> None:
        def read(found: Any) -> None:
            if core is not self.core or core.ctx.lead.holding:
                return
            if not found and core.ctx.outbox.sequence:
                self.feed(fx.LogMissing())
            elif self._follow(core, found, live=True):
                then()

        after = core.ctx.outbox.sequence - 1
        self._bus(lambda: self.world.journal.read(after), read)

    def _follow(self, core: Core, messages: Any, *, live: bool) -> bool:
        """Feed what was read, which may come late; False if the core was replaced on the way."""
        for sequence, batch in messages:
            if core is not self.core:
                return False
            if not self._reads(batch.v):
                self._stand_aside()
                return False
            if sequence >= core.ctx.outbox.sequence:
                self.feed(fx.LogRead(sequence=sequence, batch=batch, live=live))
        return core is self.core

    def _stand_by(self, core: Core, read_at: float) -> None:
        if core is not self.core:
            return
        if self.mono_ms - read_at >= FOLLOW_MS:
            self._read_tail(core, lambda: None)
            read_at = self.mono_ms
        started = self.mono_ms
        taken: list[bool] = []

        def acquired(revision: Any) -> None:
            if core is self.core and revision and not taken:
                taken.append(True)
                self._revision = revision
                self.lease_until = self.world.safeguards.lease_until(started + SELF_FENCE_MS)
                self._take_lead(core)

        if self._may_lead(core):
            self._bus(lambda: self.world.lease.acquire(self.name, self.world.clockwork.now_ms), acquired)
        self.after(TRY_MS + self.delay() * 5, lambda: None if taken else self._stand_by(core, read_at))

    def _may_lead(self, core: Core) -> bool:
        return self.mono_ms >= self._not_before and not core.ctx.lead.draining

    def _take_lead(self, core: Core) -> None:
        gained: list[bool] = []

        def gain() -> None:
            if core is self.core and not gained:
                gained.append(True)
                self.feed(fx.LeaseGained(until_ms=self.lease_until))
                self._renew(core)

        def give_up() -> None:
            if core is self.core and not gained:
                gained.append(True)
                self._stand_by(core, self.mono_ms)

        self._read_tail(core, gain)
        self.after(RETRY_MS * 2, give_up)

    def _renew(self, core: Core) -> None:
        if core is not self.core:
            return
        started = self.mono_ms

        def renewed(revision: Any) -> None:
            if core is not self.core:
                return
            if revision:
                self._revision = revision
                until = self.world.safeguards.lease_until(started + SELF_FENCE_MS)
                self.lease_until = max(self.lease_until, until)
                self.feed(fx.LeaseRenewed(until_ms=self.lease_until))
            else:
                self.feed(fx.LeaseLost(reason="another replica holds the lease"))

        key, known, now = self.world.lease, self._revision, self.world.clockwork
        self._bus(lambda: key.renew(self.name, known, now.now_ms), renewed)
        self.after(RENEW_MS, lambda: self._renew(core))

    def _reload(self) -> None:
        self.core = self._aged(self.world.safeguards.succeed(self.core))
        self.lease_until = 0.0
        for decision in self._waiting.values():
            self._answered.pop(decision.market, None)
        self._waiting.clear()
        self._read_all()

    # --- the exchange ---

    def _exchange(
        self, request: Callable[[], object], answer: Callable[[object], None], lost: Callable[[], None]
    ) -> None:
        """One request; `lost` when no answer came, which says nothing about whether it arrived."""
        world, life, fate = self.world, self.life, self.world.take_fate()
        settled: list[bool] = []

        def give_up() -> None:
            if not settled:
                settled.append(True)
                self._failing_since = self._failing_since or self.mono_ms
                lost()

        def deliver(result: object) -> None:
            if not settled:
                settled.append(True)
                self._failing_since = None
                answer(result)

        def arrive() -> None:
            world.in_flight -= 1
            if fate == "lose-request" or "exchange" in self.cut or world.maintenance:
                return
            result = request()
            if result is SILENCE or fate == "lose-reply" or "exchange" in self.cut:
                return
            if life == self.life:
                self.after(self.delay(), lambda: deliver(result))

        world.in_flight += 1
        world.clockwork.after(self.delay() + world.slowness(fate), arrive)
        self.after(1_500, give_up)

    def _send(self, effect: fx.Send | fx.SendPair, legs: tuple[fx.Send, ...]) -> None:
        """The last check, then the wire; a pause may come between the two."""
        if not self.world.safeguards.may_leave(self, legs[0]):
            for leg in legs:
                self.after(0, partial(self.feed, fx.SendWithheld(cid=leg.cid)))
            return
        for leg in legs:
            self.world.checks.let_go(self, leg)
        if self.world.strike_in_send(self):
            self._backlog.append(lambda: self._leave(legs))
        else:
            self._leave(legs)

    def _leave(self, legs: tuple[fx.Send, ...]) -> None:
        sent = tuple(self.world.safeguards.sign(self, leg) for leg in legs)
        for leg in sent:
            self.world.checks.leaves(leg)

        def answer(result: Any) -> None:
            refused = isinstance(result, tuple) and isinstance(result[0], str)
            for number, leg in enumerate(legs):
                if refused:
                    self.feed(fx.SendRejected(cid=leg.cid, code=result[0], message=result[1]))
                else:
                    self.feed(fx.SendSucceeded(cid=leg.cid, report=result[number]))

        def lost() -> None:
            for leg in legs:
                self.feed(fx.SendUncertain(cid=leg.cid, reason="no answer"))

        late = self.world.fate == "late"
        self._exchange(lambda: self.world.accept(sent, late=late), answer, lost)

    def _read_history(self) -> None:
        asked = self.mono_ms

        def answer(result: Any) -> None:
            orders, trades = result
            self.feed(fx.HistoryRead(orders=orders, trades=trades, asked_ms=asked))

        self._exchange(
            self.world.venue.history, answer, lambda: self.feed(fx.HistoryReadFailed(reason="no answer"))
        )

    def _query(self, effect: fx.Query) -> None:
        asked = self.mono_ms

        def answer(result: object) -> None:
            self.feed(fx.QueryAnswered(cid=effect.cid, report=result, asked_ms=asked))  # type: ignore[arg-type]

        self._exchange(
            lambda: self.world.query(effect.cid),
            answer,
            lambda: self.feed(fx.QueryFailed(cid=effect.cid, reason="no answer")),
        )

    def _cancel(self, effect: fx.Cancel) -> None:
        def answer(result: object) -> None:
            if result is None:
                self.feed(fx.CancelFailed(cid=effect.cid, gone=True, reason="nothing to cancel"))
            else:
                self.feed(fx.OrderSeen(report=result))  # type: ignore[arg-type]

        self._exchange(
            lambda: self.world.cancel(effect.cid),
            answer,
            lambda: self.feed(fx.CancelFailed(cid=effect.cid, gone=False, reason="no answer")),
        )

    def _amend(self, effect: fx.Amend) -> None:
        def answer(result: object) -> None:
            if result is None:
                self.feed(fx.AmendFailed(cid=effect.cid, reason="not open, or not lower"))
            else:
                self.feed(fx.OrderSeen(report=result))  # type: ignore[arg-type]

        self._exchange(
            lambda: self.world.amend(effect.cid, effect.quantity),
            answer,
            lambda: self.feed(fx.AmendFailed(cid=effect.cid, reason="no answer")),
        )

    def _fetch_trades(self, effect: fx.FetchTrades) -> None:
        self._exchange(
            lambda: tuple(self.world.venue.by_id[effect.order_id].trades),
            lambda trades: self.feed(fx.TradesSeen(trades=trades)),  # type: ignore[arg-type]
            lambda: None,
        )

    def _read_account(self, effect: fx.ReadAccount) -> None:
        asked = self.mono_ms

        def answer(result: Any) -> None:
            orders, trades, balances = result
            self.feed(fx.AccountRead(orders=orders, trades=trades, balances=balances, asked_ms=asked))

        self._exchange(
            lambda: self.world.account(effect.since_ms),
            answer,
            lambda: self.feed(fx.AccountReadFailed(reason="no answer")),
        )

    def _measure(self) -> None:
        sent = self.mono_ms

        def answer(told: object) -> None:
            self.feed(fx.ClockSampled(sent_ms=sent, received_ms=self.mono_ms, exchange_ms=told))  # type: ignore[arg-type]

        self._exchange(
            lambda: float(self.world.venue.time_ms), answer, lambda: self.after(500, self._measure)
        )

    # --- its evaluation ---

    def wish(self, decision: Decision) -> None:
        """The strategy of this pod decided; it sends only while its execution leads."""
        self._newest[decision.market] = decision
        if self._leading_view:
            self._decide(decision)

    def _viewed(self, leading: bool) -> None:
        self._leading_view = leading
        if leading:
            for decision in self._newest.values():
                silent = self.mono_ms - self._asked.get(decision.id, -1e18) > REPLY_TIMEOUT_MS
                if self._answered.get(decision.market) != decision.id and silent:
                    self._decide(decision)

    def _decide(self, decision: Decision) -> None:
        self._asked[decision.id] = self.mono_ms
        self._token += 1
        token = self._token
        self._waiting[token] = decision
        self.after(self.delay(), lambda: self.feed(fx.DecisionReceived(decision=decision, token=token)))

    def replay(self, decision: Decision) -> None:
        """A decision that was sent long ago arrives again."""
        self.after(self.delay(), lambda: self.feed(fx.DecisionReceived(decision=decision, token=0)))

    def _replied(self, decision: Decision, effect: fx.Reply) -> None:
        if effect.reply.answer is Answer.DENIED and effect.reply.code in (
            "NotLeading",
            "Draining",
            "LeadLost",
        ):
            self._asked.pop(decision.id, None)
        else:
            self._answered[decision.market] = decision.id

    def hurt(self, fault: Fault) -> None:
        """A fault that strikes at a time."""
        match fault.kind:
            case "crash":
                self.crash(fault.for_ms)
            case "pause":
                self.pause(fault.for_ms)
            case "suspend":
                self.suspend(fault.for_ms)
            case "drain":
                self.feed(fx.Draining())
                self.world.clockwork.after(fault.for_ms, lambda: self.crash(50))
            case "unhealthy":
                self.feed(fx.PeersUnhealthy(reason="evaluation is silent"))
