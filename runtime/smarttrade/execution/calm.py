"""Whether the core has anything to do, and within which bounds quotes would change nothing.

While no order, decision or question is open, a quote matters only for what is watched: a new trading day, a
new peak of the profit, a loss limit. Between two bids per market held, and before an instant, none of these
can happen; whoever feeds many quotes may leave out all but the newest. The bounds are on the safe side:
beyond them something may happen, within them it cannot. What bites: they hold until the next other input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

from smarttrade.api import Risk, TradingAccountSpec
from smarttrade.execution.accounting import Accounting
from smarttrade.execution.context import Context
from smarttrade.execution.equity import PEAK_STEP, LossState, Valuation, reset_instant_ms, trading_day
from smarttrade.execution.targets import dead_band, floor_to
from smarttrade.messages import EffectiveState, Target

_ZERO, _BOUNDLESS = Decimal(0), Decimal("Infinity")
_SURELY = Decimal("0.99")


@dataclass(frozen=True, slots=True)
class Calm:
    """`until_ms` (monotonic) is not included, nor are the bounds of `bids`, lowest and highest by market."""

    until_ms: float
    bids: Mapping[str, tuple[Decimal, Decimal]]


def find_calm(ctx: Context, accounting: Accounting) -> Calm | None:
    """None while anything is under way, or where it cannot be said."""
    spec = ctx.spec
    if spec is None or not _idle(ctx):
        return None
    if any(accounting.state(m.symbol).state is EffectiveState.FLATTEN for m in spec.markets):
        return None
    valuation, losses = accounting.valuation(), ctx.book.losses
    if not valuation.complete or losses.day != trading_day(spec.risk.daily_reset, ctx.exchange_ms):
        return None
    if losses.breach is not None and losses.breach.id == spec.acknowledged_breach:
        return None
    room = _room(losses, valuation, spec.risk)
    bids = None if room is None else _bids(ctx, *room)
    return None if bids is None else Calm(_day_ends_ms(ctx, spec), bids)


def is_reached(ctx: Context, market: str, want: Target) -> bool:
    """Whether a newer decision for this target would be accepted and Reached at once, at any price. Only
    while the core is calm and the target valid."""
    spec, filters = ctx.spec, ctx.filters.get(market)
    if spec is None or filters is None or market not in ctx.quotes:
        return False
    if not want.stop_loss is want.take_profit is want.trailing_stop is None:
        return False
    if market in ctx.book.markets and ctx.book.markets[market].plan is not None:
        return False
    if all(listed.symbol != market for listed in spec.markets):
        return False
    difference = abs(want.quantity - ctx.position(market))
    band = dead_band(want.quantity, _ZERO, filters, spec.orders.rebalance_threshold)
    return difference < band or floor_to(difference, filters.lot) <= 0


def _idle(ctx: Context) -> bool:
    """Nothing open, asked or about to change."""
    lead, book = ctx.lead, ctx.book
    steady = ctx.leading and lead.reconciled and not (lead.draining or ctx.deleting)
    waits = ctx.bus_lost_ms is not None or ctx.probes or ctx.cancelling or ctx.effects or ctx.watched
    if not steady or waits or not ctx.outbox.idle or book.unsettled():
        return False
    if ctx.clock.error_ms(ctx.now_ms) is None:
        return False
    return all(market.current is None and market.standing is None for market in book.markets.values())


def _room(losses: LossState, valuation: Valuation, risk: Risk) -> tuple[Decimal, Decimal] | None:
    """How far the profit may fall and rise, both positive, until a limit is broken or a peak is new."""
    if losses.baseline is None or losses.peak is None:
        return None
    pnl, highest = valuation.pnl, valuation.allocation + losses.peak
    rise = losses.peak + PEAK_STEP * max(valuation.allocation, _ZERO) - pnl
    fall = _BOUNDLESS
    if losses.breach is None:
        if highest <= 0:
            return None
        by_day = pnl - (losses.baseline - risk.max_daily_loss)
        fall = min(by_day, pnl - (losses.peak - risk.max_drawdown * highest))
    return (fall, rise) if fall > 0 and rise > 0 else None


def _bids(ctx: Context, fall: Decimal, rise: Decimal) -> dict[str, tuple[Decimal, Decimal]] | None:
    """The room shared evenly among the markets held, so that together they cannot exceed it."""
    bids, held = {}, ctx.book.ledger.held()
    for market in held:
        quantity, bid = ctx.position(market), ctx.quotes[market][0].bid
        if quantity < 0:
            return None
        share = _SURELY / (quantity * len(held))
        bids[market] = (bid - fall * share, bid + rise * share)
    return bids


def _day_ends_ms(ctx: Context, spec: TradingAccountSpec) -> float:
    ends_ms = reset_instant_ms(spec.risk.daily_reset, _day_after(ctx.book.losses.day))
    return ctx.now_ms + ends_ms - ctx.exchange_ms


@lru_cache(maxsize=8)
def _day_after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()
