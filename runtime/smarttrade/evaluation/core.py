"""Events in, decisions out: the strategy inside, no clock, no I/O.

Ids and order keys derive from the event alone, so every replica and every replay gives a decision the same
id. Decisions of one market must grow in `order_key`, because execution refuses anything at or below its
high-water mark; a want that would not (a late candle after a newer trade) is dropped and counted.

`consider` drafts what an event makes the strategy want, `decide` makes the decision of a draft: a backtest
needs the second only for what changes something.

What bites: a candle that is missing must not be skipped, indicators would be wrong for good. `on_event`
raises MissingCandlesError before the strategy has seen anything; the caller gets the candles, passes them to
`fill`, and gives the event again. And a memory belongs to one moment: `resume` lets it in when the candles up
to that moment have been seen, whether they are history or still to come.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from smarttrade.errors import SmartTradeError
from smarttrade.evaluation.memory import Memory, Series, write_memory
from smarttrade.evaluation.strategy import SHORT_VALIDITY_MS, Strategy, Wants, Wish
from smarttrade.evaluation.timers import Timers
from smarttrade.identity import AccountIdentity, decision_id
from smarttrade.messages import AccountView, Book, Candle, Decision, Fill, Quote, RestingOrders, Target, Trade
from smarttrade.timeframe import Timeframe

_LAST_LINES = 6
_NEVER = (-1, 0, 0)


class MissingCandlesError(SmartTradeError):
    """Candles between the last one seen and this one have not arrived."""

    def __init__(self, market: str, timeframe: str, after_open_ms: int, before_open_ms: int) -> None:
        super().__init__(f"{market} {timeframe}: no candle between {after_open_ms} and {before_open_ms}")
        self.market = market
        self.timeframe = timeframe


class StrategyFailedError(SmartTradeError):
    """The strategy's code raised: the message holds the exception and its last lines."""

    exit_code = 4


class Draft(msgspec.Struct, frozen=True, gc=False):
    """Everything of a decision that does not follow from account and strategy; fields as in `Decision`.

    `event` is the event's key, or of a candle its timeframe, with `opened_ms`; else that is -1.
    """

    market: str
    want: Target | RestingOrders
    reason: str
    event: str
    event_time_ms: int
    event_ordinal: int
    index: int
    opened_ms: int = -1

    @property
    def event_key(self) -> str:
        return self.event if self.opened_ms < 0 else f"{self.event}:{self.opened_ms}"


