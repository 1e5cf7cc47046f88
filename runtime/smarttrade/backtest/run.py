"""Drives the evaluation and execution cores through a history, on one virtual clock.

The log acknowledges at once and the lease never ends; everything else is what runs live: decisions, risk,
states, order life, exchange time and deadlines. Within one instant the market moves first, then every
candle that became final is decided on; what is decided reaches the exchange after the latency.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from smarttrade.api import Timeframe, TradingAccount
from smarttrade.backtest.exchange import CandleExchange
from smarttrade.backtest.history import History, Step, check_timeframes
from smarttrade.backtest.markets import build_filters
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.result import Point, Recorded
from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.evaluation.core import Core as Evaluation
from smarttrade.evaluation.loading import SOURCE_DIRECTORY, build_strategy, strategy_name
from smarttrade.exchange.capabilities import find_capability
from smarttrade.exchange.errors import NothingToCancelError, OrderWithheldError, VenueRejectedError
from smarttrade.exchange.venue import NewOrder
from smarttrade.execution import effects as fx
from smarttrade.execution.context import Tuning
from smarttrade.execution.core import Core as Execution
from smarttrade.identity import AccountIdentity
from smarttrade.messages import AccountView, Answer, Candle, Decision, DecisionOutcome, Fill

_NEVER_MS = 1e18
_SELDOM_MS = 3_600_000.0
# Nothing is lost here and no clock drifts, so what only guards against that happens seldom.
_TUNING = Tuning(
    hold_ms=0,
    settle_ms=0,
    reconcile_every_ms=_SELDOM_MS,
    clock_every_ms=_SELDOM_MS / 6,
    filters_every_ms=_NEVER_MS,
    report_every_ms=_NEVER_MS,
    snapshot_every=2**62,
)
_LEAST_WARMUP = 2


class Backtest:
    """One run; `run` may be called once."""

    def __init__(
        self,
        account: TradingAccount,
        history: History,
        assumptions: Assumptions,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        source: Path = SOURCE_DIRECTORY,
    ) -> None:
        spec = account.spec
        identity = AccountIdentity(
            "backtest", account.metadata.get("namespace", "default"), account.metadata["name"]
        )
        self._spec, self._history, self._to_ms = spec, history, to_ms
        self._strategy = build_strategy(spec, source)
        self._frames = tuple(dict.fromkeys((self._strategy.timeframe, *self._strategy.timeframes)))
        check_timeframes(history, self._frames)
        self.start_ms = self._first_traded_ms(from_ms)
        self._now_ms = float(self.start_ms)
        self._evaluation = Evaluation(identity, strategy_name(spec.strategy), self._strategy, 1)
        self._execution = Execution(identity, "backtest", _TUNING)
        row = find_capability(spec.exchange.name, spec.exchange.environment)
        filters = build_filters(history.prices())
        self._exchange = CandleExchange(filters, dict(row.codes), lambda: int(self._now_ms), assumptions)
        self._draw, self._latency_ms = random.Random(assumptions.seed), assumptions.latency_ms
        self._inputs: deque[fx.Input] = deque()
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._ordinal = 0
        self._timer_ms = _NEVER_MS
        self._sequence = 0
        self._feeding = False
        self._marked: dict[str, Candle] = {}
        self.recorded = Recorded(account=account, start_ms=self.start_ms, filters=self._exchange.filters)

    def run(self) -> Recorded:
        """Warm up without trading, then trade to the end of the data."""
        started = False
        steps = self._history.steps(self._frames, self._to_ms)
        coming = next(steps, None)
        while coming is not None:
            step, coming = coming, next(steps, None)
            if step.time_ms <= self.start_ms:
                self._evaluation.fill(step.final)
                self._marked.update((candle.market, candle) for candle in step.moved)
                continue
            if not started:
                started = True
                self._open(step)
            self._step(step, coming)
        if not started:
            raise ConfigurationError("nothing is left to trade on after the warm-up: give more data")
        return self.recorded

    # --- the clock ---

    def _first_traded_ms(self, from_ms: int | None) -> int:
        """Candles before this are warm-up: as many as live trading would have read."""
        warmup = max(_LEAST_WARMUP, self._spec.strategy.warmup or self._strategy.warmup)
        longest = max(self._lengths())
        warmed_ms = self._history.first_ms + warmup * longest
        if warmed_ms >= self._history.last_ms:
            raise ConfigurationError(
                f"the strategy needs {warmup} candles of {longest // 1000} s before its first decision, and "
                "the data ends before that: give more data"
            )
        return max(from_ms or 0, warmed_ms)

    def _lengths(self) -> list[int]:
        return [Timeframe(frame).milliseconds for frame in self._frames]

    def _after(self, delay_ms: float, act: Callable[[], None]) -> None:
        self._ordinal += 1
        heapq.heappush(self._waiting, (self._now_ms + delay_ms, self._ordinal, act))

    def _until(self, time_ms: float) -> None:
        """Everything that happens up to an instant: orders that arrive, timers."""
        while True:
            next_ms = self._waiting[0][0] if self._waiting else _NEVER_MS
            if min(next_ms, self._timer_ms) > time_ms:
                break
            if next_ms <= self._timer_ms:
                self._now_ms, _, act = heapq.heappop(self._waiting)
                act()
            else:
                self._now_ms, self._timer_ms = max(self._timer_ms, self._now_ms), _NEVER_MS
                for market in self._exchange.filters:
                    self._feed(fx.StreamSeen(market=market, fresh=True))
                self._feed(fx.Tick())
        self._now_ms = max(self._now_ms, float(time_ms))

    # --- the market ---

    def _open(self, first: Step) -> None:
        self._measure()
        self._feed(fx.ControlRead(generation=1, spec=self._spec))
        self._feed(fx.FiltersRead(filters=tuple(self._exchange.filters.values())))
        held = {p.symbol: p.quantity for p in self._spec.capital.initial_positions}
        self._exchange.book.restore(self._spec.capital.currency, self._spec.capital.allocation, held, ())
        self._feed(fx.LeaseGained(until_ms=_NEVER_MS))
        for candle in self._marked.values():
            self._exchange.end(candle)
            self._feed(fx.QuoteSeen(quote=self._exchange.quote(candle)))
        for candle in first.moved:
            self._exchange.begin(candle)

    def _step(self, step: Step, coming: Step | None) -> None:
        self._until(step.time_ms)
        for candle in step.moved:
            for report in self._exchange.end(candle):
                self._feed(fx.OrderSeen(report=report))
            self._feed(fx.QuoteSeen(quote=self._exchange.quote(candle)))
        for candle in coming.moved if coming else ():
            self._exchange.begin(candle)
        for candle in step.final:
            self._decide(self._evaluation.on_event(candle))
        self._until(step.time_ms)
        self._mark(step.time_ms)

    def _decide(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            self.recorded.decisions.append(decision)
            self._feed(fx.DecisionReceived(decision=decision, token=len(self.recorded.decisions)))

    def _mark(self, time_ms: int) -> None:
        equity, invested = self._execution.accounting.valuation().equity, Decimal(0)
        ledger = self._execution.ctx.book.ledger
        for market in ledger.held():
            invested += abs(ledger.quantity(market)) * self._exchange.last_price(market)
        self.recorded.points.append(Point(time_ms, equity, invested))

    # --- the execution core ---

    def _feed(self, event: fx.Input) -> None:
        """One input and all that follows from it at once, in order."""
        self._inputs.append(event)
        if self._feeding:
            return
        self._feeding = True
        try:
            while self._inputs:
                for effect in self._execution.handle(self._inputs.popleft(), self._now_ms):
                    self._perform(effect)
        finally:
            self._feeding = False

    def _perform(self, effect: fx.Effect) -> None:
        match effect:
            case fx.Append():
                self._sequence += 1
                self._feed(fx.Appended(sequence=self._sequence))
            case fx.SetTimer():
                self._timer_ms = min(self._timer_ms, max(effect.at_ms, self._now_ms + 1))
            case fx.Publish():
                self._publish(effect.message)
            case fx.Reply():
                if effect.reply.answer is Answer.DENIED:
                    self.recorded.denied(effect.reply)
            case fx.Send():
                self._after(self._latency(), lambda: self._place(effect))
            case fx.Cancel():
                self._after(self._latency(), lambda: self._cancel(effect))
            case fx.Query():
                report = self._exchange.book.query(effect.cid)
                self._feed(fx.QueryAnswered(cid=effect.cid, report=report, asked_ms=self._now_ms))
            case fx.ReadAccount():
                self._read_account()
            case fx.MeasureClock():
                self._measure()
            case fx.ReleaseLease() | fx.Reload():
                raise SmartTradeError(f"the backtest lost its lead: {effect.reason}")
            case _:
                pass

    def _publish(self, message: Fill | DecisionOutcome | AccountView | object) -> None:
        if isinstance(message, AccountView):
            self._evaluation.on_view(message)
        elif isinstance(message, Fill):
            self.recorded.fills.append(message)
            self._decide(self._evaluation.on_event(message))
        elif isinstance(message, DecisionOutcome):
            self.recorded.outcomes.append(message)

    def _measure(self) -> None:
        self._feed(fx.ClockSampled(sent_ms=self._now_ms, received_ms=self._now_ms, exchange_ms=self._now_ms))

    # --- requests ---

    def _latency(self) -> float:
        return self._latency_ms * self._draw.uniform(0.5, 1.5)

    def _place(self, effect: fx.Send) -> None:
        order = NewOrder(
            client_order_id=effect.cid,
            market=effect.market,
            side=effect.side,
            kind=effect.kind,
            price=effect.price,
            quantity=effect.quantity,
            deadline_ms=effect.deadline_ms,
            window_ms=effect.window_ms,
        )
        self.recorded.orders += 1
        for other in self._exchange.arrive(effect.market):
            self._feed(fx.OrderSeen(report=other))
        try:
            report = self._exchange.book.place(order, lambda: True)
        except OrderWithheldError:
            self._feed(fx.SendWithheld(cid=effect.cid))
        except VenueRejectedError as error:
            self._feed(fx.SendRejected(cid=effect.cid, code=error.code, message=error.message))
        else:
            self._feed(fx.SendSucceeded(cid=effect.cid, report=report))

    def _cancel(self, effect: fx.Cancel) -> None:
        try:
            report = self._exchange.book.cancel(effect.cid)
        except NothingToCancelError as error:
            self._feed(fx.CancelFailed(cid=effect.cid, gone=True, reason=str(error)))
        else:
            self._feed(fx.OrderSeen(report=report))

    def _read_account(self) -> None:
        orders, balances = self._exchange.book.read_account()
        self._feed(fx.AccountRead(orders=orders, trades=(), balances=balances, asked_ms=self._now_ms))
