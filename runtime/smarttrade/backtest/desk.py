"""The execution core of a backtest: what it asks for happens on the virtual clock, after the latency.

The log acknowledges at once and the lease never ends; everything else is what runs live: decisions, risk,
states, order life, exchange time and deadlines.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from typing import Any

from smarttrade.api import TradingAccountSpec
from smarttrade.backtest.exchange import CandleExchange, TradeExchange
from smarttrade.backtest.history import Moved
from smarttrade.backtest.options import Assumptions
from smarttrade.errors import SmartTradeError
from smarttrade.exchange.errors import NothingToCancelError, OrderWithheldError, VenueRejectedError
from smarttrade.exchange.reports import OrderReport
from smarttrade.execution import effects as fx
from smarttrade.execution.clock import ExchangeClock
from smarttrade.execution.context import Tuning
from smarttrade.execution.core import Core
from smarttrade.execution.exchange_link import build_order
from smarttrade.identity import AccountIdentity
from smarttrade.messages import Answer, DecisionReply, Fill

NEVER_MS = 1e18
# Nothing is lost here and no clock drifts: what guards against that has nothing to do.
_TUNING = Tuning(
    hold_ms=0,
    settle_ms=0,
    reconcile_every_ms=NEVER_MS,
    clock_every_ms=NEVER_MS,
    filters_every_ms=NEVER_MS,
    reports=False,
    snapshot_every=2**62,
)
Publish = Callable[[Fill | object], None]


class Desk:
    """One account. `publish` gets what execution tells the strategy, `refuse` what it refuses at the door."""

    def __init__(
        self,
        identity: AccountIdentity,
        start_ms: int,
        assumptions: Assumptions,
        publish: Publish,
        refuse: Callable[[DecisionReply], None],
    ) -> None:
        self.core = Core(identity, "backtest", _TUNING)
        self.core.ctx.clock = ExchangeClock(drift=0.0)
        self.now_ms = float(start_ms)
        self.orders = 0
        self.timer_ms = NEVER_MS
        self.waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._refuse = refuse
        self._draw, self._latency_ms = random.Random(assumptions.seed), assumptions.latency_ms
        self._inputs: deque[fx.Input] = deque()
        self._ordinal = 0
        self._sequence = 0
        self._feeding = False
        self._acts: dict[type, Callable[[Any], None]] = {
            fx.Append: self._append,
            fx.SetTimer: self._set_timer,
            fx.Publish: lambda effect: publish(effect.message),
            fx.Reply: self._reply,
            fx.Send: lambda effect: self._after(self._latency(), lambda: self._place(effect)),
            fx.SendPair: lambda effect: self._after(self._latency(), lambda: self._place_pair(effect)),
            fx.Cancel: lambda effect: self._after(self._latency(), lambda: self._cancel(effect)),
            fx.Amend: lambda effect: self._after(self._latency(), lambda: self._amend(effect)),
            fx.Query: self._query,
            fx.ReadAccount: lambda effect: self._read_account(),
            fx.MeasureClock: lambda effect: self._measure(),
            fx.ReleaseLease: self._lost,
            fx.Reload: self._lost,
        }

    def open(self, spec: TradingAccountSpec, exchange: CandleExchange | TradeExchange) -> None:
        """Take the lead with an empty log and the capital that the specification names."""
        self._exchange = exchange
        self._watches_wallet = spec.risk.minimum_balance > 0
        self._measure()
        self.feed(fx.ControlRead(generation=1, spec=spec))
        self.feed(fx.FiltersRead(filters=tuple(exchange.filters.values())))
        held = {p.symbol: p.quantity for p in spec.capital.initial_positions}
        exchange.book.restore(spec.capital.currency, spec.capital.allocation, held, ())
        self.feed(fx.LeaseGained(until_ms=NEVER_MS))

    # --- the clock ---

    def until(self, time_ms: float) -> None:
        """Everything that happens up to an instant: orders that arrive, timers."""
        while True:
            next_ms = self.waiting[0][0] if self.waiting else NEVER_MS
            if min(next_ms, self.timer_ms) > time_ms:
                break
            if next_ms <= self.timer_ms:
                self.now_ms, _, act = heapq.heappop(self.waiting)
                act()
            else:
                self.now_ms, self.timer_ms = max(self.timer_ms, self.now_ms), NEVER_MS
                for market in self._exchange.filters:
                    self.feed(fx.StreamSeen(market=market, fresh=True))
                self.feed(fx.Tick())
        self.now_ms = max(self.now_ms, float(time_ms))

    def _after(self, delay_ms: float, act: Callable[[], None]) -> None:
        self._ordinal += 1
        heapq.heappush(self.waiting, (self.now_ms + delay_ms, self._ordinal, act))

    # --- the core ---

    def move(self, event: Moved) -> None:
        """The market has moved: what it filled, and how it stands."""
        for report in self._exchange.end(event):
            self._seen(fx.OrderSeen(report=report))
        quote = self._exchange.quote(event)
        if quote is not None:
            self.feed(fx.QuoteSeen(quote=quote))

    def _seen(self, event: fx.OrderSeen | fx.SendSucceeded) -> None:
        """An order changed, and the wallet with it."""
        self.feed(event)
        if self._watches_wallet:
            self._read_account()

    def feed(self, event: fx.Input) -> None:
        """One input and all that follows from it at once, in order."""
        self._inputs.append(event)
        if self._feeding:
            return
        self._feeding, inputs, acts = True, self._inputs, self._acts
        try:
            while inputs:
                for effect in self.core.handle(inputs.popleft(), self.now_ms):
                    act = acts.get(type(effect))
                    if act is not None:
                        act(effect)
        finally:
            self._feeding = False

    def _append(self, effect: fx.Append) -> None:
        self._sequence += 1
        self.feed(fx.Appended(sequence=self._sequence))

    def _set_timer(self, effect: fx.SetTimer) -> None:
        if effect.at_ms < self.timer_ms:
            self.timer_ms = min(self.timer_ms, max(effect.at_ms, self.now_ms + 1))

    def _reply(self, effect: fx.Reply) -> None:
        if effect.reply.answer is Answer.DENIED:
            self._refuse(effect.reply)

    def _query(self, effect: fx.Query) -> None:
        report = self._exchange.book.query(effect.cid)
        self.feed(fx.QueryAnswered(cid=effect.cid, report=report, asked_ms=self.now_ms))

    def _lost(self, effect: fx.ReleaseLease | fx.Reload) -> None:
        raise SmartTradeError(f"the backtest lost its lead: {effect.reason}")

    def _measure(self) -> None:
        self.feed(fx.ClockSampled(sent_ms=self.now_ms, received_ms=self.now_ms, exchange_ms=self.now_ms))

    # --- requests ---

    def _latency(self) -> float:
        return self._latency_ms * self._draw.uniform(0.5, 1.5)

    def _place(self, effect: fx.Send) -> None:
        book = self._exchange.book
        self._placed((effect,), lambda: (book.place(build_order(effect), lambda: True),))

    def _place_pair(self, effect: fx.SendPair) -> None:
        limit, stop = build_order(effect.limit), build_order(effect.stop)
        book = self._exchange.book
        self._placed(effect.legs, lambda: book.place_pair(effect.group, limit, stop, lambda: True))

    def _placed(self, sends: tuple[fx.Send, ...], place: Callable[[], tuple[OrderReport, ...]]) -> None:
        """One request reaches the exchange; what comes of each of its orders."""
        self.orders += len(sends)
        for other in self._exchange.arrive(sends[0].market):
            self._seen(fx.OrderSeen(report=other))
        try:
            reports = place()
        except OrderWithheldError:
            for send in sends:
                self.feed(fx.SendWithheld(cid=send.cid))
        except VenueRejectedError as error:
            for send in sends:
                self.feed(fx.SendRejected(cid=send.cid, code=error.code, message=error.message))
        else:
            for report in reports:
                self._seen(fx.SendSucceeded(cid=report.client_order_id, report=report))

    def _cancel(self, effect: fx.Cancel) -> None:
        try:
            report = self._exchange.book.cancel(effect.cid)
        except NothingToCancelError as error:
            self.feed(fx.CancelFailed(cid=effect.cid, gone=True, reason=str(error)))
        else:
            self._seen(fx.OrderSeen(report=report))

    def _amend(self, effect: fx.Amend) -> None:
        try:
            report = self._exchange.book.amend(effect.cid, effect.quantity)
        except (NothingToCancelError, VenueRejectedError) as error:
            self.feed(fx.AmendFailed(cid=effect.cid, reason=str(error)))
        else:
            self._seen(fx.OrderSeen(report=report))

    def _read_account(self) -> None:
        orders, balances = self._exchange.book.read_account()
        self.feed(fx.AccountRead(orders=orders, trades=(), balances=balances, asked_ms=self.now_ms))