class Core:
    """One strategy instance and what it has decided."""

    def __init__(
        self, identity: AccountIdentity, name: str, strategy: Strategy, generation: int, version: str = ""
    ) -> None:
        self.identity = identity
        self.name = name
        self.strategy = strategy
        self.generation = generation
        self.version = version
        self.newest: dict[str, Draft] = {}
        self.late = 0
        self._opened: dict[Series, int] = {}
        self._memory: Memory | None = None
        """Of a moment that has not been seen yet."""
        self._highest: dict[str, tuple[int, int, int]] = {}
        self._timers = Timers(strategy.timers)
        self._is_timed = bool(self._timers)

    def adopt(self, previous: Core) -> None:
        """Go on where another instance of the account's strategy ended: its decisions stay older."""
        if previous.name == self.name:
            self._highest = dict(previous._highest)
        if previous.strategy._view is not None:
            self.on_view(previous.strategy._view)

    def succeed(self, previous: Core) -> None:
        """Take the place of an instance of the same strategy: what that one wanted stays what is wanted."""
        self.adopt(previous)
        self.newest = dict(previous.newest)
        self.strategy.now_ms = max(self.strategy.now_ms, previous.strategy.now_ms)

    def fill(self, candles: Iterable[Candle]) -> None:
        """History: the strategy sees it, its wants become `newest` and are not returned."""
        ordered = sorted(candles, key=lambda candle: candle.close_ms)
        if self._memory is None:
            self._replay(ordered)
            return
        known = self._memory.opened
        self._replay([c for c in ordered if c.open_ms <= known.get((c.market, c.timeframe), -1)])
        newest = self._opened | {(c.market, c.timeframe): c.open_ms for c in ordered}
        self._recall_if_due(newest)
        self._replay(ordered)

    def resume(self, memory: Memory) -> None:
        """Go on as the strategy that remembered this; before `fill`."""
        self._memory = memory

    def remember(self, mark: str) -> str:
        """The strategy's memory as of the newest event. UnusableMemoryError if it is too long or not data."""
        return write_memory(self.strategy, mark, self._opened)

    def _replay(self, candles: list[Candle]) -> None:
        for candle in candles:
            if self._is_new(candle):
                self._candle(candle)

    def _recall_if_due(self, opened: dict[Series, int]) -> None:
        """Let the memory in once nothing that it knows of is still to come."""
        if self._memory is None:
            return
        known, values = self._memory
        if all(opened.get(series, -1) >= open_ms for series, open_ms in known.items()):
            self._memory = None
            self.newest.clear()  # made without the memory; what it was made with is in the log
            self.strategy._recall(values)

    def on_view(self, view: AccountView) -> None:
        """The account as it is now; the first one settles what the strategy wanted before it was known."""
        self.strategy.view = view
        for market, (before, after) in self.strategy._settle_provisional(view).items():
            draft = self.newest.get(market)
            if draft is not None and isinstance(draft.want, Target) and draft.want.quantity is before:
                want = msgspec.structs.replace(draft.want, quantity=after)
                self.newest[market] = msgspec.structs.replace(draft, want=want)

    def look_with(self, look: Callable[[], None]) -> None:
        """Call `look` whenever the strategy is about to read the account: it may bring `on_view` first."""
        self.strategy._look = look

    def on_event(self, event: Trade | Quote | Book | Candle | Fill) -> list[Decision]:
        """The decisions that one event causes. MissingCandlesError, StrategyFailedError."""
        return [self.decide(draft) for draft in self.consider(event)]

    def consider(self, event: Trade | Quote | Book | Candle | Fill) -> list[Draft]:
        """What one event makes the strategy want. MissingCandlesError, StrategyFailedError."""
        if isinstance(event, Candle):  # by far the most of a backtest's
            return self._on_candle(event)
        match event:
            case Trade():
                self.strategy._prices[event.market] = event.price
                ordinal = int(event.id) if event.id.isdigit() else 0
                return self._run(self.strategy.on_trade, event, event.id, event.time_ms, ordinal)
            case Quote():
                self.strategy._prices[event.market] = (event.bid + event.ask) / 2
                key = str(event.update_id) if event.update_id else f"quote:{event.time_ms}"
                return self._run(self.strategy.on_quote, event, key, event.time_ms, event.update_id)
            case Book():
                if event.bids and event.asks:
                    self.strategy._prices[event.market] = (event.bids[0][0] + event.asks[0][0]) / 2
                key = f"book:{event.update_id or event.time_ms}"
                return self._run(self.strategy.on_book, event, key, event.time_ms, event.update_id)
            case Fill():
                return self._run(self.strategy.on_fill, event, f"fill:{event.trade_id}", event.time_ms, 0)

    @property
    def seen(self) -> Mapping[Series, int]:
        """The opening of the newest candle of every series."""
        return dict(self._opened)

    def has_seen(self, candle: Candle) -> bool:
        return not self._is_new(candle)

    def correct(self, candle: Candle) -> list[Decision]:
        """The decisions of a strategy that wants to know that a candle it has seen was corrected."""
        key, length_ms = f"correction:{candle.timeframe}:{candle.open_ms}", candle.close_ms - candle.open_ms
        drafts = self._run(self.strategy.on_correction, candle, key, self.strategy.now_ms, 0, length_ms)
        return [self.decide(draft) for draft in drafts]

    def decide(self, draft: Draft) -> Decision:
        """The decision of a draft; the same draft gives the same id everywhere."""
        return Decision(
            id=decision_id(self.identity, self.name, draft.market, draft.event_key, draft.index),
            strategy=self.name,
            market=draft.market,
            event_key=draft.event_key,
            event_time_ms=draft.event_time_ms,
            event_ordinal=draft.event_ordinal,
            index=draft.index,
            generation=self.generation,
            want=draft.want,
            reason=draft.reason,
            version=self.version,
        )

    def newest_live(self, now_ms: int) -> list[Decision]:
        """What is wanted now, of every market: what a pod says that has just taken the lead."""
        return [self.decide(draft) for draft in self.newest.values() if draft.want.valid_until_ms > now_ms]

    def _on_candle(self, candle: Candle) -> list[Draft]:
        open_ms, last = candle.open_ms, self._opened.get((candle.market, candle.timeframe), -1)
        if not candle.final or open_ms <= last:
            return []
        if last >= 0 and open_ms > last + (candle.close_ms - open_ms) and _is_later(candle, last):
            raise MissingCandlesError(candle.market, candle.timeframe, last, open_ms)
        return self._candle(candle)

    def _is_new(self, candle: Candle) -> bool:
        return candle.open_ms > self._opened.get((candle.market, candle.timeframe), -1)

    def _candle(self, candle: Candle) -> list[Draft]:
        market, timeframe, strategy = candle.market, candle.timeframe, self.strategy
        open_ms, close_ms = candle.open_ms, candle.close_ms
        self._opened[market, timeframe] = open_ms
        strategy._prices[market] = candle.close
        validity_ms = close_ms - open_ms
        if timeframe == Timeframe.MONTH:
            validity_ms = Timeframe.MONTH.step(close_ms) - close_ms
        drafts = self._run(strategy.on_candle, candle, timeframe, close_ms, 0, validity_ms, open_ms)
        if self._memory is not None:
            self._recall_if_due(self._opened)
        return drafts

    def _run(
        self,
        handler: Callable[[Any], Wants],
        event: object,
        key: str,
        time_ms: int,
        ordinal: int,
        validity_ms: int = SHORT_VALIDITY_MS,
        opened_ms: int = -1,
    ) -> list[Draft]:
        drafts: list[Draft] = []
        for name, due_ms in self._timers.due(time_ms) if self._is_timed else ():
            wishes = self._call(partial(self.strategy.on_timer, name), due_ms, due_ms, SHORT_VALIDITY_MS)
            self._draft(wishes, f"timer:{name}:{due_ms}", due_ms, 0, -1, drafts)
        wishes = self._call(handler, event, time_ms, validity_ms)
        if wishes:
            self._draft(wishes, key, time_ms, ordinal, opened_ms, drafts)
        return drafts if self._memory is None else []

    def _call(
        self, handler: Callable[[Any], Wants], event: object, time_ms: int, validity_ms: int
    ) -> Iterable[Wish]:
        strategy = self.strategy
        strategy.now_ms, strategy._validity_ms = time_ms, validity_ms
        try:
            wants = handler(event)
            return () if wants is None else (wants,) if isinstance(wants, Wish) else list(wants)
        except Exception as error:  # whatever a stranger's code raises
            lines = traceback.format_exception(error)[-_LAST_LINES:]
            raise StrategyFailedError("".join(lines).strip()) from error

    def _draft(
        self,
        wishes: Iterable[Wish],
        key: str,
        time_ms: int,
        ordinal: int,
        opened_ms: int,
        drafts: list[Draft],
    ) -> None:
        for wish in wishes:
            market, want = wish.market, wish.want
            highest, number = self._highest.get(market, _NEVER), 0
            if time_ms <= highest[0]:
                if time_ms == highest[0] and ordinal == highest[1]:
                    number = highest[2] + 1
                elif (time_ms, ordinal) < highest:
                    self.late += 1
                    continue
            if isinstance(want, Target) and not isinstance(want.quantity, Decimal):
                raise StrategyFailedError(f"a target's quantity must be a Decimal, not {want.quantity!r}")
            self._highest[market] = (time_ms, ordinal, number)
            draft = Draft(market, want, wish.reason, key, time_ms, ordinal, number, opened_ms)
            self.newest[market] = draft
            drafts.append(draft)


def _is_later(candle: Candle, last_ms: int) -> bool:
    """Whether a candle opens later than the one after that of `last_ms`: months have no length to add."""
    return candle.open_ms > Timeframe(candle.timeframe).step(last_ms)
