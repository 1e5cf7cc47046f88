"""What every part of the core sees: the folded state, the clocks, the market, and where effects go.

Everything below the folded book is knowledge of this process alone and may be lost at any moment; nothing
that must survive a crash belongs here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from smarttrade.api import TradingAccountSpec
from smarttrade.exchange.reports import Balance, MarketFilters
from smarttrade.execution.agreement import Agreement
from smarttrade.execution.book import Book
from smarttrade.execution.clock import ExchangeClock
from smarttrade.execution.effects import Effect, SetTimer
from smarttrade.execution.identifiers import OrderIds
from smarttrade.execution.outbox import Outbox
from smarttrade.execution.records import AnyRecord, HaltOrdered, OrderIntended
from smarttrade.execution.view import Hold
from smarttrade.identity import AccountIdentity
from smarttrade.messages import Quote

Milliseconds = float
MARKETS_REFUSED = "MarketsRefused"


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """Times of the protocol, in ms. The holds come from the exchange's row of the capability table.

    `reports`: views and reports are published; otherwise who wants one asks (`Reporting.look`).
    """

    window_ms: int = 800
    settle_ms: int = 500
    hold_ms: int = 10_000
    misses: int = 3
    query_backoff_ms: float = 100
    query_backoff_limit_ms: float = 2_000
    residual_legs: int = 5
    residual_backoff_ms: float = 250
    refusals: int = 3
    throttle_wait_ms: float = 250
    reconcile_every_ms: float = 30_000
    clock_every_ms: float = 30_000
    filters_every_ms: float = 3_600_000
    suspended_every_ms: float = 10_000
    report_every_ms: float = 5_000
    reports: bool = True
    snapshot_every: int = 5_000
    unknown_alarm_ms: float = 30_000
    trades_wait_ms: float = 200
    exchange_lost_ms: float = 3_000
    replicas: int = 1
    trade_lookback_ms: int = 60_000
    preflight: bool = False
    stop_orders: bool = True
    order_pairs: bool = True
    amends: bool = True
    switch_ms: int = 0
    restores: bool = False
    """Whether the exchange keeps a history that a new log can be compared with; paper's does not."""


@dataclass(slots=True)
class Lead:
    """Where this pod stands: `caught_up` with the log, `claimed` by a durable epoch record, `reconciled` by a
    first account read."""

    lease_until_ms: Milliseconds = 0.0
    caught_up: bool = False
    holding: bool = False
    claiming: bool = False
    claimed: bool = False
    reconciled: bool = False
    draining: bool = False
    released: bool = False
    epoch: int = 0
    claimed_ms: int = 0


@dataclass(slots=True)
class Probe:
    """The search for one order whose fate is unknown; `accepted`: the exchange knew it once."""

    since_ms: Milliseconds
    next_ms: Milliseconds
    backoff_ms: Milliseconds
    misses: int = 0
    asking: bool = False
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Unprotected:
    """A position, or a part of it, that no order protects as it should be; `since_ms` of exchange time."""

    since_ms: int
    quantity: Decimal
    reason: str


