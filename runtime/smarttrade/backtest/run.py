"""Drives the evaluation and execution cores through a history, on one virtual clock.

Within one instant the market moves first, then every candle that became final is decided on; what is decided
reaches the exchange after the latency.

Most candles change nothing: no order is out, no limit is near, and the strategy wants what already is. While
the execution core is calm (`execution.calm`) and a candle stays within its bounds, the candle's quote is kept
back; the next replaces it. The core gets it as soon as anything depends on it: a decision that would not be
reached at once, a strategy that reads the account, a candle out of bounds. So nothing is left out that could
matter; a run without this gives the same orders, fills, equity and denials (`skip=False`, and a test).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

from smarttrade.api import Timeframe, TradingAccount
from smarttrade.backtest.desk import Desk
from smarttrade.backtest.exchange import CandleExchange, TradeExchange
from smarttrade.backtest.garbage import seldom_collecting
from smarttrade.backtest.history import History, Moved, Step, check_timeframes
from smarttrade.backtest.markets import build_filters
from smarttrade.backtest.marks import Marks
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.repeats import Decisions, Outcomes
from smarttrade.backtest.result import Recorded
from smarttrade.backtest.trades import TradeHistory
from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.core import Core as Evaluation
from smarttrade.evaluation.core import Draft
from smarttrade.evaluation.loading import SOURCE_DIRECTORY, build_strategy, strategy_name
from smarttrade.exchange.capabilities import find_capability
from smarttrade.execution import effects as fx
from smarttrade.execution.calm import find_calm, is_reached
from smarttrade.identity import AccountIdentity
from smarttrade.messages import Candle, Decision, DecisionOutcome, Fill, RestingOrders, Target

_LEAST_WARMUP = 2


class Backtest:
    """One run; `run` may be called once. With the `identity` of a running account ids are that account's."""

    def __init__(
        self,
        account: TradingAccount,
        history: History,
        assumptions: Assumptions,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        source: Path = SOURCE_DIRECTORY,
        identity: AccountIdentity | None = None,
        skip: bool = True,
    ) -> None:
        spec = account.spec
        identity = identity or AccountIdentity(
            "backtest", account.metadata.get("namespace", "default"), account.metadata["name"]
        )
        self._spec, self._history, self._to_ms = spec, history, to_ms
        self._strategy = build_strategy(spec, source)
        self._frames = tuple(dict.fromkeys((self._strategy.timeframe, *self._strategy.timeframes)))
        check_timeframes(history, self._frames)
        self.start_ms = self._first_traded_ms(from_ms)
        self._evaluation = Evaluation(identity, strategy_name(spec.strategy), self._strategy, 1)
        self._evaluation.look_with(self._look)
        row = find_capability(spec.exchange.name, spec.exchange.environment)
        filters = build_filters(history.prices())
        decisions = Decisions(self._evaluation.decide)
        self.recorded = Recorded(
            account=account,
            start_ms=self.start_ms,
            filters={rules.market: rules for rules in filters},
            decisions=decisions,
            outcomes=Outcomes(decisions),
        )
        self.desk = Desk(identity, self.start_ms, assumptions, self._told, self.recorded.denied)
        clock, codes = lambda: int(self.desk.now_ms), dict(row.codes)
        self._exchange: CandleExchange | TradeExchange
        if isinstance(history, TradeHistory):
            self._exchange = TradeExchange(filters, codes, clock, assumptions, history.quoted)
        else:
            self._exchange = CandleExchange(filters, codes, clock, assumptions)
        self.recorded.fill_model = self._exchange.fill_model
        counting = self._exchange if skip and isinstance(self._exchange, CandleExchange) else None
        self._counting = counting
        self._marks = Marks(self.recorded.points, self.desk.core, counting, history)
        self._calm_ms = 0.0
        self._closes: dict[str, tuple[Decimal, Decimal]] = {}
        self._kept_back: list[tuple[Step, Step | None]] = []
        self._several = len(history.candles) > 1
        self._opened = False
        self._reached: dict[str, Decimal] = {}

    def run(self) -> Recorded:
        """Warm up without trading, then trade to the end of the data."""
        steps = self._history.steps(self._frames, self._to_ms)
        warm: dict[tuple[str, type], Moved] = {}
        coming = next(steps, None)
        while coming is not None and coming.time_ms <= self.start_ms:
            self._evaluation.fill(event for event in coming.told if isinstance(event, Candle))
            warm.update(((event.market, type(event)), event) for event in coming.moved)
            coming = next(steps, None)
        if coming is None:
            raise ConfigurationError("nothing is left to trade on after the warm-up: give more data")
        self._open(warm.values(), coming)
        with seldom_collecting():
            last_ms = self._trade(coming, steps)
        self._marks.release(last_ms)
        self.recorded.orders = self.desk.orders
        return self.recorded

    def _trade(self, step: Step, steps: Iterator[Step]) -> int:
        """Step by step to the end of the data; its time."""
        coming: Step | None = step
        while coming is not None:
            step = coming
            if self._stays_calm(step) or self._becomes_calm(step):
                step, coming = self._glide(step, steps)
            else:
                coming = next(steps, None)
                self._step(step, coming)
        self._catch_up()
        return step.time_ms

    def _first_traded_ms(self, from_ms: int | None) -> int:
        """Candles before this are warm-up: as many as live trading would have read."""
        warmup = max(_LEAST_WARMUP, self._spec.strategy.warmup or self._strategy.warmup)
        longest = max((Timeframe(frame) for frame in self._frames), key=lambda frame: frame.milliseconds)
        warmed_ms = self._history.first_ms + longest.span_ms(warmup)
        if warmed_ms >= self._history.last_ms:
            raise ConfigurationError(
                f"the strategy needs {warmup} candles of {longest} before its first decision, and "
                "the data ends before that: give more data"
            )
        return max(from_ms or 0, warmed_ms)

    # --- one step ---

    def _open(self, warm: Iterable[Moved], first: Step) -> None:
        self.desk.open(self._spec, self._exchange)
        self._opened = True
        for event in warm:
            self.desk.move(event)
        for event in first.moved:
            self._exchange.begin(event)

    def _step(self, step: Step, coming: Step | None) -> None:
        self._calm_ms = 0.0
        self._move(step, coming)
        for event in step.told:
            for draft in self._evaluation.consider(event):
                self._decide(self._evaluation.decide(draft))
        self._finish(step)

    def _move(self, step: Step, coming: Step | None) -> None:
        for event in step.moved:
            self.desk.move(event)
        for event in coming.moved if coming else ():
            self._exchange.begin(event)

    def _finish(self, step: Step) -> None:
        self.desk.until(step.time_ms)
        if step.closes:
            self._marks.at(step.time_ms)

    def _decide(self, decision: Decision) -> None:
        self.recorded.decisions.append(decision)
        self.desk.feed(fx.DecisionReceived(decision=decision, token=len(self.recorded.decisions)))

    def _look(self) -> None:
        """The strategy is about to read the account."""
        self._catch_up()
        if self._opened:
            self._evaluation.on_view(self.desk.core.reporting.look())

    def _told(self, message: Fill | object) -> None:
        if isinstance(message, Fill):
            self.recorded.fills.append(message)
            for decision in self._evaluation.on_event(message):
                self._decide(decision)
        elif isinstance(message, DecisionOutcome):
            self.recorded.outcomes.append(message)

    # --- steps that change nothing ---

    def _stays_calm(self, step: Step) -> bool:
        """Whether the core, if told of this step, could do nothing about it."""
        if step.time_ms >= self._calm_ms:
            return False
        if self._several and self._kept_back and len(self._kept_back[-1][0].moved) != len(step.moved):
            return False
        closes = self._closes
        for candle in step.moved if closes else ():
            bounds = closes.get(candle.market)
            if bounds is not None and not (
                isinstance(candle, Candle) and bounds[0] < candle.close < bounds[1]
            ):
                return False
        return True

    def _becomes_calm(self, step: Step) -> bool:
        """Bring the core up to a step, and see whether it has anything to do with it then."""
        self._catch_up()
        self.desk.until(step.time_ms)
        calm, exchange = None, self._counting
        if exchange is not None and not self.desk.waiting:
            calm = find_calm(self.desk.core.ctx, self.desk.core.accounting)
        if exchange is None or calm is None or not self._marks.follow(step.time_ms):
            return False
        self._calm_ms = min(calm.until_ms, self.desk.timer_ms)
        self._closes = {market: exchange.closes_within(market, *bids) for market, bids in calm.bids.items()}
        return self._stays_calm(step)

    def _glide(self, step: Step, steps: Iterator[Step]) -> tuple[Step, Step | None]:
        """Steps of which the core need not know, up to one that it must know of, because something depends on
        it; that one, and the next."""
        consider, decisions = self._evaluation.consider, self.recorded.decisions
        while True:
            coming = next(steps, None)
            if self._several:
                # The core sees the quotes of one instant one by one, beside older ones of other markets.
                self._kept_back = [*(self._kept_back[-1:] if len(step.moved) > 1 else ()), (step, coming)]
            else:
                self._kept_back = [(step, coming)]
            for event in step.told:
                for draft in consider(event):
                    if not (self._calm_ms and (decisions.again(draft) or self._repeats(draft, step.time_ms))):
                        self._catch_up()
                        self._decide(self._evaluation.decide(draft))
            if not self._calm_ms:
                self._finish(step)
                return step, coming
            if coming is None or not self._stays_calm(coming):
                return step, coming
            step = coming

    def _repeats(self, draft: Draft, now_ms: int) -> bool:
        return self._already_is(draft.market, draft.want, now_ms) and self.recorded.decisions.repeat(draft)

    def _already_is(self, market: str, want: Target | RestingOrders, now_ms: int) -> bool:
        if not isinstance(want, Target) or want.valid_until_ms <= now_ms:
            return False
        if self._reached.get(market) is want.quantity:
            return True
        reached = is_reached(self.desk.core.ctx, market, want)
        if reached:
            self._reached[market] = want.quantity
        return reached

    def _catch_up(self) -> None:
        """Tell the core what was kept back."""
        self._calm_ms = 0.0
        self._reached.clear()
        self.recorded.decisions.interrupt()
        kept_back, self._kept_back = self._kept_back, []
        for step, coming in kept_back:
            self.desk.now_ms = float(step.time_ms)
            self._move(step, coming)
