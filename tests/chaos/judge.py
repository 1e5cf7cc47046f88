"""What must hold after a run: the invariants of the simulated histories, on a real log and a real journal.

The checks are those of `tests.simulation.checks`, shown the account's log and the exchange's journal once
the run is over. What only a simulation can see (what a core believes at an instant) is left out there; what
only real parts can show (containers that ended by themselves, answers that were given) is added here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from smarttrade.exchange.reports import OrderKind, TradeReport, VenueStatus
from smarttrade.execution.effects import Send
from smarttrade.execution.records import Batch, EpochStarted, OrderIntended
from smarttrade.messages import Decision, Side
from smarttrade.simulator.journal import JournalEntry
from tests.chaos.limits import build_limits
from tests.simulation.checks import Checks, ViolationError
from tests.simulation.journal import Journal
from tests.simulation.plan import MARKETS, Plan
from tests.simulation.venue import Resident, locked_by
from tests.simulation.world import World

_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_ENDED = {
    "FILLED": VenueStatus.FILLED,
    "CANCELED": VenueStatus.CANCELED,
    "EXPIRED": VenueStatus.EXPIRED,
    "REJECTED": VenueStatus.REJECTED,
}


class Shown:
    """What the exchange's journal shows of orders and positions."""

    def __init__(self) -> None:
        self.by_id: dict[str, Resident] = {}
        self.position = dict.fromkeys(MARKETS, Decimal(0))
        self._groups: dict[str, Resident] = {}

    def add(self, resident: Resident, group: str) -> None:
        """`group` is that of the intent: two of one group cancel one another."""
        self.by_id[resident.order_id] = resident
        other = self._groups.setdefault(group, resident) if group else resident
        if other is not resident:
            resident.pair, other.pair = other, resident

    def locked(self, market: str) -> Decimal:
        return locked_by(self.by_id.values(), market)


class Evidence:
    """One run as the checks look at a simulated world."""

    def __init__(self, batches: Sequence[Batch], decisions: dict[str, Decision]) -> None:
        self.coverage: Counter[str] = Counter()
        self.clockwork = SimpleNamespace(now_ms=0.0)
        self.lease_forgotten_ms = -1e9
        self.pods: list[Any] = []
        self.venue = Shown()
        self.journal = Journal()
        self.journal.history = list(batches)
        self.journal_lost = False
        self.decisions = decisions
        self.plan = Plan(seed=0, wishes=(), faults=())
        self.control = (1, build_limits(), False)
        self.in_flight = 0


def judge(
    batches: Sequence[Batch],
    journal: Iterable[JournalEntry],
    decisions: dict[str, Decision],
    answered: Iterable[str],
) -> Counter[str]:
    """ViolationError names the first invariant that does not hold; else what the run was made of.

    `decisions` are those that were offered, in order and for each market; `answered` those to which an
    execution said Accepted.
    """
    evidence = Evidence(batches, decisions)
    checks = Checks(cast(World, evidence))
    _read_log(batches, checks)
    intents = {r.cid: r for batch in batches for r in batch.records if isinstance(r, OrderIntended)}
    _read_journal(journal, evidence, checks, intents)
    lost = set(answered) - set(checks._decisions)
    require(not lost, "what was answered Accepted is in the log", str(sorted(lost)))
    still_open = set(checks._decisions) - set(checks._outcomes)
    require(not still_open, "every decision ends in one outcome", f"open: {sorted(still_open)}")
    book = checks._replayed()
    checks._agreement(book)
    checks._last_words(book)
    return evidence.coverage


def _read_log(batches: Sequence[Batch], checks: Checks) -> None:
    holder = ""
    for batch in batches:
        started = [r.holder for r in batch.records if isinstance(r, EpochStarted)]
        holder = started[-1] if started else holder
        checks.appended(cast(Any, SimpleNamespace(name=holder)), batch)


def _read_journal(
    journal: Iterable[JournalEntry], evidence: Evidence, checks: Checks, intents: dict[str, OrderIntended]
) -> None:
    venue = evidence.venue
    for entry in journal:
        if entry.kind == "NEW":
            intent = intents.get(entry.client_order_id)
            require(intent is not None, "an order leaves after its intent is durable", entry.client_order_id)
            resident = Resident(_sent(entry, cast(OrderIntended, intent)), str(entry.order_id), 0)
            _matches(entry, cast(OrderIntended, intent))
            checks.leaves(resident.sent)
            venue.add(resident, cast(OrderIntended, intent).group)
            checks.order_changed(resident, None)
        else:
            _changed(venue, checks, entry)


def _changed(venue: Shown, checks: Checks, entry: JournalEntry) -> None:
    resident: Resident = venue.by_id[str(entry.order_id)]
    if entry.kind == "REPLACED":
        quantity = Decimal(entry.quantity)
        smaller = resident.filled < quantity < resident.sent.quantity
        require(smaller, "an order is only ever made smaller", f"{entry.client_order_id}: {quantity}")
        resident.lower(quantity)
        return
    if entry.kind != "TRADE":
        resident.status = _ENDED[entry.status]
        checks.order_changed(resident, None)
        return
    trade = _trade(entry)
    resident.trades.append(trade)
    resident.filled += trade.quantity
    in_base = entry.commission_asset == entry.symbol.partition("/")[0]
    received = trade.quantity - (trade.fee if in_base else 0)
    venue.position[trade.market] += received if trade.side is Side.BUY else -trade.quantity
    if entry.status == "FILLED":
        resident.status = VenueStatus.FILLED
    checks.order_changed(resident, trade)


def _matches(entry: JournalEntry, intent: OrderIntended) -> None:
    """The exchange got the order that was intended, within the time that was intended."""
    placed = (entry.symbol, _SIDES[entry.side], Decimal(entry.quantity), Decimal(entry.price))
    meant = (intent.market, intent.side, intent.quantity, intent.price)
    require(placed == meant, "an order is placed as it was intended", f"{placed} for {meant}")
    age = entry.time_ms - intent.deadline_ms
    require(age <= intent.window_ms, "no order is accepted after its deadline", f"{intent.cid}: {age} ms")


def _sent(entry: JournalEntry, intent: OrderIntended) -> Send:
    return Send(
        cid=entry.client_order_id,
        market=entry.symbol,
        side=_SIDES[entry.side],
        kind=OrderKind(intent.kind),
        price=Decimal(entry.price),
        quantity=Decimal(entry.quantity),
        deadline_ms=intent.deadline_ms,
        window_ms=intent.window_ms,
        leave_by_ms=0.0,
    )


def _trade(entry: JournalEntry) -> TradeReport:
    return TradeReport(
        trade_id=str(entry.trade_id),
        order_id=str(entry.order_id),
        market=entry.symbol,
        side=_SIDES[entry.side],
        price=Decimal(entry.last_price),
        quantity=Decimal(entry.last_quantity),
        fee=Decimal(entry.commission),
        fee_asset=entry.commission_asset or "",
        maker=entry.is_maker,
        time_ms=entry.time_ms,
    )


def require(holds: bool, invariant: str, detail: str) -> None:
    """ViolationError unless it holds."""
    if not holds:
        raise ViolationError(invariant, detail)
