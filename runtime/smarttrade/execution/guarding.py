"""Keeps every position protected: orders that rest at the exchange, sized to it, replaced as it changes.

A resting sell locks what it would sell, so a sale and its protection exclude one another: protection is
cancelled, the cancel confirmed, what remains is sold, and what is left is protected again. All of that
follows from the folded state, so whoever takes the lead in the middle of it goes on with the next step.

What rests nowhere (a part below the exchange's minimum, a part that a resting set wants to sell, a price
that the exchange cannot wait for) is watched by the leader, on fresh quotes: not while nobody leads.
"""

from __future__ import annotations

from decimal import Decimal

from smarttrade.api import TradingAccountSpec
from smarttrade.exchange.reports import MarketFilters
from smarttrade.execution.accounting import Accounting
from smarttrade.execution.cancelling import Cancelling
from smarttrade.execution.context import Context, Unprotected
from smarttrade.execution.decisions import Decisions
from smarttrade.execution.flatten import PROTECTION_STRATEGY, build_exit
from smarttrade.execution.intents import open_guards
from smarttrade.execution.orders import Order, OrderState, Purpose
from smarttrade.execution.policy import keeps_protection
from smarttrade.execution.protection import (
    ZERO,
    Guard,
    Levels,
    build_guards,
    build_levels,
    covered,
    fits,
    reached,
    smallest,
)
from smarttrade.execution.records import ProtectionMissed
from smarttrade.execution.resting import Resting
from smarttrade.execution.risk import Answer, Proposal, check
from smarttrade.messages import EffectiveState, Side, Target

WOULD_TRIGGER = "WouldTrigger"
_IN_DOUBT = (OrderState.PENDING_NEW, OrderState.UNKNOWN)
_LONGEST_BACKOFF_MS = 60_000.0


