"""One history: pods, bus and exchange on one virtual clock, driven by a plan, watched by the checks."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from typing import Any

from smarttrade.api import Protection, TradingAccountSpec
from smarttrade.exchange.reports import OrderReport
from smarttrade.execution import effects as fx
from smarttrade.execution.context import Tuning
from smarttrade.identity import decision_id
from smarttrade.messages import Decision, OrderStyle, RestingOrder, RestingOrders, Side, Target
from tests.simulation.checks import Checks, ViolationError
from tests.simulation.clockwork import Clockwork
from tests.simulation.journal import Journal, LeaseKey
from tests.simulation.plan import (
    EFFECTS,
    GUARDS,
    HORIZON_MS,
    MARKETS,
    PRICE,
    Fault,
    Plan,
    Wish,
    with_parts,
)
from tests.simulation.pod import IDENTITY, QUOTES_MS, SILENCE, Pod
from tests.simulation.safeguards import Safeguards
from tests.simulation.venue import EPOCH_MS, Resident, Venue

CALM_MS = HORIZON_MS + 1_000
STEPS_AFTER_MS = 50.0
STRATEGY = "simulated"
_SPECS: dict[tuple[object, ...], TradingAccountSpec] = {}


def build_spec(state: str, plan: Plan) -> TradingAccountSpec:
    """5,000 USDT over two markets; at most 455 worth in one, 800 in all, 455 an order."""
    passive_timeout_ms = plan.passive_timeout_ms
    key = (state, passive_timeout_ms, plan.daily_loss, plan.default_guard)
    known = _SPECS.get(key)
    if known is None:
        guard = zip(("stopLoss", "takeProfit", "trailingStop"), plan.default_guard, strict=True)
        declared: dict[str, Any] = {
            "exchange": {"name": "binance"},
            "markets": [{"symbol": market, "maxPositionNotional": "455"} for market in MARKETS],
            "strategy": {"name": "ma-cross", "timeframe": "1m", "parameters": {}},
            "capital": {"currency": "USDT", "allocation": "5000"},
            "risk": {
                "maxOrderNotional": "455",
                "maxPositionNotional": "800",
                "maxDailyLoss": plan.daily_loss,
                "maxDrawdown": "0.9",
                "protection": {name: str(Decimal(share) / 100) for name, share in guard if share},
                "maxOrdersPerMinute": 600,
            },
            "orders": {"passiveTimeout": f"{passive_timeout_ms}ms" if passive_timeout_ms else "0s"},
            "onBusLoss": {"after": "1500ms", "do": "CancelResting"},
            "state": state,
        }
        known = _SPECS[key] = TradingAccountSpec.model_validate(declared)
    return known


class World:
    """Everything of one history."""

    def __init__(self, plan: Plan, safeguards: Safeguards) -> None:
        self.plan, self.safeguards = plan, safeguards
        self.draw = random.Random(plan.seed * 7919 + 1)
        self.clockwork = Clockwork()
        # The version before this one counts one side only of a trade of the account with itself.
        self.venue = Venue(self.clockwork, self.draw, plan.partial, meets_itself=not plan.older)
        if plan.forgets_after_ms:
            self.venue.forgets_after_ms = plan.forgets_after_ms
        self.journal, self.lease = Journal(), LeaseKey()
        self.journal.fenced = safeguards.fenced
        self.markets = MARKETS
        self.coverage: Counter[str] = Counter()
        self.control = (1, build_spec("Active", plan), False)
        self.tuning = safeguards.tune(
            Tuning(
                hold_ms=plan.hold_ms,
                settle_ms=300,
                snapshot_every=plan.snapshot_every,
                reconcile_every_ms=4_000,
                clock_every_ms=4_000,
                replicas=plan.pods,
                stop_orders=plan.stops,
                order_pairs=plan.pairs,
                amends=plan.amends,
                restores=True,
            )
        )
        self._event_ms = 0
        self.acknowledged, self.spoken, self.journal_lost = "", False, False
        self.maintenance = False
        self._bus_back_ms = self._log_back_ms = 0.0
        self.in_flight = 0
        self.fate = ""
        self.decisions: dict[str, Decision] = {}
        self.calm = False
        self.last_ms = float(CALM_MS)
        self.lease_forgotten_ms = -1e9
        self._counts: Counter[str] = Counter()
        self._struck = [fault for fault in plan.faults if fault.effect]
        self.checks = Checks(self)
        self.venue.watchers += [self.checks.order_changed, self._stream]
        self.trace: list[str] | None = None
        self.pods = [Pod(self, index) for index in range(plan.pods)]

    # --- running ---

    def run(self) -> None:
        """The whole history; ViolationError names the first invariant that does not hold."""
        self._schedule()
        self.clockwork.run(CALM_MS)
        self._calm_down()
        limit = CALM_MS + 4 * self.plan.hold_ms + 35_000
        while self.clockwork.now_ms < limit:
            self.clockwork.run(self.clockwork.now_ms + 250)
            self._acknowledge()
            if not self.spoken and self.clockwork.now_ms >= self.last_ms and self.checks.listening():
                self._say_last_words()
            elif self.spoken and self.clockwork.now_ms > self.last_ms + 1_000 and self.checks.settled():
                break
        self.checks.at_rest()

    def spec_of(self, pod: Pod) -> TradingAccountSpec:
        """What a pod reads of the object: an older version does not know of protection."""
        spec = self.control[1]
        if not pod.older:
            return spec
        risk = spec.risk.model_copy(update={"protection": Protection()})
        return spec.model_copy(update={"risk": risk})

    def _schedule(self) -> None:
        for ordinal, wish in enumerate(self.plan.wishes):
            self.clockwork.at(wish.at_ms, lambda wish=wish, n=ordinal: self._wish(wish, n))  # type: ignore[misc]
        for fault in self.plan.faults:
            if not fault.effect:
                self.clockwork.at(fault.at_ms, lambda fault=fault: self._hurt(fault))  # type: ignore[misc]
        for at_ms in range(2_000, CALM_MS, 2_000):
            self.clockwork.at(at_ms, self._acknowledge_perhaps)
        for change in self.plan.changes:
            self.clockwork.at(
                change.at_ms,
                lambda change=change: self._change(change.state, change.kill),  # type: ignore[misc]
            )

    def _calm_down(self) -> None:
        """No more faults; everything is healed."""
        self.calm = True
        self._struck, self.fate, self.maintenance = [], "", False
        self._bus_back_ms = self._log_back_ms
        self.venue.partial, self.venue.moves = 0.0, False
        for pod in self.pods:
            pod.cut.clear()
            if pod.older:
                pod.older = False
                pod.crash(50)
        self.plan = with_parts(self.plan, daily_loss="4000")
        self._change("Active", kill=False)
        woken = max(pod.paused_until for pod in self.pods)
        self.last_ms = max(self.clockwork.now_ms, woken + QUOTES_MS if woken > self.clockwork.now_ms else 0)

    def _say_last_words(self) -> None:
        """The strategy wants a last target in each market, then the account goes into its last state."""
        self.spoken, self.last_ms = True, self.clockwork.now_ms
        for number, market in enumerate(MARKETS):
            at, guard = self.last_ms + 50 + 20 * number, self.draw.choice(((0, 0, 0), *GUARDS))
            wish = Wish(int(at), market, 200, "Marketable", 600_000, guard=guard)
            ordinal = len(self.plan.wishes) + number
            self.clockwork.at(at, lambda wish=wish, n=ordinal: self._wish(wish, n))  # type: ignore[misc]
        state = self.plan.ending
        if state != "Active":
            self.clockwork.at(self.last_ms + 300, lambda: self._change(state, kill=False))

    def _acknowledge_perhaps(self) -> None:
        if self.draw.random() < 0.4:
            self._acknowledge()

    def _acknowledge(self) -> None:
        """The owner has read of a breach, or of a lost log, and says so in the object."""
        breach = self.checks.breach()
        if breach and breach != self.acknowledged:
            self.acknowledged = breach
            self._change(str(self.control[1].state), kill=self.control[2])

    def _wish(self, wish: Wish, ordinal: int) -> None:
        decision = self._decision(wish, ordinal)
        self.decisions[decision.id] = decision
        for pod in self.pods:
            pod.after(self.draw.uniform(0, 30), lambda pod=pod: pod.wish(decision))  # type: ignore[misc]

    def _decision(self, wish: Wish, ordinal: int) -> Decision:
        time_ms = self._event_ms = max(self._event_ms, self.venue.time_ms)
        until = time_ms + wish.valid_ms
        unit = Decimal(wish.hundredths) / PRICE[wish.market]
        want: Target | RestingOrders
        if wish.style == "Resting":
            want = RestingOrders(orders=_resting(wish), valid_until_ms=until)
        else:
            want = Target(quantity=unit, valid_until_ms=until, style=OrderStyle(wish.style), **_guard(wish))
        key = f"1m:{time_ms}:{ordinal}"
        return Decision(
            id=decision_id(IDENTITY, STRATEGY, wish.market, key, 0),
            strategy=STRATEGY,
            market=wish.market,
            event_key=key,
            event_time_ms=time_ms,
            event_ordinal=ordinal,
            index=0,
            generation=1,
            want=want,
        )

    def _change(self, state: str, kill: bool) -> None:
        generation = self.control[0] + 1
        spec = build_spec(state, self.plan)
        if self.acknowledged:
            spec = spec.model_copy(update={"acknowledged_breach": self.acknowledged})
        self.control = (generation, spec, kill)
        self.coverage["state change"] += 1
        for pod in self.pods:
            if pod.alive:
                pod.control(self.control[0], self.spec_of(pod), self.control[2])

    # --- faults ---

    def _hurt(self, fault: Fault) -> None:
        if self.calm:
            return
        self._note(fault)
        heal = self.clockwork.after
        if fault.kind == "bus-down":
            self._bus_back_ms = max(self._bus_back_ms, self.clockwork.now_ms + fault.for_ms)
        elif fault.kind == "maintenance":
            self.maintenance = True
            heal(fault.for_ms, lambda: setattr(self, "maintenance", False))
        elif fault.kind == "forget-lease":
            self.lease.forget()
            self._forgotten_now()
        elif fault.kind == "step-clock":
            self.venue.step_ms += fault.amount
        elif fault.kind == "lose-log":
            self._lose_log(fault.amount)
        elif fault.kind == "replay":
            self._replay(fault)
        elif fault.kind in ("cut-bus", "cut-exchange"):
            pod, what = self._victim(fault), fault.kind.removeprefix("cut-")
            pod.cut.add(what)
            heal(fault.for_ms, lambda: pod.cut.discard(what))
        else:
            pod = self._victim(fault)
            if pod.alive and not pod.paused:
                pod.hurt(fault)

    def _note(self, fault: Fault) -> None:
        self.coverage["fault"] += 1
        self.coverage[fault.kind] += 1
        if fault.kind in ("bus-down", "cut-bus"):
            self.coverage["nats loss"] += 1
        if fault.kind in ("suspend", "step-clock"):
            self.coverage["clock skew"] += 1

    def _lose_log(self, batches: int) -> None:
        """The end of the log, or all of it, and with it the lease: the bus comes back without them.

        What is assumed is that an account with a lost log has an order that the exchange shows and will not
        forget, and that the bus is away for the hold when only the end is lost, whatever else heals or ends.
        """
        if not self.venue.lasting():
            return
        if batches:
            away_ms = self.plan.hold_ms + 1_000
            self._log_back_ms = self.clockwork.now_ms + away_ms
            self._bus_back_ms = max(self._bus_back_ms, self._log_back_ms)
            self.clockwork.after(away_ms, self._forgotten_now)
        self.journal.lose(batches)
        self.journal_lost = True
        self.checks.forget()
        self.lease.forget()
        self._forgotten_now()

    def _forgotten_now(self) -> None:
        self.lease_forgotten_ms = self.clockwork.now_ms

    @property
    def bus_down(self) -> bool:
        return self.clockwork.now_ms < self._bus_back_ms

    def _victim(self, fault: Fault) -> Pod:
        """-1 is whoever leads."""
        if fault.pod < 0:
            return next((pod for pod in self.pods if pod.name == self.lease.holder), self.pods[0])
        return self.pods[fault.pod % len(self.pods)]

    def _replay(self, fault: Fault) -> None:
        sent = list(self.decisions.values())
        if sent:
            pod = self._victim(fault)
            if pod.alive:
                for decision in self.draw.sample(sent, min(len(sent), 3)):
                    pod.replay(decision)

    def strike(self, pod: Pod, effect: fx.Effect) -> None:
        """Faults before an effect; those on a request take hold of it by `fate`."""
        name = type(effect).__name__
        if not self._struck or name not in EFFECTS:
            return
        self._counts[name] += 1
        for fault in self._due(name, after=False):
            self._note(fault)
            if fault.kind == "crash-before":
                pod.crash(fault.for_ms)
            elif fault.kind == "pause-before":
                pod.pause(fault.for_ms)
            elif fault.kind == "lose-log":
                self._lose_log(fault.amount)
            elif fault.kind == "step-clock":
                self.venue.step_ms += fault.amount
            else:
                self.fate = fault.kind

    def strike_after(self, pod: Pod, effect: fx.Effect) -> None:
        self.fate = ""
        if self._struck:
            for fault in self._due(type(effect).__name__, after=True):
                self._note(fault)
                pod.crash(fault.for_ms)
                if fault.amount:
                    self.clockwork.after(STEPS_AFTER_MS, lambda by=fault.amount: self._step_clock(by))  # type: ignore[misc]

    def _step_clock(self, by_ms: int) -> None:
        self.venue.step_ms += by_ms
        self.coverage["clock skew"] += 1

    def strike_in_send(self, pod: Pod) -> bool:
        """A pause exactly between the last check and the wire."""
        if self.fate != "pause-in-send":
            return False
        fault = next(f for f in self.plan.faults if f.kind == "pause-in-send")
        self.fate = ""
        pod.pause(fault.for_ms)
        return True

    def _due(self, name: str, *, after: bool) -> list[Fault]:
        due = [
            fault
            for fault in self._struck
            if fault.effect == name
            and fault.nth == self._counts[name]
            and (fault.kind == "crash-after") is after
        ]
        for fault in due:
            self._struck.remove(fault)
        return due

    def take_fate(self) -> str:
        fate, self.fate = self.fate, ""
        return fate

    def slowness(self, fate: str) -> float:
        return self.draw.uniform(300, 3_000) if fate == "slow-request" else 0.0

    # --- what pods ask for ---

    def step(self, pod: Pod, event: fx.Input) -> list[fx.Effect]:
        """One input into a core; an exception of the core's is a violation."""
        if self.trace is not None:
            self.trace.append(f"{self.clockwork.now_ms:9.1f} {pod.name} < {event}")
        self.checks.before(pod, event)
        try:
            effects = pod.core.handle(event, pod.mono_ms)
        except ViolationError:
            raise
        except Exception as error:
            raise ViolationError("core raised", f"{type(error).__name__}: {error} on {event}") from error
        if self.trace is not None:
            self.trace += [f"{self.clockwork.now_ms:9.1f} {pod.name} > {e}" for e in effects if _telling(e)]
        return effects

    def append(self, pod: Pod, effect: fx.Append) -> int | None:
        before = self.journal.last
        sequence = self.journal.append(effect.batch, effect.after, effect.message_id)
        if self.journal.last > before:
            if self.journal_lost and not self.journal.follows(effect.batch):
                self.checks.strayed(effect.batch)
            else:
                self.checks.appended(pod, effect.batch)
        return sequence

    def save(self, effect: fx.SaveSnapshot) -> None:
        covered = self.journal.messages.get(effect.up_to)
        if not self.safeguards.covers or (covered is not None and covered.id == effect.batch_id):
            self.journal.save(effect.payload, effect.up_to)
            self.coverage["log truncation"] += 1

    def read_all(self) -> tuple[bytes | None, list[tuple[int, Any]]]:
        journal = self.journal
        return journal.snapshot, journal.read(journal.snapshot_up_to)

    def accept(self, legs: tuple[fx.Send, ...], *, late: bool = False) -> object:
        """The exchange's last check, then its processing, which may take a while and end in silence.

        What is assumed of an exchange is that processing and visibility stay within the hold.
        """
        if self.venue.too_late(legs[0]):
            self.coverage["deadline refused"] += 1
            return ("DeadlineMissed", "timestamp outside of the window")
        if legs[0].trigger is not None and not self.calm and self.draw.random() < 0.05:
            return ("WouldTrigger", "the stop would trigger immediately")
        slack = max(self.plan.hold_ms - Tuning().window_ms - 300, 0)
        if late or (self.draw.random() < 0.1 and not self.calm):
            lag = slack / 2 if late else self.draw.uniform(0, slack / 2)
            delay = self.draw.uniform(0, min(self.plan.processing_ms, slack / 2))
            self.in_flight += 1
            self.coverage["late visibility"] += 1
            self.clockwork.after(delay, lambda: self._place_late(legs, lag))
            return SILENCE
        return tuple(self.venue.report(resident) for resident in self._place(legs, 0))

    def _place(self, legs: tuple[fx.Send, ...], lag: float) -> tuple[Resident, ...]:
        if len(legs) == 1:
            return (self.venue.place(legs[0], lag),)
        return self.venue.place_pair(legs[0], legs[1], lag)

    def _place_late(self, legs: tuple[fx.Send, ...], lag: float) -> None:
        self.in_flight -= 1
        self._place(legs, lag)

    def query(self, cid: str) -> OrderReport | None:
        found = self.venue.find(cid)
        return self.venue.report(found) if found else None

    def cancel(self, cid: str) -> OrderReport | None:
        self.checks.cancelled(cid)
        found = self.venue.find(cid)
        if found is None or not self.venue.cancel(found):
            return None
        self.coverage["cancel"] += 1
        return self.venue.report(found)

    def amend(self, cid: str, quantity: Decimal) -> OrderReport | None:
        found = self.venue.find(cid)
        if found is None or not self.venue.amend(found, quantity):
            return None
        self.coverage["amendment"] += 1
        return self.venue.report(found)

    def account(self, since_ms: int) -> tuple[Any, ...]:
        venue = self.venue
        orders = tuple(venue.report(r) for r in venue.visible() if r.status == "Open")
        strangers = tuple(venue.foreign_order(market) for market in MARKETS)
        trades = (*venue.trades_since(since_ms), venue.foreign_trade(MARKETS[0]))
        return (*orders, *strangers), trades, venue.balances()

    # --- the user stream ---

    def _stream(self, resident: Resident, trade: Any) -> None:
        if trade is not None and resident.filled < resident.sent.quantity:
            self.coverage["partial fill"] += 1
        for pod in self.pods:
            if pod.alive and "exchange" not in pod.cut and self.draw.random() >= self.plan.stream_loss:
                report = self.venue.report(resident, (trade,) if trade else ())
                for _ in range(2 if self.draw.random() < 0.05 else 1):
                    delay = self.draw.uniform(0.5, 10 if self.draw.random() < 0.9 else 400)
                    pod.after(delay, lambda pod=pod, report=report: pod.feed(fx.OrderSeen(report=report)))  # type: ignore[misc]


def _guard(wish: Wish) -> dict[str, Decimal]:
    shares = [Decimal(share) / 100 for share in wish.guard]
    price = PRICE[wish.market]
    levels = (price * (1 - shares[0]), price * (1 + shares[1]), shares[2])
    names = ("stop_loss", "take_profit", "trailing_stop")
    return {name: level for name, level, share in zip(names, levels, shares, strict=True) if share}


def _resting(wish: Wish) -> list[RestingOrder]:
    mid = Decimal(PRICE[wish.market])
    return [
        RestingOrder(
            key=key,
            side=Side(side),
            price=mid * (1 + Decimal(offset) / 10_000),
            quantity=Decimal(hundredths) / PRICE[wish.market],
        )
        for key, side, offset, hundredths in wish.keys
    ]


def _telling(effect: fx.Effect) -> bool:
    return not isinstance(effect, fx.SetTimer | fx.Publish)


__all__ = ["EPOCH_MS", "World", "build_spec"]
