"""Events in, decisions out: the strategy inside, no clock, no I/O.

Ids and order keys derive from the event alone, so every replica and every replay gives a decision the same
id. Decisions of one market must grow in `order_key`, because execution refuses anything at or below its
high-water mark; a want that would not (a late candle after a newer trade) is dropped and counted.

What bites: a candle that is missing must not be skipped, indicators would be wrong for good. `on_event`
raises MissingCandlesError before the strategy has seen anything; the caller gets the candles, passes them to
`fill`, and gives the event again.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from typing import Any

from smarttrade.errors import SmartTradeError
from smarttrade.evaluation.strategy import SHORT_VALIDITY_MS, Strategy, Wants, Wish
from smarttrade.evaluation.timers import Timers
from smarttrade.identity import AccountIdentity, decision_id
from smarttrade.messages import AccountView, Candle, Decision, Fill, Quote, RestingOrders, Target, Trade

_LAST_LINES = 6


class MissingCandlesError(SmartTradeError):
    """Candles between the last one seen and this one have not arrived."""

    def __init__(self, market: str, timeframe: str, after_open_ms: int, before_open_ms: int) -> None:
        super().__init__(f"{market} {timeframe}: no candle between {after_open_ms} and {before_open_ms}")
        self.market = market
        self.timeframe = timeframe


class StrategyFailedError(SmartTradeError):
    """The strategy's code raised: the message holds the exception and its last lines."""


class Core:
    """One strategy instance and what it has decided."""

    def __init__(self, identity: AccountIdentity, name: str, strategy: Strategy, generation: int) -> None:
        self.identity = identity
        self.name = name
        self.strategy = strategy
        self.generation = generation
        self.newest: dict[str, Decision] = {}
        self.late = 0
        self._opened: dict[tuple[str, str], int] = {}
        self._highest: dict[str, tuple[int, int, int]] = {}
        self._timers = Timers(strategy.timers)

    def adopt(self, previous: Core) -> None:
        """Go on where another instance of the account's strategy ended: its decisions stay older."""
        if previous.name == self.name:
            self._highest = dict(previous._highest)
        self.strategy.view = previous.strategy.view

    def fill(self, candles: Iterable[Candle]) -> None:
        """History: the strategy sees it, its wants become `newest` and are not returned."""
        for candle in sorted(candles, key=lambda candle: candle.close_ms):
            if self._is_new(candle):
                self._candle(candle)

    def on_view(self, view: AccountView) -> None:
        self.strategy.view = view

    def on_event(self, event: Trade | Quote | Candle | Fill) -> list[Decision]:
        """The decisions that one event causes. MissingCandlesError, StrategyFailedError."""
        match event:
            case Candle():
                return self._on_candle(event)
            case Trade():
                self.strategy._prices[event.market] = event.price
                ordinal = int(event.id) if event.id.isdigit() else 0
                return self._run(self.strategy.on_trade, event, event.id, event.time_ms, ordinal)
            case Quote():
                self.strategy._prices[event.market] = (event.bid + event.ask) / 2
                key = str(event.update_id) if event.update_id else f"quote:{event.time_ms}"
                return self._run(self.strategy.on_quote, event, key, event.time_ms, event.update_id)
            case Fill():
                return self._run(self.strategy.on_fill, event, f"fill:{event.trade_id}", event.time_ms, 0)

    def newest_live(self, now_ms: int) -> list[Decision]:
        """What is wanted now, of every market: what a pod says that has just taken the lead."""
        return [decision for decision in self.newest.values() if decision.want.valid_until_ms > now_ms]

    def _on_candle(self, candle: Candle) -> list[Decision]:
        if not candle.final or not self._is_new(candle):
            return []
        last = self._opened.get((candle.market, candle.timeframe))
        if last is not None and candle.open_ms > last + (candle.close_ms - candle.open_ms):
            raise MissingCandlesError(candle.market, candle.timeframe, last, candle.open_ms)
        return self._candle(candle)

    def _is_new(self, candle: Candle) -> bool:
        return candle.open_ms > self._opened.get((candle.market, candle.timeframe), -1)

    def _candle(self, candle: Candle) -> list[Decision]:
        self._opened[candle.market, candle.timeframe] = candle.open_ms
        self.strategy._prices[candle.market] = candle.close
        length = candle.close_ms - candle.open_ms
        key = f"{candle.timeframe}:{candle.open_ms}"
        return self._run(self.strategy.on_candle, candle, key, candle.close_ms, 0, length)

    def _run(
        self,
        handler: Callable[[Any], Wants],
        event: Any,
        key: str,
        time_ms: int,
        ordinal: int,
        validity_ms: int = SHORT_VALIDITY_MS,
    ) -> list[Decision]:
        decisions = []
        for name, due_ms in self._timers.due(time_ms):
            wants = self._call(partial(self.strategy.on_timer, name, due_ms), due_ms, SHORT_VALIDITY_MS)
            decisions += self._decide(wants, f"timer:{name}:{due_ms}", due_ms, 0)
        wants = self._call(partial(handler, event), time_ms, validity_ms)
        return decisions + self._decide(wants, key, time_ms, ordinal)

    def _call(self, handler: Callable[[], Wants], time_ms: int, validity_ms: int) -> list[Wish]:
        self.strategy.now_ms = time_ms
        self.strategy._validity_ms = validity_ms
        try:
            wants = handler()
            return [] if wants is None else [wants] if isinstance(wants, Wish) else list(wants)
        except Exception as error:  # whatever a stranger's code raises
            lines = traceback.format_exception(error)[-_LAST_LINES:]
            raise StrategyFailedError("".join(lines).strip()) from error

    def _decide(self, wishes: list[Wish], key: str, time_ms: int, ordinal: int) -> list[Decision]:
        decisions = [self._decision(wish, key, time_ms, ordinal) for wish in wishes]
        return [decision for decision in decisions if decision is not None]

    def _decision(self, wish: Wish, key: str, time_ms: int, ordinal: int) -> Decision | None:
        highest = self._highest.get(wish.market, (-1, 0, 0))
        index = highest[2] + 1 if highest[:2] == (time_ms, ordinal) else 0
        if (time_ms, ordinal, index) <= highest:
            self.late += 1
            return None
        self._highest[wish.market] = (time_ms, ordinal, index)
        decision = Decision(
            id=decision_id(self.identity, self.name, wish.market, key, index),
            strategy=self.name,
            market=wish.market,
            event_key=key,
            event_time_ms=time_ms,
            event_ordinal=ordinal,
            index=index,
            generation=self.generation,
            want=_plain(wish.want),
            reason=wish.reason,
        )
        self.newest[wish.market] = decision
        return decision


def _plain(want: Target | RestingOrders) -> Target | RestingOrders:
    if isinstance(want, Target) and not isinstance(want.quantity, Decimal):
        raise StrategyFailedError(f"a target's quantity must be a Decimal, not {want.quantity!r}")
    return want