class Guarding:
    """Protection of every market."""

    def __init__(
        self,
        ctx: Context,
        decisions: Decisions,
        accounting: Accounting,
        cancelling: Cancelling,
        resting: Resting,
    ) -> None:
        self._ctx = ctx
        self._decisions = decisions
        self._accounting = accounting
        self._cancelling = cancelling
        self._resting = resting
        self._highest: dict[str, Decimal] = {}
        self._held_since: dict[str, int] = {}
        """Since when more is held than the exchange would take back, in its time, as far as this core saw."""
        self._refused: dict[str, tuple[float, float]] = {}
        self._denied: dict[str, str] = {}
        self._hit: set[str] = set()

    def watch(self, spec: TradingAccountSpec, market: str, state: EffectiveState) -> None:
        """Sell the position now if its price has come and no order waits for it.

        That the exchange refused a stop because it would trigger holds for this moment only: whoever cannot
        sell now asks again, with the next stop.
        """
        ctx, hit = self._ctx, market in self._hit
        self._hit.discard(market)
        filters, levels = ctx.filters.get(market), self._levels(spec, market)
        if filters is None or levels is None or not keeps_protection(state) or ctx.lead.draining:
            return
        current, quote = ctx.book.market(market).current, ctx.quote(market)
        if quote is None or (current is not None and current.strategy == PROTECTION_STRATEGY):
            return
        held, least = ctx.position(market), smallest(quote.bid, filters)
        if held < least or (current is None and ctx.now_ms < ctx.resume_ms.get(market, 0.0)):
            return
        guards = self._guards(market)
        if any(order.state in _IN_DOUBT for order in guards):
            return
        limit = reached(
            levels,
            quote.bid,
            stop_rests=held - covered(guards, by_stop=True) < least,
            profit_rests=held - covered(guards, by_stop=False) < least,
        )
        if limit is None and hit and levels.stop is not None:
            limit = levels.limit
        if limit is not None:
            self._exit(market, limit)

    def maintain(
        self, spec: TradingAccountSpec, market: str, state: EffectiveState, *, selling: bool
    ) -> None:
        """Bring what rests to what should rest; `selling`: the position is on its way out by a decision."""
        ctx = self._ctx
        filters, levels, guards = ctx.filters.get(market), self._levels(spec, market), self._guards(market)
        if levels is None and not guards and keeps_protection(state):
            self._forget(market)
            return
        if filters is not None:
            self._note_cover(market, state, guards, levels, filters, selling=selling)
        if filters is None or selling or not keeps_protection(state) or ctx.lead.draining:
            return
        wanted = self._wanted(market, levels, filters)
        if guards:
            self._correct(spec, guards, wanted, levels, filters)
        elif wanted and not self._waiting(market):
            self._place(spec, market, wanted)

    def refuse(self, order: Order, code: str) -> None:
        """The exchange certainly refused a protective order: try again later, and later each time."""
        if code == WOULD_TRIGGER:
            self._hit.add(order.market)
        known = self._refused.get(order.market, (0.0, self._ctx.tuning.residual_backoff_ms / 2))
        backoff_ms = min(known[1] * 2, _LONGEST_BACKOFF_MS)
        self._refused[order.market] = (self._ctx.now_ms + backoff_ms, backoff_ms)

    def accepted(self, order: Order) -> None:
        self._refused.pop(order.market, None)

    def pending(self, market: str) -> bool:
        """Whether a protective order was sent and its arrival is not known yet."""
        return any(order.state in _IN_DOUBT for order in self._guards(market))

    # --- what should rest ---

    def _guards(self, market: str) -> list[Order]:
        return [order for order in self._ctx.book.unsettled(market) if order.purpose is Purpose.PROTECTIVE]

    def _levels(self, spec: TradingAccountSpec, market: str) -> Levels | None:
        """None if nothing is held, or nothing was asked for."""
        ctx = self._ctx
        book, filters, defaults = ctx.book.markets.get(market), ctx.filters.get(market), spec.risk.protection
        plan = book.plan if book is not None else None
        asked = plan is not None or defaults.any
        if book is None or filters is None or not asked or ctx.position(market) <= 0:
            return None
        levels = build_levels(
            plan,
            defaults,
            average_price=ctx.book.ledger.holding(market).average_price,
            highest=self._follow(market),
            ratchet=book.ratchet,
            filters=filters,
            slippage=spec.orders.stop_slippage,
        )
        return levels if levels.any else None

    def _follow(self, market: str) -> Decimal | None:
        """The highest bid seen since more was held than the exchange would take back.

        A bid that was heard before the purchase counts for no more than was paid: the market may have fallen
        in between, and a stop that trails from above it is one that nothing fills.
        """
        quote, known = self._ctx.quote(market), self._highest.get(market)
        if quote is None:
            return known
        bid = quote.bid
        if self._ctx.position(market) < smallest(bid, self._ctx.filters[market]):
            for kept in (self._highest, self._held_since):
                kept.pop(market, None)
            return bid
        if quote.time_ms < self._held_since.setdefault(market, self._ctx.exchange_ms):
            bid = min(bid, self._ctx.book.ledger.holding(market).average_price)
        if known is None or bid > known:
            known = self._highest[market] = bid
        return known

    def _forget(self, market: str) -> None:
        for kept in (self._highest, self._held_since, self._refused, self._denied, self._ctx.unprotected):
            kept.pop(market, None)
        self._ctx.watched.discard(market)
        self._remember(market, 0)

    def _wanted(self, market: str, levels: Levels | None, filters: MarketFilters) -> tuple[Guard, ...]:
        tuning = self._ctx.tuning
        if levels is None:
            return ()
        quantity = self._ctx.position(market) - self._committed(market)
        return build_guards(levels, quantity, filters, stops=tuning.stop_orders, pairs=tuning.order_pairs)

    def _committed(self, market: str) -> Decimal:
        """What other sells of the market hold, or what the standing set wants to sell: the greater."""
        others = (o for o in self._ctx.book.unsettled(market) if o.purpose is not Purpose.PROTECTIVE)
        out = sum((order.exposure for order in others if order.side is Side.SELL), ZERO)
        return max(out, self._resting.wanted_sells(market))

    # --- steps ---

    def _waiting(self, market: str) -> bool:
        """Something of the market is on its way, or a refusal is too recent."""
        ctx = self._ctx
        resume = self._refused.get(market, (0.0, 0.0))[0]
        if ctx.now_ms < resume:
            ctx.wake_at(resume)
            return True
        return any(order.state is OrderState.PENDING_NEW for order in ctx.book.unsettled(market))

    def _correct(
        self,
        spec: TradingAccountSpec,
        guards: list[Order],
        wanted: tuple[Guard, ...],
        levels: Levels | None,
        filters: MarketFilters,
    ) -> None:
        """Take away what does not fit; its place is filled when the exchange has said that it is gone."""
        if any(order.state in _IN_DOUBT for order in guards):
            return
        tolerance = filters.tick * max(spec.orders.requote_ticks, 1)
        least = smallest(guards[0].price, filters)
        spare = max([least, *(guard.quantity * spec.orders.rebalance_threshold for guard in wanted)])
        step = levels.step if levels is not None else tolerance
        if fits(guards, wanted, tolerance=tolerance, step=step, spare=spare):
            return
        now, oldest = self._ctx.exchange_ms, min(order.deadline_ms for order in guards)
        rests_until = oldest + spec.orders.minimum_rest.seconds * 1000
        shrinks = any(o.quantity - o.filled > g.quantity for o in guards for g in wanted) or not wanted
        if now < rests_until and not shrinks:
            self._ctx.wake_at(self._ctx.now_ms + rests_until - now)
            return
        self._cancelling.request_all(guards)

    def _place(self, spec: TradingAccountSpec, market: str, wanted: tuple[Guard, ...]) -> None:
        proposal = Proposal(
            market=market,
            side=Side.SELL,
            quantity=wanted[0].quantity,
            price=wanted[0].price,
            purpose=Purpose.PROTECTIVE,
            rests=True,
            waits=any(guard.trigger is not None for guard in wanted),
        )
        verdict = check(proposal, self._accounting.view(spec, market))
        self._denied[market] = verdict.code
        if verdict.answer is not Answer.ALLOWED:
            return
        plan = self._ctx.book.market(market).plan
        open_guards(self._ctx, market, plan.decision_id if plan is not None else "", wanted)

    def _exit(self, market: str, limit: Decimal) -> None:
        ctx, book = self._ctx, self._ctx.book.market(market)
        before = book.high_water.get(PROTECTION_STRATEGY)
        self._decisions.accept(
            build_exit(
                ctx.identity,
                market,
                ctx.exchange_ms,
                before,
                ctx.generation,
                strategy=PROTECTION_STRATEGY,
                limit=limit,
            )
        )

    # --- what is not protected ---

    def _note_cover(
        self,
        market: str,
        state: EffectiveState,
        guards: list[Order],
        levels: Levels | None,
        filters: MarketFilters,
        *,
        selling: bool,
    ) -> None:
        """Since when the position lacks what it should have, and why; and whether quotes matter to it."""
        ctx, held = self._ctx, self._ctx.position(market)
        price = levels.limit or levels.take_profit or ZERO if levels is not None else ZERO
        bare = held - _cover(guards, levels)
        if held < smallest(price, filters) or bare < smallest(price, filters):
            ctx.unprotected.pop(market, None)
            self._remember(market, 0)
            self._set_watched(market, levels, complete=len(guards) == 2 or not self._half(levels))
            return
        reason = self._why(market, state, selling=selling)
        since_ms = ctx.book.market(market).bare_ms or ctx.exchange_ms
        self._remember(market, since_ms)
        ctx.unprotected[market] = Unprotected(since_ms=since_ms, quantity=bare, reason=reason)
        self._set_watched(market, levels, complete=False)

    def _remember(self, market: str, since_ms: int) -> None:
        """Written with what brought it about, so that the next leader tells the same."""
        known = self._ctx.book.markets.get(market)
        if (known.bare_ms if known is not None else 0) != since_ms:
            self._ctx.record(ProtectionMissed(market=market, since_ms=since_ms))

    def _half(self, levels: Levels | None) -> bool:
        """Whether only one of two prices can rest."""
        both = levels is not None and levels.stop is not None and levels.take_profit is not None
        return both and not (self._ctx.tuning.order_pairs and self._ctx.tuning.stop_orders)

    def _set_watched(self, market: str, levels: Levels | None, *, complete: bool) -> None:
        trails = levels is not None and levels.step > self._ctx.filters[market].tick
        if levels is not None and (trails or not complete):
            self._ctx.watched.add(market)
        else:
            self._ctx.watched.discard(market)

    def _leaves(self, market: str) -> bool:
        """Whether what is decided takes from the position; else protection has gone for a buy that it was in
        the way of."""
        current = self._ctx.book.market(market).current
        want = current.want if current is not None else None
        return not isinstance(want, Target) or want.quantity < self._ctx.position(market)

    def _why(self, market: str, state: EffectiveState, *, selling: bool) -> str:
        if not keeps_protection(state):
            return str(state)
        if selling:
            return "Selling" if self._leaves(market) else "MakingWay"
        if self._denied.get(market) == "ExchangeMaxStops":
            return "NoRoomAtExchange"
        if market in self._refused:
            return "Refused"
        return "Placing" if self._ctx.tuning.stop_orders else "NoStopsAtExchange"


def _cover(guards: list[Order], levels: Levels | None) -> Decimal:
    """What resting orders protect: a profit that rests does not stand in for a stop that should."""
    if levels is not None:
        return covered(guards, by_stop=levels.stop is not None)
    return max(covered(guards, by_stop=True), covered(guards, by_stop=False))
