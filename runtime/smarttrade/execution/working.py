"""Decides the next step of one market. Called after everything that may have changed something.

It looks at the folded state only, never at how it came about: a new leader that has just replayed the log
goes on exactly where the old one stopped, also at an order that was voided and not yet tried again.
"""

from __future__ import annotations

from decimal import Decimal

from smarttrade.api import DeletionPolicy, TradingAccountSpec
from smarttrade.exchange.reports import MarketFilters, OrderKind
from smarttrade.execution.accounting import Accounting
from smarttrade.execution.book import DEADLINE_MISSED
from smarttrade.execution.cancelling import Cancelling
from smarttrade.execution.context import Context
from smarttrade.execution.decisions import Decisions
from smarttrade.execution.flatten import FLATTEN_STRATEGY, PROTECTION_STRATEGY, build_exit
from smarttrade.execution.guarding import Guarding
from smarttrade.execution.intents import open_intent
from smarttrade.execution.orders import Order, OrderState, Purpose
from smarttrade.execution.policy import allows_opening, allows_reducing, keeps_protection, must_cancel
from smarttrade.execution.protection import least
from smarttrade.execution.reconciliation import EXCHANGE_UNREACHABLE
from smarttrade.execution.resting import Resting
from smarttrade.execution.risk import Answer, Proposal, check
from smarttrade.execution.snapshot import MarketBook
from smarttrade.execution.targets import Leg, dead_band, floor_to, middle, plan_leg
from smarttrade.messages import Decision, EffectiveState, OrderStyle, Outcome, Quote, Side, Target

_PURPOSES = {FLATTEN_STRATEGY: Purpose.FLATTEN, PROTECTION_STRATEGY: Purpose.STOP_EXIT}
_IN_DOUBT = (OrderState.UNKNOWN, OrderState.PENDING_NEW)