@dataclass(slots=True)
class Context:
    """One pod's core."""

    identity: AccountIdentity
    ids: OrderIds
    holder: str
    tuning: Tuning
    book: Book = field(default_factory=Book)
    outbox: Outbox = field(default_factory=Outbox)
    clock: ExchangeClock = field(default_factory=ExchangeClock)
    lead: Lead = field(default_factory=Lead)
    now_ms: Milliseconds = 0.0
    generation: int = 0
    spec: TradingAccountSpec | None = None
    deleting: bool = False
    kill: bool = False
    refusal: str = ""
    halt: HaltOrdered | None = None
    halt_written: HaltOrdered | None = None
    """This pod's halt, once the log has had it."""
    preflight: tuple[Hold, ...] | None = None
    fingerprints: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()
    shared: str = ""
    stranger: str = ""
    """What another account of SmartTrade on the same exchange account was known by; for good."""
    former: str = ""
    """An open order of whom only its id from before ids had keys says that it is ours."""
    funded: Decimal | None = None
    left: tuple[str, ...] = ()
    """Markets that the specification does not list any more and that hold an order or a position."""
    compared_ms: int = 0
    """Exchange time of the newest comparison in which nothing was strange; 0 before the first."""
    quotes: dict[str, tuple[Quote, Milliseconds]] = field(default_factory=dict)
    streams: dict[str, tuple[bool, Milliseconds]] = field(default_factory=dict)
    filters: dict[str, MarketFilters] = field(default_factory=dict)
    balances: dict[str, Balance] = field(default_factory=dict)
    foreign: Counter[str] = field(default_factory=Counter)
    """Open orders that are not this account's on the same exchange account, by market."""
    foreign_stops: Counter[str] = field(default_factory=Counter)
    """Of those, the ones that wait for a trigger."""
    probes: dict[str, Probe] = field(default_factory=dict)
    cancelling: dict[str, Milliseconds] = field(default_factory=dict)
    resume_ms: dict[str, Milliseconds] = field(default_factory=dict)
    rested_ms: dict[str, Milliseconds] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    agreement: Agreement = field(default_factory=Agreement)
    unprotected: dict[str, Unprotected] = field(default_factory=dict)
    watched: set[str] = field(default_factory=set)
    """Markets whose protection follows the quotes."""
    exits: dict[str, str] = field(default_factory=dict)
    """How the last exit of a market ended, where it did not end flat."""
    untold: dict[str, Milliseconds] = field(default_factory=dict)
    """Since when the exchange has counted fills of an order whose trades it does not tell."""
    known_ms: dict[str, Milliseconds] = field(default_factory=dict)
    """When this process learned of an order that is not settled."""
    sent: set[str] = field(default_factory=set)
    """Orders that this process let go and that are not settled."""
    fired: set[str] = field(default_factory=set)
    """Markets in which the exchange cancelled what it was not asked to."""
    effects: list[Effect] = field(default_factory=list)
    bus_lost_ms: Milliseconds | None = None
    log_position: int = 0

    @property
    def leading(self) -> bool:
        """Whether this pod may decide: it holds the lease, and its epoch is durable in the log."""
        return self.lead.claimed and self.lease_holds and not self.lead.released

    @property
    def ready(self) -> bool:
        """Whether orders may be sent: the account was compared with the exchange, and its clock is known."""
        return self.leading and self.lead.reconciled and self.clock.error_ms(self.now_ms) is not None

    @property
    def knows_clock(self) -> bool:
        """Whether the exchange's clock is known well enough to pin a deadline."""
        error = self.clock.error_ms(self.now_ms)
        return error is not None and error <= self.tuning.window_ms / 4

    @property
    def halted(self) -> HaltOrdered | None:
        """The halt by hand that holds until the object's own word is read; this pod's, or the log's."""
        if self.halt is self.book.halt is None:
            return None
        known = (self.halt, self.book.halt)
        return next((halt for halt in known if halt is not None and halt.holds(self.generation)), None)

    @property
    def lease_holds(self) -> bool:
        return self.lead.holding and self.now_ms < self.lead.lease_until_ms

    @property
    def exchange_ms(self) -> int:
        return self.clock.exchange_ms(self.now_ms)

    def owns(self, cid: str) -> bool:
        """Whether the order is this account's, by its id or by the log."""
        return self.ids.is_own(cid) or cid in self.book.orders

    def emit(self, *effects: Effect) -> None:
        """Perform at once."""
        self.effects.extend(effects)

    def record(self, record: AnyRecord, *after: Effect) -> None:
        """Apply to the book now, and release `after` when the log has it.

        The book may so be ahead of the log; whoever loses the lead throws it away and reads again.
        """
        self.book.apply(record)
        self.outbox.add(record, *after)

    def intend(self, intent: OrderIntended, *after: Effect) -> None:
        """Record an order that is to be sent; from now on this process knows of it."""
        self.known_ms[intent.cid] = self.now_ms
        self.record(intent, *after)

    def wake_at(self, at_ms: Milliseconds) -> None:
        self.effects.append(SetTimer(at_ms=at_ms))

    def position(self, market: str) -> Decimal:
        return self.book.ledger.quantity(market)

    def quote(self, market: str) -> Quote | None:
        """The newest quote, if its stream is fresh: a quiet market's quote may be old and still hold."""
        held = self.quotes.get(market)
        if held is None or self.spec is None:
            return None
        fresh, heard_ms = self.streams.get(market, (True, held[1]))
        limit_ms = self.spec.risk.stale_data_seconds * 1000
        return held[0] if fresh and self.now_ms - max(heard_ms, held[1]) <= limit_ms else None
