"""What must hold after a run: the invariants of the simulated histories, on a real log and a real journal.

The checks are those of `tests.simulation.checks`, shown the account's log and the exchange's journal once
the run is over, in the order in which both came to be. What only a simulation can see (what a core believes
at an instant) is left out there; what only real parts can show (containers that ended by themselves, answers
that were given) is added here.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from smarttrade.execution.records import EpochStarted, OrderIntended
from smarttrade.messages import Decision, Target
from smarttrade.simulator.journal import JournalEntry
from tests.chaos.evidence import Evidence, Happened, Logged, Told
from tests.chaos.limits import build_limits
from tests.chaos.market import quote_at
from tests.chaos.protection import Protection, judge_rest, require
from tests.chaos.shown import SIDES, Shown
from tests.simulation.checks import DUST, Checks
from tests.simulation.journal import Journal
from tests.simulation.plan import MARKETS, Plan
from tests.simulation.venue import Resident
from tests.simulation.world import World

_UNMOVED = ("TRIGGERED", "REPLACED", "PREVENTED")


class Scene:
    """One run as the checks look at a simulated world."""

    def __init__(self, decisions: dict[str, Decision], intents: dict[str, OrderIntended]) -> None:
        self.coverage: Counter[str] = Counter()
        self.clockwork = SimpleNamespace(now_ms=0.0)
        self.lease_forgotten_ms = -1e9
        self.pods: list[Any] = []
        self.venue = Shown(intents)
        self.journal = Journal()
        self.journal_lost = False
        self.decisions = decisions
        self.plan = Plan(seed=0, wishes=(), faults=())
        self.control = (1, build_limits(), False)
        self.in_flight = 0


def judge(evidence: Evidence) -> Counter[str]:
    """ViolationError names the first invariant that does not hold; else what the run was made of."""
    return _Judge(evidence).run()


class _Judge:
    """Goes through everything in the order in which it happened."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._intents: dict[str, OrderIntended] = {}
        self._scene = Scene(evidence.decisions, self._intents)
        self._checks = Checks(cast(World, self._scene))
        self._protection = Protection(self._scene.venue, self._scene.coverage)
        self._rests = list(evidence.rests)
        self._holder, self._changed, self._time_ms = "", 0, 0

    def run(self) -> Counter[str]:
        evidence, checks = self._evidence, self._checks
        for each in evidence.in_order():
            match each:
                case Logged():
                    self._logged(each)
                case Happened():
                    self._happened(each)
                case Told():
                    self._protection.told(each.report, each.at_ms)
            self._rest()
        require(not self._rests, "a run comes to rest", f"{len(self._rests)} times it did not")
        late = evidence.journal[evidence.rests[-1].happened :] if evidence.rests else []
        require(not late, "nothing is sent at rest", str([each.entry for each in late]))
        lost = evidence.answered - set(checks._decisions)
        require(not lost, "what was answered Accepted is in the log", str(sorted(lost)))
        still_open = set(checks._decisions) - set(checks._outcomes)
        require(not still_open, "every decision ends in one outcome", f"open: {sorted(still_open)}")
        book = checks._replayed()
        checks._agreement(book)
        checks._last_words(book)
        return self._scene.coverage

    def _logged(self, logged: Logged) -> None:
        batch = logged.batch
        for record in batch.records:
            if isinstance(record, EpochStarted):
                self._holder = record.holder
            elif isinstance(record, OrderIntended):
                self._intents[record.cid] = record
        self._scene.journal.history.append(batch)
        self._checks.appended(cast(Any, SimpleNamespace(name=self._holder)), batch)
        self._protection.logged(batch, logged.at_ms)

    def _happened(self, happened: Happened) -> None:
        entry, venue = happened.entry, self._scene.venue
        if entry.time_ms != self._time_ms:
            self._nothing_twice()
        self._time_ms, self._changed = entry.time_ms, self._changed + 1
        if entry.kind == "NEW":
            intent = self._intents.get(entry.client_order_id)
            require(intent is not None, "an order leaves after its intent is durable", entry.client_order_id)
            _matches(entry, cast(OrderIntended, intent))
            resident = venue.add(entry)
            self._checks.leaves(resident.sent)
            self._checks.order_changed(resident, None)
        else:
            self._moved(venue.of(entry), entry)
        self._protection.look(entry.symbol, happened.at_ms)

    def _moved(self, resident: Resident, entry: JournalEntry) -> None:
        if entry.kind == "REPLACED":
            quantity = Decimal(entry.quantity)
            smaller = resident.filled < quantity < resident.sent.quantity
            require(smaller, "an order is only ever made smaller", f"{entry.client_order_id}: {quantity}")
        if entry.kind == "TRIGGERED":
            self._scene.coverage["stop triggered"] += 1
        trade = self._scene.venue.change(entry)
        if trade is not None and resident.pair is not None:
            sold = resident.filled + resident.pair.filled
            require(sold <= resident.sent.quantity, "a pair sells once", f"{resident.sent.cid}: {sold}")
        if entry.kind not in _UNMOVED:
            self._checks.order_changed(resident, trade)

    def _nothing_twice(self) -> None:
        """All that one moment brought is there: working sells, a pair once, are no more than is held."""
        venue = self._scene.venue
        for market in MARKETS:
            locked, held = venue.locked(market), venue.position[market]
            require(
                locked <= held + DUST,
                "working sells never exceed the position",
                f"{market} {locked} of {held}",
            )

    def _rest(self) -> None:
        """Log and journal are where they were when the run had come to rest."""
        logged, happened = len(self._scene.journal.history), self._changed
        while self._rests and logged >= self._rests[0].logged and happened >= self._rests[0].happened:
            rest = self._rests.pop(0)
            self._nothing_twice()
            for market, decision in rest.last.items():
                judge_rest(market, cast(Target, decision.want), self._scene.venue, quote_at(market).bid)
            self._scene.coverage["rest"] += 1


def _matches(entry: JournalEntry, intent: OrderIntended) -> None:
    """The exchange got the order that was intended, within the time that was intended."""
    numbers = [Decimal(each) for each in (entry.quantity, entry.price, entry.stop_price)]
    placed = (entry.symbol, SIDES[entry.side], *numbers)
    meant = (intent.market, intent.side, intent.quantity, intent.price, intent.trigger or Decimal(0))
    require(placed == meant, "an order is placed as it was intended", f"{placed} for {meant}")
    age = entry.time_ms - intent.deadline_ms
    require(age <= intent.window_ms, "no order is accepted after its deadline", f"{intent.cid}: {age} ms")