class Working:
    """Brings each market to what was decided, one order at a time."""

    def __init__(
        self,
        ctx: Context,
        decisions: Decisions,
        accounting: Accounting,
        cancelling: Cancelling,
        resting: Resting,
        guarding: Guarding,
    ) -> None:
        self._ctx = ctx
        self._decisions = decisions
        self._accounting = accounting
        self._cancelling = cancelling
        self._resting = resting
        self._guarding = guarding

    def advance(self, market: str) -> None:
        """Do what can be done now, or set a timer, or wait for an answer that will come."""
        ctx, spec = self._ctx, self._ctx.spec
        if (
            spec is None
            or not ctx.leading
            or not ctx.lead.reconciled
            or ctx.clock.error_ms(ctx.now_ms) is None
        ):
            return
        state = self._accounting.state(market).state
        working = ctx.book.unsettled(market)
        if ctx.deleting and spec.deletion_policy is DeletionPolicy.RETAIN:
            self._leave_alone(market, working)
            return
        if state is EffectiveState.FLATTEN:
            self._begin_exit(market)
        self._guarding.watch(spec, market, state)
        book = ctx.book.market(market)
        self._end_what_was_stopped(book)
        for order in working:
            unwanted = must_cancel(state, order) or _superseded(order, book)
            if unwanted or order.state is OrderState.PENDING_CANCEL:
                self._cancelling.request(order)
        others = [order for order in working if order.purpose is not Purpose.PROTECTIVE]
        in_doubt = any(order.state in _IN_DOUBT for order in others)
        if ctx.book.restoring:  # what the lost end of the log had sent may still show
            self._cancelling.request_all(others)
            return
        selling = False
        if market in ctx.fired and self._protect_first(spec, market, state):
            return
        if book.standing is not None:
            self._resting.advance(book.standing, state, in_doubt=in_doubt)
        elif in_doubt:
            selling = any(order.side is Side.SELL for order in others)
        elif book.current is not None and isinstance(book.current.want, Target):
            selling = self._towards(spec, book.current, book.current.want, others, state)
        else:
            self._cancelling.request_all(others)
        self._guarding.maintain(spec, market, state, selling=selling)

    def passed_over(self, market: str) -> None:
        """A passive order was refused because it would have matched: try anew, later each time, but no later
        than its patience ends."""
        ctx, book = self._ctx, self._ctx.book.market(market)
        tries = min(book.matched, ctx.tuning.residual_legs)
        pause_ms = ctx.tuning.residual_backoff_ms * 2 ** max(tries - 1, 0)
        timeout_ms = _timeout_ms(ctx.spec)
        if timeout_ms:
            pause_ms = min(pause_ms, max(book.tried_ms + timeout_ms - ctx.exchange_ms, 1))
        ctx.resume_ms[market] = ctx.now_ms + pause_ms

    def _would_buy(self, decision: Decision) -> bool:
        want = decision.want
        return not isinstance(want, Target) or want.quantity > self._ctx.position(decision.market)

    def _protect_first(self, spec: TradingAccountSpec, market: str, state: EffectiveState) -> bool:
        """After the exchange cancelled everything: protection comes before what adds to the position. Whether
        it is still on its way."""
        self._guarding.maintain(spec, market, state, selling=False)
        if self._guarding.pending(market):
            return True
        self._ctx.fired.discard(market)
        return False

    def _end_what_was_stopped(self, book: MarketBook) -> None:
        """A protective fill ends the decision of the position: it must not buy back what was just sold. So
        does a loss of the log."""
        if book.current is None:
            return
        ours = book.current.strategy in _PURPOSES
        if not ours and book.current.event_time_ms <= self._ctx.book.not_before_ms:
            message = "the log was lost after this event: it may have been acted on already"
            self._decisions.close(book.current, Outcome.PARKED, "BeforeLogLoss", message)
        elif book.current.id == book.stopped and self._would_buy(book.current):
            message = "a protective order sold; a new decision may enter again"
            self._decisions.close(book.current, Outcome.PARKED, "ProtectionFilled", message)

    def _leave_alone(self, market: str, working: list[Order]) -> None:
        """Deletion with Retain: what rests stays, and nothing new is begun."""
        current = self._ctx.book.market(market).current
        if current is not None and all(order.resting for order in working):
            self._decisions.close(current, Outcome.DENIED, "Deleting", "the account is being deleted")

    def _begin_exit(self, market: str) -> None:
        ctx, book = self._ctx, self._ctx.book.market(market)
        if book.current is not None and book.current.strategy == FLATTEN_STRATEGY:
            return
        if book.current is None and (not self._sellable(market) or self._backing_off(market)):
            return
        self._decisions.accept(
            build_exit(
                ctx.identity, market, ctx.exchange_ms, book.high_water.get(FLATTEN_STRATEGY), ctx.generation
            )
        )

    def _sellable(self, market: str) -> bool:
        filters, held = self._ctx.filters.get(market), self._ctx.quotes.get(market)
        position = self._ctx.position(market)
        if filters is None or held is None:
            return position > 0
        return position >= dead_band(Decimal(0), middle(held[0]), filters, Decimal(0))

    def _towards(
        self,
        spec: TradingAccountSpec,
        decision: Decision,
        want: Target,
        working: list[Order],
        state: EffectiveState,
    ) -> bool:
        """The next step; whether the position is on its way out, so that nothing may lock it."""
        ctx = self._ctx
        if ctx.lead.draining and not working:
            return False
        if working:
            self._wait_or_cancel(spec, decision, want, working)
            return any(order.side is Side.SELL for order in working)
        quote, filters = self._price(decision.market), ctx.filters.get(decision.market)
        reducing = want.quantity < ctx.position(decision.market)
        if not reducing and want.valid_until_ms <= ctx.exchange_ms:
            self._decisions.close(decision, Outcome.EXPIRED)
            return False
        if quote is None or filters is None:
            return False
        if self._reached(spec, want, decision.market, quote, filters):
            self._decisions.close(decision, Outcome.REACHED)
            return False
        if not (allows_opening(state) or (reducing and self._may_reduce(decision, state))):
            message = f"the account is {self._accounting.state(decision.market).explanation}"
            self._decisions.close(decision, Outcome.DENIED, f"State{state}", message)
            return False
        if self._exhausted(decision):
            return False
        if self._backing_off(decision.market):
            return reducing and self._ctx.book.market(decision.market).legs > 0
        return self._send(spec, decision, want, quote, filters)

    def _may_reduce(self, decision: Decision, state: EffectiveState) -> bool:
        exits = state is EffectiveState.FLATTEN and decision.strategy == FLATTEN_STRATEGY
        stopped = keeps_protection(state) and decision.strategy == PROTECTION_STRATEGY
        return allows_reducing(state) or exits or stopped

    def _price(self, market: str) -> Quote | None:
        """A reducing order may use an old quote: the collar bounds it, and waiting may cost more."""
        held = self._ctx.quotes.get(market)
        return held[0] if held else None

    def _reached(
        self, spec: TradingAccountSpec, want: Target, market: str, quote: Quote, filters: MarketFilters
    ) -> bool:
        band = dead_band(want.quantity, middle(quote), filters, spec.orders.rebalance_threshold)
        difference = want.quantity - self._ctx.position(market)
        return abs(difference) < band or floor_to(abs(difference), filters.lot) <= 0

    def _wait_or_cancel(
        self, spec: TradingAccountSpec, decision: Decision, want: Target, working: list[Order]
    ) -> None:
        """Immediate orders end by themselves; resting ones end when they are no longer wanted."""
        for order in working:
            if order.kind is OrderKind.LIMIT_IOC or not order.resting:
                continue
            ends = self._patience_ends_ms(spec, want, order)
            if order.decision_id != decision.id or (ends is not None and self._ctx.exchange_ms >= ends):
                self._cancelling.request(order)
            elif ends is not None:
                self._ctx.wake_at(self._ctx.now_ms + ends - self._ctx.exchange_ms)

    def _patience_ends_ms(self, spec: TradingAccountSpec, want: Target, order: Order) -> int | None:
        limit_ms, tried_ms = _timeout_ms(spec), self._ctx.book.market(order.market).tried_ms
        timeout = (tried_ms or order.deadline_ms) + limit_ms if limit_ms else None
        expiry = want.valid_until_ms if order.side == "Buy" else None
        return min((each for each in (timeout, expiry) if each is not None), default=None)

    def _exhausted(self, decision: Decision) -> bool:
        book, tuning = self._ctx.book.market(decision.market), self._ctx.tuning
        if book.refusals >= tuning.refusals:
            message = f"{book.refusals} attempts arrived after their deadline; compare the clocks"
            self._decisions.close(decision, Outcome.PARKED, "DeadlineMissed", message)
        elif self._unfilled(book) > tuning.residual_legs and decision.strategy != FLATTEN_STRATEGY:
            message = f"{self._unfilled(book)} orders did not fill whole; a new decision starts over"
            self._decisions.close(decision, Outcome.PARKED, "NotFilled", message)
        else:
            return False
        return True

    def _unfilled(self, book: MarketBook) -> int:
        """What would have matched is tried until its time is over; where it has none, it counts."""
        return book.residuals + (0 if _timeout_ms(self._ctx.spec) else book.matched)

    def _backing_off(self, market: str) -> bool:
        ctx = self._ctx
        resume = ctx.resume_ms.get(market, 0.0)
        if ctx.now_ms >= resume:
            return False
        ctx.wake_at(resume)
        return True

    def _send(
        self, spec: TradingAccountSpec, decision: Decision, want: Target, quote: Quote, filters: MarketFilters
    ) -> bool:
        """Send the next order, or make way for it; whether it sells."""
        ctx, book = self._ctx, self._ctx.book.market(decision.market)
        own_ask = self._own_ask(decision.market)
        leg = plan_leg(
            want,
            ctx.position(decision.market),
            quote,
            filters,
            collar=spec.risk.price_collar,
            maximum_notional=spec.risk.max_order_notional,
            patient=self._patient(spec, want, decision),
            below=least([want.take_profit, own_ask if own_ask is not None and own_ask > quote.ask else None]),
        )
        if leg.quantity <= 0:
            self._decisions.close(decision, Outcome.REACHED, "BelowLot")
            return False
        if leg.side is Side.BUY and EXCHANGE_UNREACHABLE in ctx.problems:
            return False
        if leg.side is Side.BUY and self._would_stop_at_once(want, quote):
            message = f"its stop or profit is reached already: bid {quote.bid:f}, ask {quote.ask:f}"
            self._decisions.close(decision, Outcome.DENIED, "ProtectionCrossed", message)
            return False
        purpose = _PURPOSES.get(decision.strategy, Purpose.TARGET)
        allowed = self._judge(spec, decision, leg, purpose, filters)
        if allowed is None:
            return False
        if (leg.side is Side.SELL or _meets(leg, own_ask)) and not self._makes_way(decision.market):
            return True
        retry = self._retried(decision)
        number = book.legs if retry else book.legs + 1
        open_intent(
            ctx,
            decision.market,
            decision.id,
            allowed,
            purpose,
            number=number,
            attempt=book.attempts + 1 if retry else 1,
        )
        return leg.side is Side.SELL

    def _own_ask(self, market: str) -> Decimal | None:
        """The price at which the position's profit waits: a buy that reached it would trade with the account
        itself, for two fees and nothing else."""
        guards = (o for o in self._ctx.book.unsettled(market) if o.purpose is Purpose.PROTECTIVE)
        return least(o.price for o in guards if o.trigger is None)

    def _makes_way(self, market: str) -> bool:
        """Whether no protection is in the way of what is to be sold, or of a buy that would meet it; what is
        goes first, and is waited for."""
        guards = [o for o in self._ctx.book.unsettled(market) if o.purpose is Purpose.PROTECTIVE]
        self._cancelling.request_all(guards)
        return not guards

    def _would_stop_at_once(self, want: Target, quote: Quote) -> bool:
        stopped = want.stop_loss is not None and want.stop_loss >= quote.bid
        return stopped or (want.take_profit is not None and want.take_profit <= quote.ask)

    def _patient(self, spec: TradingAccountSpec, want: Target, decision: Decision) -> bool:
        """Whether a passive decision may still rest: none of its orders has ended after it had rested, and
        its time, which begins with its first order, is not over."""
        timeout_ms, book = _timeout_ms(spec), self._ctx.book.market(decision.market)
        if want.style is not OrderStyle.PASSIVE or not timeout_ms:
            return want.style is OrderStyle.PASSIVE
        in_time = not book.matched or self._ctx.exchange_ms < book.tried_ms + timeout_ms
        return book.residuals == 0 and in_time

    def _retried(self, decision: Decision) -> bool:
        """Whether the newest order of the decision never came to be: the same leg is tried again."""
        newest = self._ctx.book.orders.get(self._ctx.book.market(decision.market).newest)
        return newest is not None and (newest.state is OrderState.VOID or newest.code == DEADLINE_MISSED)

    def _judge(
        self, spec: TradingAccountSpec, decision: Decision, leg: Leg, purpose: Purpose, filters: MarketFilters
    ) -> Leg | None:
        """The leg as risk allows it; None if it was denied or has to wait."""
        ctx = self._ctx
        immediate = leg.kind is OrderKind.LIMIT_IOC
        proposal = Proposal(
            market=decision.market,
            side=leg.side,
            quantity=leg.quantity,
            price=leg.reference if immediate else leg.price,
            purpose=purpose,
            rests=not immediate,
        )
        verdict = check(proposal, self._accounting.view(spec, decision.market, unguarded=True))
        if verdict.answer is Answer.DENIED:
            self._decisions.close(decision, Outcome.DENIED, verdict.code, verdict.message)
            return None
        if verdict.answer is Answer.WAIT:
            ctx.wake_at(ctx.now_ms + max(verdict.until_ms - ctx.exchange_ms, 1))
            return None
        quantity = floor_to(min(verdict.quantity, leg.quantity), filters.lot)
        return Leg(leg.side, leg.kind, leg.price, quantity, leg.reference) if quantity > 0 else None


def _meets(leg: Leg, own_ask: Decimal | None) -> bool:
    """Whether a buy takes what is offered at the account's own price."""
    return leg.kind is OrderKind.LIMIT_IOC and own_ask is not None and own_ask <= leg.price


def _timeout_ms(spec: TradingAccountSpec | None) -> int:
    return int(spec.orders.passive_timeout.seconds * 1000) if spec is not None else 0


def _superseded(order: Order, book: MarketBook) -> bool:
    """Whether a resting order has no decision behind it; those of a set are the next set's to judge.

    It goes at once, also while another order of the market is in doubt: it may fill meanwhile.
    """
    if not order.resting:
        return False
    if order.purpose is Purpose.PROTECTIVE:
        return False
    if order.purpose is Purpose.RESTING:
        return book.standing is None
    return book.current is None or order.decision_id != book.current.id
