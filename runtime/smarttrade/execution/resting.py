"""Keeps a set of resting orders as the strategy wants it, with as little churn as it allows.

An order stays while its price is off by fewer than `requoteTicks` and its quantity by less than
`requoteRatio`; one that must go has rested at least `minimumRest`. One that is only too large is made smaller
where it stands, if the exchange can. Its place is filled only when the
exchange has said that it is gone, so a key never has two orders. What has filled is not placed again
for the same set.
"""

from __future__ import annotations

from decimal import Decimal

from smarttrade.api import TradingAccountSpec
from smarttrade.exchange.reports import MarketFilters, OrderKind
from smarttrade.execution.accounting import Accounting
from smarttrade.execution.amending import Amending
from smarttrade.execution.cancelling import Cancelling
from smarttrade.execution.context import Context
from smarttrade.execution.decisions import Decisions
from smarttrade.execution.intents import open_intent
from smarttrade.execution.orders import Order, Purpose
from smarttrade.execution.policy import allows_opening, allows_reducing
from smarttrade.execution.reconciliation import EXCHANGE_UNREACHABLE
from smarttrade.execution.risk import Answer, Proposal, check
from smarttrade.execution.targets import Leg, ceil_to, floor_to
from smarttrade.messages import Decision, EffectiveState, Outcome, RestingOrder, RestingOrders, Side


