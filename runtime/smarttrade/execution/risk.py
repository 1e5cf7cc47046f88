"""The limits, in the order in which they are checked, outside the strategy's reach.

`CHECKS` is the whole of it: each row names a check, the kinds of orders that it applies to, and the
function that finds what is wrong. Nothing that makes a position smaller is held up by a limit on size,
pace, data or loss: a limit that keeps a trader in a falling market is worse than none. Such an order must
be covered by the position even if everything else that is out fills, so that none can double one of
unknown fate.

Quantities are valued at the market's mark, for orders and positions alike; capital is counted at the
order's own price, as the exchange locks it. Throttling alone does not deny: the order waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from smarttrade.execution.orders import Purpose
from smarttrade.execution.state import Protection, Reducing
from smarttrade.execution.view import Answer, Hold, Kind, Proposal, Verdict, View
from smarttrade.messages import Side

MINUTE_MS = 60_000
LEAST_RESERVE = 5
THROTTLE = "MaxOrdersPerMinute"

Finding = str | None
_Test = Callable[[Proposal, View], Finding]


@dataclass(frozen=True, slots=True)
class Check:
    """One limit. `test` returns what is wrong, with the value and the limit, or None."""

    code: str
    applies_to: frozenset[Kind]
    test: _Test
    about: str


def classify(proposal: Proposal, view: View) -> Kind:
    """What an order does to the worst case. Protection that the position does not cover is no protection."""
    if not view.of(proposal.market).reduces(proposal.side, proposal.quantity):
        return Kind.OPENING
    return Kind.PROTECTIVE if proposal.purpose is Purpose.PROTECTIVE else Kind.REDUCING


def check(proposal: Proposal, view: View) -> Verdict:
    """Judge one order: the first check that fails denies it, then the throttle may make it wait.

    A reducing order is cut to maxOrderNotional instead of denied.
    """
    kind = classify(proposal, view)
    for each in CHECKS:
        if kind in each.applies_to:
            finding = each.test(proposal, view)
            if finding:
                return Verdict(Answer.DENIED, code=_code(each, proposal, view), message=finding)
    until_ms = throttled_until(kind, view)
    if until_ms:
        return Verdict(Answer.WAIT, code=THROTTLE, message=_throttle_message(view), until_ms=until_ms)
    return Verdict(Answer.ALLOWED, quantity=_slice(kind, proposal, view))


def check_group(proposals: Iterable[Proposal], view: View) -> Verdict:
    """All or none: the first denial of any, each judged as if the ones before it were out already."""
    verdict = Verdict(Answer.ALLOWED)
    for proposal in proposals:
        verdict = check(proposal, view)
        if verdict.answer is Answer.DENIED:
            return verdict
        view = view.with_order(proposal)
    return verdict


# --- The checks -----------------------------------------------------------------------------------------


def _daily_loss(proposal: Proposal, view: View) -> Finding:
    loss, limit = view.losses.daily_loss(view.valuation.pnl), view.spec.risk.max_daily_loss
    if loss < limit:
        return None
    return f"lost {_plain(loss)} since the daily reset, risk.maxDailyLoss is {_plain(limit)}"


def _drawdown(proposal: Proposal, view: View) -> Finding:
    fall = view.losses.drawdown(view.valuation.allocation, view.valuation.pnl)
    limit = view.spec.risk.max_drawdown
    if fall < limit:
        return None
    return f"equity fell {_plain(fall)} from its peak, risk.maxDrawdown is {_plain(limit)}"


def _state(proposal: Proposal, view: View) -> Finding:
    if view.state.permissions.new_entries or _may_reduce(proposal, view):
        return None
    return f"the account is {view.state.explanation}"


def _may_reduce(proposal: Proposal, view: View) -> bool:
    permissions = view.state.permissions
    match classify(proposal, view):
        case Kind.PROTECTIVE:
            return permissions.protection is Protection.KEPT
        case Kind.REDUCING:
            exits = permissions.reducing is Reducing.EXIT and proposal.purpose is Purpose.FLATTEN
            return exits or permissions.reducing is Reducing.DECISIONS
        case _:
            return False


def _hold(proposal: Proposal, view: View) -> Finding:
    return next((hold.message for hold in _holds(proposal, view)), None)


def _holds(proposal: Proposal, view: View) -> Iterator[Hold]:
    return (hold for hold in view.holds if hold.market in ("", proposal.market))


def _allowed_sides(proposal: Proposal, view: View) -> Finding:
    allowed = [str(side) for side in view.spec.risk.allowed_sides]
    if str(proposal.side) in allowed or proposal.purpose is Purpose.FLATTEN:
        return None
    return f"side {proposal.side} is not in risk.allowedSides [{', '.join(allowed)}]"


def _crosses_zero(proposal: Proposal, view: View) -> Finding:
    exposure = view.of(proposal.market)
    if not exposure.crosses_zero(proposal.side, proposal.quantity):
        return None
    return (
        f"{proposal.side} {_plain(proposal.quantity)} of {proposal.market} may turn the position over: "
        f"{_plain(exposure.position)} held, {_plain(exposure.reducible(proposal.side))} of it not yet committed"
    )


def _collar(proposal: Proposal, view: View) -> Finding:
    mid = view.marks.get(proposal.market)
    if mid is None:
        return f"{proposal.market} has no price to measure risk.priceCollar from"
    share = view.spec.risk.price_collar
    limit = mid * (1 + share if proposal.side is Side.BUY else 1 - share)
    beyond = proposal.price > limit if proposal.side is Side.BUY else proposal.price < limit
    if not beyond:
        return None
    return (
        f"{proposal.side} at {_plain(proposal.price)} is beyond {_plain(limit)}, "
        f"risk.priceCollar {_plain(share)} from the mid price {_plain(mid)}"
    )


def _stale(proposal: Proposal, view: View) -> Finding:
    limit = view.spec.risk.stale_data_seconds
    if proposal.market not in view.fresh:
        return f"data of {proposal.market} is not fresh within risk.staleDataSeconds {limit}"
    unvalued = ", ".join(view.valuation.stale)
    if unvalued or view.losses.baseline is None:
        what = f"positions in {unvalued}" if unvalued else "the account"
        return f"{what} cannot be valued on fresh quotes within risk.staleDataSeconds {limit}"
    return None


def _cooldown(proposal: Proposal, view: View) -> Finding:
    seconds, last = view.spec.risk.cooldown_seconds, view.last_losses_ms.get(proposal.market)
    if last is None or view.now_ms >= last + seconds * 1000:
        return None
    passed = (view.now_ms - last) / 1000
    return f"{passed:.1f} s since a losing exit of {proposal.market}, risk.cooldownSeconds is {seconds}"


def _order_notional(proposal: Proposal, view: View) -> Finding:
    notional = proposal.quantity * view.marks[proposal.market]
    limit = view.spec.risk.max_order_notional
    return _above("the order is worth", notional, "risk.maxOrderNotional", limit)


def _market_notional(proposal: Proposal, view: View) -> Finding:
    market = next(each for each in view.spec.markets if each.symbol == proposal.market)
    name = f"maxPositionNotional of {proposal.market}"
    limit = market.max_position_notional
    if limit is None:
        name, limit = "risk.maxPositionNotional", view.spec.risk.max_position_notional
    exposure = view.with_order(proposal).of(proposal.market)
    return _above("the market could hold", exposure.worst * view.marks[proposal.market], name, limit)


def _total_notional(proposal: Proposal, view: View) -> Finding:
    after = view.with_order(proposal).exposure
    unpriced = [m for m, each in after.markets.items() if each.worst and m not in view.marks]
    if unpriced:
        return f"{', '.join(unpriced)} has no price to count towards risk.maxPositionNotional"
    limit = view.spec.risk.max_position_notional
    return _above("all markets could hold", after.notional(view.marks), "risk.maxPositionNotional", limit)


def _capital(proposal: Proposal, view: View) -> Finding:
    if proposal.side is Side.SELL:
        return None
    after, capital = view.with_order(proposal), view.spec.capital
    whole = capital.allocation + min(view.valuation.realized, Decimal(0))
    share = capital.per_market or capital.allocation / len(view.spec.markets)
    return _above(
        "capital in use would be", after.capital_in_use, "capital.allocation less realised losses", whole
    ) or _above(
        f"capital in {proposal.market} would be",
        after.capital_in(proposal.market),
        "capital.perMarket",
        share,
    )


def _minimum_balance(proposal: Proposal, view: View) -> Finding:
    least, capital = view.spec.risk.minimum_balance, view.spec.capital
    if proposal.side is Side.SELL or not least:
        return None
    if view.free_balance is None:
        return f"the free balance of {capital.currency} is unknown, risk.minimumBalance is {_plain(least)}"
    after = view.free_balance - proposal.quantity * proposal.price
    if after >= least:
        return None
    return f"{_plain(after)} {capital.currency} would stay free, risk.minimumBalance is {_plain(least)}"


def _open_positions(proposal: Proposal, view: View) -> Finding:
    limit, held = view.spec.capital.max_open_positions, view.exposure.open_markets
    if proposal.market in held or len(held) < limit:
        return None
    return f"{len(held)} positions are open or opening, capital.maxOpenPositions is {limit}"


def _open_orders(proposal: Proposal, view: View) -> Finding:
    limit = view.spec.risk.max_open_orders
    if not proposal.rests or view.resting < limit:
        return None
    return f"{view.resting} orders are open, risk.maxOpenOrders is {limit}"


_OPENING = frozenset({Kind.OPENING})
_DECIDED = frozenset({Kind.OPENING, Kind.REDUCING})
_COVERED = frozenset({Kind.OPENING, Kind.REDUCING, Kind.PROTECTIVE})

CHECKS: tuple[Check, ...] = (
    Check("WouldCrossZero", _COVERED, _crosses_zero, "covered by the position even if all that is out fills"),
    Check("DailyLoss", _OPENING, _daily_loss, "risk.maxDailyLoss"),
    Check("Drawdown", _OPENING, _drawdown, "risk.maxDrawdown"),
    Check("State", _COVERED, _state, "the effective state; the code is State and its name"),
    Check("Hold", _OPENING, _hold, "nothing is wrong that forbids new exposure; the code is the condition's"),
    Check("AllowedSides", _DECIDED, _allowed_sides, "risk.allowedSides"),
    Check(
        "PriceCollar", _DECIDED, _collar, "risk.priceCollar, from the mid price, on the side that costs money"
    ),
    Check("StaleData", _OPENING, _stale, "risk.staleDataSeconds"),
    Check("Cooldown", _OPENING, _cooldown, "risk.cooldownSeconds"),
    Check(
        "MaxOrderNotional", _OPENING, _order_notional, "risk.maxOrderNotional; reducing orders are cut to it"
    ),
    Check("MaxPositionNotional", _OPENING, _market_notional, "the market's limit, worst case"),
    Check("MaxPositionNotional", _OPENING, _total_notional, "the account's limit, worst case"),
    Check("InsufficientCapital", _OPENING, _capital, "capital.allocation and capital.perMarket"),
    Check("MinimumBalance", _OPENING, _minimum_balance, "risk.minimumBalance"),
    Check("MaxOpenPositions", _OPENING, _open_positions, "capital.maxOpenPositions"),
    Check("MaxOpenOrders", _DECIDED, _open_orders, "risk.maxOpenOrders, of orders that rest"),
)


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


# --- Words ----------------------------------------------------------------------------------------------


def _code(failed: Check, proposal: Proposal, view: View) -> str:
    if failed.code == "Hold":
        return next(hold.code for hold in _holds(proposal, view))
    return f"State{view.state.state}" if failed.code == "State" else failed.code


def _above(what: str, value: Decimal, name: str, limit: Decimal) -> Finding:
    return f"{what} {_plain(value)}, {name} is {_plain(limit)}" if value > limit else None


def _plain(value: Decimal) -> str:
    """Readable: no exponent, at most eight places, no trailing zeros."""
    text = format(round(value, 8), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
