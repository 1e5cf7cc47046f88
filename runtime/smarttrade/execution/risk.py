"""The limits, in the order in which they are checked, outside the strategy's reach.

`CHECKS` is the whole of it: each row names a check, the kinds of orders that it applies to, and the
function in `limits` that finds what is wrong. Nothing that makes a position smaller is held up by a limit
on size, pace, data or loss: a limit that keeps a trader in a falling market is worse than none. Such an
order must be covered by the position even if everything else that is out fills, so that none can double
one of unknown fate.

Quantities are valued at the market's mark, for orders and positions alike; capital is counted at the
order's own price, as the exchange locks it. Throttling alone does not deny: the order waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from smarttrade.execution import limits
from smarttrade.execution.limits import Finding, classify
from smarttrade.execution.view import Answer, Hold, Kind, Proposal, Verdict, View

__all__ = ["CHECKS", "Answer", "Check", "Hold", "Kind", "Proposal", "Verdict", "View", "check"]

MINUTE_MS = 60_000
LEAST_RESERVE = 5
THROTTLE = "MaxOrdersPerMinute"
_LOOK_AGAIN_MS = 250

_Test = Callable[[Proposal, View], Finding]


@dataclass(frozen=True, slots=True)
class Check:
    """One limit. `test` returns what is wrong, with the value and the limit, or None."""

    code: str
    applies_to: frozenset[Kind]
    test: _Test
    about: str


def check(proposal: Proposal, view: View) -> Verdict:
    """Judge one order: the first check that fails denies it, then what is not known yet, or the throttle,
    may make it wait.

    A reducing order is cut to maxOrderNotional instead of denied.
    """
    kind = classify(proposal, view)
    for each in _CHECKS_OF[kind]:
        finding = each.test(proposal, view)
        if finding:
            return Verdict(Answer.DENIED, code=_code(each, proposal, view), message=finding)
    pending = limits.waiting(proposal, view, kind)
    if pending:
        until_ms = view.now_ms + _LOOK_AGAIN_MS
        return Verdict(Answer.WAIT, code=pending.code, message=pending.message, until_ms=until_ms)
    until_ms = throttled_until(kind, view)
    if until_ms:
        return Verdict(Answer.WAIT, code=THROTTLE, message=_throttle_message(view), until_ms=until_ms)
    return Verdict(Answer.ALLOWED, quantity=_slice(kind, proposal, view))


_OPENING = frozenset({Kind.OPENING})
_DECIDED = frozenset({Kind.OPENING, Kind.REDUCING})
_COVERED = frozenset({Kind.OPENING, Kind.REDUCING, Kind.PROTECTIVE})

CHECKS: tuple[Check, ...] = (
    Check("MarketNotListed", _OPENING, limits.market_listed, "spec.markets"),
    Check("WouldCrossZero", _COVERED, limits.crosses_zero, "a sell is covered by what is not yet committed"),
    Check("DailyLoss", _OPENING, limits.daily_loss, "risk.maxDailyLoss"),
    Check("Drawdown", _OPENING, limits.drawdown, "risk.maxDrawdown"),
    Check("State", _COVERED, limits.state, "the effective state; the code is State and its name"),
    Check(
        "FirstOrder",
        _COVERED,
        limits.first_order,
        "nothing is sent before the preflight has passed; its code",
    ),
    Check("Hold", _OPENING, limits.hold, "conditions that forbid new exposure; the code is theirs"),
    Check("AllowedSides", _DECIDED, limits.allowed_sides, "risk.allowedSides"),
    Check("PriceCollar", _DECIDED, limits.collar, "risk.priceCollar, towards a worse price"),
    Check("StaleData", _OPENING, limits.stale, "risk.staleDataSeconds"),
    Check("Cooldown", _OPENING, limits.cooldown, "risk.cooldownSeconds"),
    Check("MaxOrderNotional", _OPENING, limits.order_notional, "risk.maxOrderNotional"),
    Check("MaxPositionNotional", _OPENING, limits.market_notional, "the market's limit, worst case"),
    Check("MaxPositionNotional", _OPENING, limits.total_notional, "the account's limit, worst case"),
    Check("InsufficientCapital", _OPENING, limits.capital, "capital.allocation and capital.perMarket"),
    Check("MinimumBalance", _OPENING, limits.minimum_balance, "risk.minimumBalance"),
    Check("MaxOpenPositions", _OPENING, limits.open_positions, "capital.maxOpenPositions"),
    Check("MaxOpenOrders", _DECIDED, limits.open_orders, "risk.maxOpenOrders, of orders that rest"),
    Check(
        "ExchangeMaxOrders",
        _DECIDED,
        limits.exchange_orders,
        "what the exchange lets be open in a market, of orders that rest",
    ),
    Check(
        "ExchangeMaxStops",
        frozenset({Kind.PROTECTIVE}),
        limits.exchange_stops,
        "what the exchange lets be open in a market, of orders that wait for a trigger",
    ),
)


_CHECKS_OF = {kind: tuple(each for each in CHECKS if kind in each.applies_to) for kind in Kind}


# --- Pace and size --------------------------------------------------------------------------------------


def reserve(limit: int) -> int:
    """How many orders a minute are kept for reducing, beyond the limit on all."""
    return max(LEAST_RESERVE, limit // 4)


def throttled_until(kind: Kind, view: View) -> int:
    """When the order may go, in ms of exchange time; 0 for now. Protection and cancels never wait."""
    if kind in (Kind.PROTECTIVE, Kind.CANCEL):
        return 0
    limit = view.spec.risk.max_orders_per_minute
    allowed = limit + reserve(limit) if kind is Kind.REDUCING else limit
    recent = [sent for sent in view.sent_ms if sent > view.now_ms - MINUTE_MS]
    return recent[-allowed] + MINUTE_MS if len(recent) >= allowed else 0


def _throttle_message(view: View) -> str:
    recent = sum(sent > view.now_ms - MINUTE_MS for sent in view.sent_ms)
    limit = view.spec.risk.max_orders_per_minute
    return f"{recent} orders were sent in the last minute, risk.maxOrdersPerMinute is {limit}"


def _slice(kind: Kind, proposal: Proposal, view: View) -> Decimal:
    mark = view.marks.get(proposal.market)
    if kind is not Kind.REDUCING or not mark:
        return proposal.quantity
    return min(proposal.quantity, view.spec.risk.max_order_notional / mark)


def _code(failed: Check, proposal: Proposal, view: View) -> str:
    if failed.code in ("FirstOrder", "Hold"):
        return next(hold.code for hold in limits.holds(proposal, view) if not hold.waits)
    return f"State{view.state.state}" if failed.code == "State" else failed.code