class Resting:
    """One market's standing set."""

    def __init__(
        self,
        ctx: Context,
        decisions: Decisions,
        accounting: Accounting,
        cancelling: Cancelling,
        amending: Amending,
    ) -> None:
        self._ctx = ctx
        self._decisions = decisions
        self._accounting = accounting
        self._cancelling = cancelling
        self._amending = amending
        self._refused: dict[str, tuple[str, set[str]]] = {}
        """By market: the set, and its keys that are not tried again."""

    def advance(self, decision: Decision, state: EffectiveState, *, in_doubt: bool = False) -> None:
        """Cancel what is not wanted, place what is missing, and close the decision when all is as wanted.

        While an order of the market is in doubt nothing is placed, but what is not wanted goes.
        """
        ctx, want = self._ctx, decision.want
        filters, spec = ctx.filters.get(decision.market), ctx.spec
        if not isinstance(want, RestingOrders) or filters is None or spec is None:
            return
        working = [o for o in ctx.book.unsettled(decision.market) if o.purpose is not Purpose.PROTECTIVE]
        expired = want.valid_until_ms <= ctx.exchange_ms
        wanted = {} if expired else {order.key: order for order in want.orders}
        kept = {o.key for o in working if self._keep(spec, o, wanted.get(o.key), filters)}
        if not in_doubt:
            self._place(spec, decision, state, wanted, working, filters)
        if expired:
            self._close(decision, Outcome.EXPIRED)
        elif kept >= wanted.keys() - self._done(decision, filters) and not self._refusals(decision):
            self._close(decision, Outcome.REACHED)
        if not expired:
            ctx.wake_at(ctx.now_ms + want.valid_until_ms - ctx.exchange_ms)

    def refuse(self, order: Order, code: str, message: str) -> None:
        """The exchange certainly refused an order of the set: it is not tried again for this set."""
        standing = self._ctx.book.market(order.market).standing
        if standing is not None and standing.id == order.decision_id:
            self._refuse(standing, order.key)
            self._close(standing, Outcome.REJECTED, code, message)

    def wanted_sells(self, market: str) -> Decimal:
        """Base quantity that the standing set still wants to sell; protection leaves it free."""
        standing, filters = self._ctx.book.market(market).standing, self._ctx.filters.get(market)
        if standing is None or filters is None or not isinstance(standing.want, RestingOrders):
            return Decimal(0)
        if standing.want.valid_until_ms <= self._ctx.exchange_ms:
            return Decimal(0)
        over = self._done(standing, filters) | self._refusals(standing)
        sells = (o for o in standing.want.orders if o.side is Side.SELL and o.key not in over)
        return sum((o.quantity - self._filled(standing, o.key) for o in sells), Decimal(0))

    def _keep(
        self, spec: TradingAccountSpec, order: Order, wanted: RestingOrder | None, filters: MarketFilters
    ) -> bool:
        if wanted is not None and order.resting and self._fits(spec, order, wanted, filters):
            return True
        if not order.resting:
            return False
        rested_ms = self._ctx.exchange_ms - order.deadline_ms
        least_ms = spec.orders.minimum_rest.seconds * 1000
        if rested_ms >= least_ms:
            if wanted is None or not self._lower(spec, order, wanted, filters):
                self._cancelling.request(order)
        else:
            self._ctx.wake_at(self._ctx.now_ms + least_ms - rested_ms)
        return False

    def _lower(
        self, spec: TradingAccountSpec, order: Order, wanted: RestingOrder, filters: MarketFilters
    ) -> bool:
        """Whether all that is wrong is that it is too large, and it is being made smaller where it stands."""
        quantity = floor_to(wanted.quantity, filters.lot)
        return _is_in_place(spec, order, wanted, filters) and self._amending.lower(order, quantity, filters)

    def _fits(
        self, spec: TradingAccountSpec, order: Order, wanted: RestingOrder, filters: MarketFilters
    ) -> bool:
        remaining = order.quantity - order.filled
        wanted_quantity = max(wanted.quantity - order.filled, filters.lot)
        share = abs(remaining - wanted_quantity) / wanted_quantity
        return _is_in_place(spec, order, wanted, filters) and share < spec.orders.requote_ratio

    def _done(self, decision: Decision, filters: MarketFilters) -> set[str]:
        """Keys that need no order any more: filled since the set stands, or but for less than an order."""
        want, done = decision.want, set(self._ctx.book.market(decision.market).done)
        if not isinstance(want, RestingOrders):
            return done
        return done | {o.key for o in want.orders if self._but_for_dust(decision, o, filters)}

    def _but_for_dust(self, decision: Decision, order: RestingOrder, filters: MarketFilters) -> bool:
        filled = self._filled(decision, order.key)
        rest = floor_to(order.quantity - filled, filters.lot)
        least = max(filters.minimum_quantity, filters.lot)
        return filled > 0 and (rest < least or rest * order.price < filters.minimum_notional)

    def _filled(self, decision: Decision, key: str) -> Decimal:
        """What orders of this key have filled for this very set, also those that were cancelled."""
        return self._ctx.book.market(decision.market).filled.get(key, Decimal(0))

    def _place(
        self,
        spec: TradingAccountSpec,
        decision: Decision,
        state: EffectiveState,
        wanted: dict[str, RestingOrder],
        working: list[Order],
        filters: MarketFilters,
    ) -> None:
        if any(order.purpose is Purpose.ADOPTED for order in working):
            return  # of which set, and which of its keys, nobody knows any more; it is being cancelled
        busy = {order.key for order in working} | self._done(decision, filters)
        busy |= self._refusals(decision)
        if self._ctx.lead.draining or self._ctx.now_ms < self._ctx.resume_ms.get(decision.market, 0.0):
            return
        for key, order in wanted.items():
            may = allows_opening(state) or (order.side is Side.SELL and allows_reducing(state))
            if key in busy:
                continue
            if order.side is Side.SELL and self._guarded(decision.market, order.quantity):
                continue
            if order.side is Side.BUY and EXCHANGE_UNREACHABLE in self._ctx.problems:
                continue
            if not may:
                message = f"the account is {self._accounting.state(decision.market).explanation}"
                self._deny(decision, key, f"State{state}", message)
            elif not self._open(spec, decision, order, filters):
                return

    def _guarded(self, market: str, quantity: Decimal) -> bool:
        """Whether protection locks what this order would sell: it makes way for a set, which has to wait."""
        guards = [o for o in self._ctx.book.unsettled(market) if o.purpose is Purpose.PROTECTIVE]
        free = self._accounting.exposure().of(market).reducible(Side.SELL)
        return bool(guards) and quantity > free

    def _open(
        self, spec: TradingAccountSpec, decision: Decision, order: RestingOrder, filters: MarketFilters
    ) -> bool:
        """Place one order; False if the rest has to wait."""
        ctx, book = self._ctx, self._ctx.book.market(decision.market)
        price = _rounded(order, filters)
        quantity = floor_to(order.quantity - self._filled(decision, order.key), filters.lot)
        proposal = Proposal(
            market=decision.market,
            side=order.side,
            quantity=quantity,
            price=price,
            purpose=Purpose.RESTING,
            rests=True,
        )
        verdict = check(proposal, self._accounting.view(spec, decision.market))
        if verdict.answer is Answer.WAIT:
            ctx.wake_at(ctx.now_ms + max(verdict.until_ms - ctx.exchange_ms, 1))
            return False
        quantity = floor_to(min(quantity, verdict.quantity), filters.lot)
        if verdict.answer is Answer.DENIED or quantity <= 0:
            self._deny(decision, order.key, verdict.code or "BelowLot", verdict.message)
            return True
        leg = Leg(order.side, OrderKind.POST_ONLY, price, quantity, price)
        open_intent(
            ctx,
            decision.market,
            decision.id,
            leg,
            Purpose.RESTING,
            number=book.legs + 1,
            attempt=1,
            key=order.key,
        )
        return True

    def _deny(self, decision: Decision, key: str, code: str, message: str) -> None:
        self._refuse(decision, key)
        self._decisions.note_denial(code)
        self._close(decision, Outcome.DENIED, code, f"order {key}: {message}")

    def _refusals(self, decision: Decision) -> set[str]:
        refused, keys = self._refused.get(decision.market, ("", set()))
        return keys if refused == decision.id else set()

    def _refuse(self, decision: Decision, key: str) -> None:
        self._refused[decision.market] = (decision.id, self._refusals(decision) | {key})

    def _close(self, decision: Decision, outcome: Outcome, code: str = "", message: str = "") -> None:
        current = self._ctx.book.market(decision.market).current
        if current is not None and current.id == decision.id:
            self._decisions.close(decision, outcome, code, message)


def _is_in_place(
    spec: TradingAccountSpec, order: Order, wanted: RestingOrder, filters: MarketFilters
) -> bool:
    """Whether side and price are as wanted, but for what is allowed to be off."""
    off = abs(order.price - _rounded(wanted, filters))
    tolerance = max(filters.tick * spec.orders.requote_ticks, filters.tick)
    return order.side is wanted.side and off < tolerance


def _rounded(order: RestingOrder, filters: MarketFilters) -> Decimal:
    """The price on the tick grid, away from the market: a maker never pays for rounding."""
    return (floor_to if order.side is Side.BUY else ceil_to)(order.price, filters.tick)
