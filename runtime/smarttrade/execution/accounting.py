"""What the account is worth, what it may do, and the view by which an order is judged."""

from __future__ import annotations

from decimal import Decimal

from smarttrade.api import TradingAccountSpec
from smarttrade.exchange.reports import OrderKind
from smarttrade.execution.context import Context
from smarttrade.execution.equity import Valuation, acknowledge, mark, observe
from smarttrade.execution.exposure import Exposure, WorkingOrder, build_exposure
from smarttrade.execution.orders import Order, Purpose
from smarttrade.execution.policy import state_while_deleting
from smarttrade.execution.preflight import clock_skew, outstanding
from smarttrade.execution.risk import Hold, View
from smarttrade.execution.state import Effective, Source, build_demands, effective_state
from smarttrade.execution.targets import middle
from smarttrade.messages import EffectiveState

ZERO = Decimal(0)


def _rests(order: Order) -> bool:
    return order.kind is not OrderKind.LIMIT_IOC and order.purpose is not Purpose.PROTECTIVE


class Accounting:
    """Valuation, effective state and the view of risk, at the core's present instant."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._states: dict[str, Effective] = {}
        self._previous: Valuation | None = None
        self._unwatched = False
        self._follow_from: tuple[object, ...] = (None,) * 6

    def state(self, market: str = "") -> Effective:
        """What may be done in a market, or in the account as a whole.

        It is asked for many times a step and seldom changes, so it is kept until what it follows from is
        replaced; none of that is ever changed in place.
        """
        ctx = self._ctx
        known, breach, halted = self._follow_from, ctx.book.losses.breach, ctx.halted
        if not (
            ctx.spec is known[0]
            and ctx.filters is known[1]
            and breach is known[2]
            and halted is known[3]
            and ctx.kill is known[4]
            and ctx.deleting is known[5]
        ):
            self._follow_from = (ctx.spec, ctx.filters, breach, halted, ctx.kill, ctx.deleting)
            self._states.clear()
        found = self._states.get(market)
        if found is None:
            found = self._states[market] = self._judge(market)
        return found

    def _judge(self, market: str) -> Effective:
        ctx = self._ctx
        if ctx.spec is None:
            return Effective(EffectiveState.PAUSED, Source.SPEC, "no specification was read yet")
        breach = ctx.book.losses.breach
        closed = [
            (m, EffectiveState.REDUCE_ONLY, f"the exchange suspended {m}")
            for m, filters in ctx.filters.items()
            if not filters.active
        ]
        if market and all(listed.symbol != market for listed in ctx.spec.markets):
            closed.append((market, EffectiveState.REDUCE_ONLY, f"{market} is not in spec.markets any more"))
        effective = effective_state(
            build_demands(
                EffectiveState(ctx.spec.state),
                breach=(breach.effect, breach.id) if breach else None,
                kill=ctx.kill,
                halted=ctx.halted is not None,
                venue=closed,
            ),
            market,
        )
        if not ctx.deleting or ctx.kill:
            return effective
        state = state_while_deleting(ctx.spec.deletion_policy, effective.state)
        return Effective(state, Source.SPEC, "the account is being deleted")

    def fresh(self) -> set[str]:
        """Markets with a quote to be believed."""
        return {market for market in self._ctx.quotes if self._ctx.quote(market) is not None}

    def valuation(self) -> Valuation:
        ctx = self._ctx
        allocation = ctx.spec.capital.allocation if ctx.spec else ctx.book.allocation
        held = [market for market in ctx.book.ledger.held() if market in ctx.quotes]
        quotes = {market: ctx.quotes[market][0] for market in held}
        fresh = [market for market in held if ctx.quote(market) is not None]
        return mark(allocation, ctx.book.ledger, quotes, fresh, ctx.exchange_ms)

    def exposure(self, unguarded: str = "") -> Exposure:
        """Worst case per market; of the market `unguarded` without its protective orders, which make way for
        what is being judged."""
        book = self._ctx.book
        positions = {market: book.ledger.quantity(market) for market in book.ledger.held()}
        unsettled = book.unsettled()
        orders = [
            WorkingOrder(
                cid=o.cid,
                market=o.market,
                side=o.side,
                remaining=book.remaining(o),
                price=o.price,
                group=o.group,
            )
            for o in unsettled
            if not (o.market == unguarded and o.purpose is Purpose.PROTECTIVE)
        ]
        return build_exposure(positions, orders)

    def observe(self, spec: TradingAccountSpec) -> None:
        """Record new days, peaks, breaches and acknowledgements."""
        ctx, valuation = self._ctx, self.valuation()
        if not valuation.complete or ctx.clock.error_ms(ctx.now_ms) is None:
            self._unwatched = True
            return
        for ended in acknowledge(ctx.book.losses, spec.acknowledged_breach, valuation, ctx.exchange_ms):
            ctx.record(ended)
        before = self._previous if self._unwatched else None
        for record in observe(ctx.book.losses, valuation, spec.risk, ctx.exchange_ms, before):
            ctx.record(record)
        self._previous, self._unwatched = valuation, False

    def view(self, spec: TradingAccountSpec, market: str, *, unguarded: bool = False) -> View:
        """Everything that the checks look at; `unguarded` as in `exposure`."""
        ctx, exposure = self._ctx, self.exposure(market) if unguarded else self.exposure()
        balance, filters = ctx.balances.get(spec.capital.currency), ctx.filters.get(market)
        unsettled = ctx.book.unsettled()
        losses = {m.market: m.last_loss_ms for m in ctx.book.markets.values() if m.last_loss_ms}
        return View(
            spec=spec,
            now_ms=ctx.exchange_ms,
            state=self.state(market),
            exposure=exposure,
            marks={m: middle(quote) for m, (quote, _) in ctx.quotes.items()},
            fresh=self.fresh(),
            valuation=self.valuation(),
            losses=ctx.book.losses,
            costs={m: max(ctx.book.ledger.holding(m).cost, ZERO) for m in ctx.book.ledger.held()},
            last_losses_ms=losses,
            sent_ms=tuple(ctx.book.sent_ms),
            resting=sum(_rests(order) for order in unsettled),
            listed=sum(order.market == market for order in unsettled) + ctx.foreign[market],
            listable=filters.maximum_orders if filters else 0,
            stops=sum(o.market == market and o.trigger is not None for o in unsettled)
            + ctx.foreign_stops[market],
            stoppable=filters.maximum_stops if filters else 0,
            free_balance=balance.free if balance else None,
            holds=tuple(self.holds()),
            first=ctx.tuning.preflight and not (ctx.book.intents or ctx.book.fills or ctx.book.orders),
        )

    def holds(self) -> list[Hold]:
        """Conditions that forbid new exposure."""
        ctx, found = self._ctx, list(clock_skew(self._ctx))
        if not ctx.lead.reconciled:
            found.append(Hold("NotReconciled", "orders and trades were not yet compared with the exchange"))
        found += outstanding(ctx)
        shortfall = ctx.problems.get("BalanceShortfall")
        if shortfall:
            found.append(Hold("BalanceShortfall", shortfall))
        found += ctx.agreement.holds(ctx.book)
        return found
