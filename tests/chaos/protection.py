"""Whether positions were protected as promised: while all failed, and when nothing did any more.

While all fails, a leader's own word is held against the exchange's journal: what has lacked its stop for
longer than a moment is told as Unprotected by whoever leads and has compared its log with the exchange. At
rest protection is there, exactly: side, size, trigger and limit, and none is left of a position that is gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from smarttrade.execution.book import Book
from smarttrade.execution.records import Batch
from smarttrade.messages import ExecutionReport, RestingOrders, Side, Target
from tests.chaos.schedule import STEP_MS
from tests.chaos.shown import Shown
from tests.simulation.checks import ViolationError
from tests.simulation.plan import MARKETS, PRICE
from tests.simulation.venue import Resident

# What docs/execution.md allows, what a step of the exchange's clock adds to it, and a slow machine.
TOLD_AFTER_MS = 1_000 + STEP_MS + 1_000
SLIPPAGE = Decimal("0.005")
TICK, LOT = Decimal("0.01"), Decimal("0.001")
ZERO = Decimal(0)


class Protection:
    """Sees log, journal and reports in the order in which they happened. `shown` is kept by its owner."""

    def __init__(self, shown: Shown, coverage: Counter[str]) -> None:
        self._book = Book()
        self._shown = shown
        self._coverage = coverage
        self._bare_ms: dict[str, float] = {}
        self._covered: set[str] = set()
        self._leader: tuple[str, int] = ("", 0)
        self._leads_since_ms = 0.0

    def logged(self, batch: Batch, at_ms: float) -> None:
        for record in batch.records:
            self._book.apply(record)
        for market in MARKETS:
            self.look(market, at_ms)

    def look(self, market: str, at_ms: float) -> None:
        """Note since when the position lacks what was asked for."""
        asked, bare = self._bare(market)
        covered = asked and not bare
        if bare:
            self._bare_ms.setdefault(market, at_ms)
        else:
            self._bare_ms.pop(market, None)
        self._coverage["protected position"] += covered and market not in self._covered
        (self._covered.add if covered else self._covered.discard)(market)

    def told(self, report: ExecutionReport, at_ms: float) -> None:
        """A leader says how things are: not before it knows, and as late as its clock may be wrong."""
        compared = any(c.type == "CredentialsValid" and c.reason != "NotYetUsed" for c in report.checks)
        if not report.leading or not compared or report.epoch != self._book.epoch:
            return
        if self._leader != (report.pod, report.epoch):
            self._leader, self._leads_since_ms = (report.pod, report.epoch), at_ms
        said_ms = min(at_ms, report.as_of_ms - STEP_MS)
        unprotected = " ".join(c.message for c in report.checks if c.type == "Unprotected")
        self._coverage["leader's word on protection"] += 1
        self._coverage["told Unprotected"] += bool(unprotected)
        for market, bare_ms in self._bare_ms.items():
            if said_ms - max(bare_ms, self._leads_since_ms) <= TOLD_AFTER_MS:
                continue
            require(
                f"of {market} since" in unprotected,
                "what is not protected is told",
                f"{market} since {bare_ms:.0f}, now {said_ms:.0f}, and {report.pod} says nothing of it",
            )
            self._coverage["long unprotected, and told"] += 1

    def _bare(self, market: str) -> tuple[bool, bool]:
        """Whether a stop or profit should rest, and whether it does not, or too small. What is not known yet
        to be bought, or is sold already, or is to be sold by a set, needs none."""
        book = self._book.markets.get(market)
        if book is None or book.plan is None:
            return False, False
        held = min(self._book.ledger.quantity(market), self._shown.position[market])
        others = self._shown.others(market)
        held -= sum((each.remaining for each in others if each.sent.side is Side.SELL), ZERO)
        if book.standing is not None and isinstance(book.standing.want, RestingOrders):
            wanted = [order for order in book.standing.want.orders if order.side is Side.SELL]
            held -= sum((order.quantity for order in wanted), ZERO)
        by_stop = book.plan.stop_loss is not None or book.plan.trailing_stop is not None
        least = Decimal(6) / PRICE[market]
        covers = _covers(self._shown.guards(market), by_stop=by_stop)
        return held >= least, held - covers >= least


def judge_rest(market: str, want: Target, shown: Shown, bid: Decimal) -> None:
    """All is as decided: what rests for a position is what `want` says, and nothing for one that is gone."""
    held, guards = shown.position[market], shown.guards(market)
    locked = shown.locked(market)
    require(locked <= held, "no more is to be sold than is held", f"{market}: {locked} of {held}")
    asked = any(each is not None for each in (want.stop_loss, want.take_profit, want.trailing_stop))
    if not asked or want.quantity == 0:
        left = [guard.sent.cid for guard in guards]
        require(not left, "no protective order is left behind", f"{market}: {left} for {held}")
        return
    stops = [guard for guard in guards if guard.sent.trigger is not None]
    profits = [guard for guard in guards if guard.sent.trigger is None]
    wrong = [guard.sent.cid for guard in guards if guard.sent.side is not Side.SELL]
    require(not wrong, "what protects sells", f"{market}: {wrong}")
    _is_whole(market, held, stops, asked=want.stop_loss is not None or want.trailing_stop is not None)
    _is_whole(market, held, profits, asked=want.take_profit is not None)
    for stop in stops:
        _triggers_right(market, want, stop, bid)
    for profit in profits:
        meant = _to_tick(want.take_profit or ZERO, ROUND_CEILING)
        require(profit.sent.price == meant, "a profit is taken at its price", f"{market}: {profit.sent}")
    paired = [each.pair in guards for each in guards]
    require(all(paired) or len(guards) == 1, "stop and profit are a pair", f"{market}: {len(guards)} orders")


def _is_whole(market: str, held: Decimal, guards: Sequence[Resident], *, asked: bool) -> None:
    """All that is held, but for what a change of size is not worth."""
    quantity = sum((guard.remaining for guard in guards), ZERO)
    least = held - max(held * LOT * 11, Decimal(6) / PRICE[market]) if asked else ZERO
    most = held if asked else ZERO
    require(
        least <= quantity <= most,
        "a position is protected as it was asked for",
        f"{market}: {quantity} of {held}",
    )


def _triggers_right(market: str, want: Target, stop: Resident, bid: Decimal) -> None:
    """At the highest price that applies; a trailing one may be behind by a tenth of its distance."""
    trigger, price = stop.sent.trigger or ZERO, stop.sent.price
    trailing = want.trailing_stop or ZERO
    highest = max(want.stop_loss or ZERO, bid * (1 - trailing) if trailing else ZERO)
    behind = bid * trailing / 10 if trailing else ZERO
    right = _to_tick(highest - behind, ROUND_FLOOR) <= trigger <= _to_tick(highest, ROUND_FLOOR)
    require(right, "a stop waits for its price", f"{market}: {trigger}, {highest} asked, bid {bid}")
    limit = _to_tick(trigger * (1 - SLIPPAGE), ROUND_FLOOR)
    require(price == limit, "a stop sells within its slippage", f"{market}: {price} at {trigger}")


def _covers(guards: Sequence[Resident], *, by_stop: bool) -> Decimal:
    return sum((g.remaining for g in guards if (g.sent.trigger is not None) is by_stop), ZERO)


def _to_tick(price: Decimal, rounding: str) -> Decimal:
    return (price / TICK).to_integral_value(rounding) * TICK


def require(holds: bool, invariant: str, detail: str) -> None:
    """ViolationError unless it holds."""
    if not holds:
        raise ViolationError(invariant, detail)
