"""The strategy of one pod and its place in the feed: warm-up, gaps, changes of the specification.

One task calls this, and it waits for history inside that task, so whatever arrives meanwhile follows after.
Whoever takes the lead goes on with the memory that the account's log has of the strategy, unless its own was
the same; see `memory`. A strategy that cannot be built from new parameters leaves the old one running, with
the reason in `error`, because a typing error must not take a running strategy down.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
import structlog

from smarttrade.api import TradingAccountSpec
from smarttrade.errors import BusError, ConfigurationError
from smarttrade.evaluation.bus import PodBus
from smarttrade.evaluation.core import Core, MissingCandlesError, StrategyFailedError
from smarttrade.evaluation.intake import Intake, Verdict
from smarttrade.evaluation.loading import (
    build_strategy,
    choose_version,
    mark_strategy,
    preload,
    strategy_name,
)
from smarttrade.evaluation.memory import Memory, Series, UnusableMemoryError, read_memory
from smarttrade.evaluation.versions import Versions
from smarttrade.identity import AccountIdentity
from smarttrade.messages import (
    AccountView,
    Book,
    Candle,
    ControlChange,
    Decision,
    DescribeReply,
    Fill,
    MarketBatch,
    MarketEvent,
    Quote,
    StrategyVersion,
    StreamStatus,
    Trade,
)

logger = structlog.get_logger()

T = TypeVar("T")
Tell = Callable[[bool, str], None]

_RETRY_S = 0.25
_LEAST_HISTORY = 2
_MOST_HISTORY = 10_000
_RESUME_S = 5.0
_OWN_MEMORIES = 100
_TICKS = (Trade, Quote, Book)
"""What comes by the thousand and never waits for history."""


class Session:
    """`offer` gets the decisions of each event, `wanted` is called when what is wanted now may be new to
    execution, `ready` is told whether there is a strategy to decide, and why not; every call into the
    strategy's code is inside `guard`. `image` is what this process runs in, if that is a strategy's own."""

    def __init__(
        self,
        identity: AccountIdentity,
        bus: PodBus,
        *,
        offer: Callable[[list[Decision]], None],
        wanted: Callable[[], None],
        ready: Tell,
        guard: AbstractContextManager[None],
        image: str = "",
    ) -> None:
        self._identity = identity
        self._bus = bus
        self._offer = offer
        self._wanted = wanted
        self._ready = ready
        self._guard = guard
        self._image = image
        self._intake = Intake()
        self._versions = Versions()
        self._spec: TradingAccountSpec | None = None
        self._strategy: StrategyVersion | None = None
        self._view: AccountView | None = None
        self._mark = ""
        """Of the specification that the strategy was built from."""
        self._remembered: deque[str] = deque(maxlen=_OWN_MEMORIES)
        self.core: Core | None = None
        self.generation = 0
        self.refused = 0
        """The generation that `error` is about."""
        self.error = ""
        self.lost_batches = 0
        """Batches of the feed that could not be had again."""
        self.forgetting = ""
        """Why the newest decision went without the strategy's memory."""

    @property
    def gaps(self) -> int:
        return self._intake.gaps

    @property
    def version(self) -> str:
        """Of the strategy that runs, if it is one of the user's own."""
        return self.core.version if self.core else ""

    def close(self) -> None:
        self._versions.close()

    async def batch(self, batch: MarketBatch) -> None:
        """The next events of the feed; a gap is closed before anything later is seen."""
        verdict = self._intake.judge(batch)
        if verdict is Verdict.GAP:
            await self._close_gap(batch)
        elif verdict is Verdict.NEXT:
            await self._take(batch)

    async def _close_gap(self, batch: MarketBatch) -> None:
        missing = self._intake.missing(batch)
        try:
            found = await self._bus.missed(batch.feed, missing.start, missing.stop - 1) if missing else []
        except BusError as error:
            logger.debug("missed batches are not had again", error=str(error))
            found = []
        if missing and len(found) == len(missing):
            logger.warning("gap in the feed, filled", first=missing.start, batches=len(found))
            for each in (*found, batch):
                if self._intake.judge(each) is Verdict.NEXT:
                    await self._take(each)
            return
        self.lost_batches += len(missing)
        logger.warning("gap in the feed, reading again where it stands", feed=batch.feed, seq=batch.seq)
        await self.synchronise()

    async def _take(self, batch: MarketBatch) -> None:
        corrections: list[Candle] = []
        for event in batch.events:
            if isinstance(event, _TICKS):
                self.event(event)
            elif isinstance(event, Candle) and event.correction:
                corrections.append(event)
            else:
                await self._event(event)
        if corrections:
            await self._correct(corrections)

    async def synchronise(self) -> None:
        """Learn where the feed stands, apply its specification, read the candles in between."""
        described = await self._until("monitoring has the specification", self._described)
        self._intake.start(described)
        before = self.core
        await self._apply(described.generation, described.spec, described.strategy)
        if self.core and self.core is before:
            await self._read_history(self.core)
            self._wanted()

    async def _described(self) -> DescribeReply:
        described = await self._bus.describe()
        if not described.generation:
            raise BusError("monitoring has not read the specification yet")
        return described

    async def _event(self, event: MarketEvent) -> None:
        if isinstance(event, ControlChange):
            await self._apply(event.generation, event.spec, event.strategy)
        elif self.core and not isinstance(event, StreamStatus):
            try:
                self.event(event)
            except MissingCandlesError as missing:
                logger.warning("candles are missing, reading them", error=str(missing))
                await self._read_history(self.core)
                self.event(event)

    def event(self, event: Trade | Quote | Book | Candle | Fill) -> None:
        """Let the strategy, if there is one, see one event. MissingCandlesError, StrategyFailedError."""
        if self.core:
            with self._guard:
                decisions = self._remembering(self.core, self.core.on_event(event))
            self._offer(decisions)

    def wanted_now(self) -> list[Decision]:
        """The newest decision of every market that is still valid."""
        if self.core is None:
            return []
        return self._remembering(self.core, self.core.newest_live(self.core.strategy.now_ms))

    def _remembering(self, core: Core, decisions: list[Decision]) -> list[Decision]:
        """The decisions with what the strategy remembers by now; without it, and told, where that is none."""
        if not decisions:
            return decisions
        try:
            memory, self.forgetting = core.remember(self._mark), ""
        except UnusableMemoryError as error:
            if not self.forgetting:
                logger.error("nothing is remembered", error=str(error))
            self.forgetting = str(error)
            return decisions
        self._remembered.append(memory)
        return [msgspec.structs.replace(decision, memory=memory) for decision in decisions]

    async def resume(self) -> None:
        """Before this pod leads: go on with what the account's log remembers, if this strategy does not."""
        if self.core is None or self._spec is None or self._view is None:
            return
        text = self._view.memory
        if text in self._remembered or self._recollect(self.core, self._mark) is None:
            return
        logger.info("going on with what the strategy remembered")
        try:
            await asyncio.wait_for(self._replace(self._spec, self.generation, self._strategy), _RESUME_S)
        except TimeoutError:
            logger.error("what the strategy remembered is not taken over: there is no history to go with it")
            self._remembered.append(text)

    def _recollect(self, core: Core, mark: str) -> Memory | None:
        """What the account's log remembers of this strategy."""
        try:
            return read_memory(self._view.memory, mark, core.strategy) if self._view else None
        except UnusableMemoryError as error:
            logger.warning("the strategy begins anew", error=str(error))
            return None

    def on_view(self, view: AccountView) -> None:
        """The account as execution tells it, also before there is a strategy."""
        self._view = view
        if self.core:
            self.core.on_view(view)

    # --- the specification ------------------------------------------------------------------------------

    async def _apply(self, generation: int, written: dict[str, Any], given: StrategyVersion | None) -> None:
        """Take over a generation, at this point of the event stream; a changed strategy is warmed up."""
        if generation == self.generation and given == self._strategy:
            return
        try:
            spec = TradingAccountSpec.model_validate(written)
            if self._leave_to_successor(spec, generation):
                return
            chosen = choose_version(spec.strategy, given)
            if self.core is None or chosen != self._strategy or mark_strategy(spec) != self._mark:
                await self._replace(spec, generation, chosen)
        except (ConfigurationError, ValueError) as error:
            self._refuse(generation, error)
            return
        except StrategyFailedError as failure:
            if self.core is None:
                raise
            self._refuse(generation, failure)
            return
        self._spec, self._strategy, self.generation = spec, chosen, generation
        self.error, self.refused = "", 0
        if self.core:
            self.core.generation = generation
        logger.info("specification applied", generation=generation, version=self.version)

    def _leave_to_successor(self, spec: TradingAccountSpec, generation: int) -> bool:
        """Whether the specification is for pods with another image for evaluation: they take over. What is
        here runs on until then, and is told as behind."""
        if spec.strategy.image == self._image:
            return False
        logger.info("left to pods with the strategy's image", generation=generation)
        self._ready(self.core is not None, f"generation {generation} is for pods with another image")
        return True

    def _refuse(self, generation: int, error: Exception) -> None:
        """What ran before runs on."""
        runs = f", generation {self.generation} runs on" if self.core else ""
        version = f" ({self.version})" if self.version else ""
        self.refused, self.error = (
            generation,
            f"generation {generation} is not applied{runs}{version}: {error}",
        )
        logger.error(self.error)
        self._ready(self.core is not None, self.error)

    async def _replace(
        self, spec: TradingAccountSpec, generation: int, version: StrategyVersion | None
    ) -> None:
        """Nothing of the strategy before runs until the new one has seen its history, or has failed."""
        text, mark = self._view.memory if self._view else "", mark_strategy(spec)
        core = await self._build(spec, generation, version, lambda core: self._recollect(core, mark))
        if self.core:
            core.adopt(self.core)
        if self._view is not None:
            core.on_view(self._view)
        self.core, self._mark = core, mark
        self._remembered = deque([text], maxlen=_OWN_MEMORIES)
        self._ready(True, "")
        self._wanted()

    async def _build(
        self,
        spec: TradingAccountSpec,
        generation: int,
        version: StrategyVersion | None,
        recollect: Callable[[Core], Memory | None],
        until: Mapping[Series, int] | None = None,
    ) -> Core:
        """A new instance of the strategy that has seen its history, `until` those candles or all of it, and
        what it is to remember."""
        with self._versions.change(version) as directory:
            preload(spec.strategy, directory)
            with self._guard:
                strategy = build_strategy(spec, directory)
            name = strategy_name(spec.strategy)
            core = Core(self._identity, name, strategy, generation, version.name if version else "")
            memory = recollect(core)
            if memory is not None:
                core.resume(memory)
            warmup = spec.strategy.warmup or strategy.warmup
            await self._read_history(core, warmup, memory.opened if memory else until or {}, until)
        return core

    # --- corrections ------------------------------------------------------------------------------------

    async def _correct(self, corrections: list[Candle]) -> None:
        """Make the strategy's indicators anew from history as the exchange has it now. What the strategy
        remembers and what it wanted stay; it decides only what it returns of the corrections."""
        before, spec = self.core, self._spec
        seen = [candle for candle in corrections if before and before.has_seen(candle)]
        if before is None or spec is None or not seen:
            return
        logger.info("candles were corrected, making the indicators anew", candles=len(seen))
        try:
            core = await self._build(
                spec,
                self.generation,
                self._strategy,
                lambda core: self._carry_over(before, core),
                before.seen,  # what waits behind this batch is still to be decided on
            )
        except (ConfigurationError, StrategyFailedError, ValueError) as error:
            logger.error("the strategy runs on without the corrections", error=str(error))
            return
        core.succeed(before)
        if self._view is not None:
            core.on_view(self._view)
        self.core = core
        for candle in seen:
            with self._guard:
                decisions = self._remembering(core, core.correct(candle))
            self._offer(decisions)

    def _carry_over(self, before: Core, core: Core) -> Memory | None:
        """What the instance before remembers now."""
        try:
            return read_memory(before.remember(self._mark), self._mark, core.strategy)
        except UnusableMemoryError as error:
            logger.warning("what the strategy remembered is lost", error=str(error))
            return None

    # --- history ----------------------------------------------------------------------------------------

    async def _read_history(
        self,
        core: Core,
        count: int | None = None,
        since: Mapping[Series, int] = MappingProxyType({}),
        until: Mapping[Series, int] | None = None,
    ) -> None:
        """Warm the strategy up, with candles for that before what it has seen `since`, and all after it."""
        wanted = max(_LEAST_HISTORY, core.strategy.warmup if count is None else count)
        candles = await self._history(core, wanted)
        later = max([_later(candle, since) for candle in candles], default=0)
        if later:
            candles = await self._history(core, min(wanted + later, _MOST_HISTORY))
        if until is not None:
            candles = [c for c in candles if c.open_ms <= until.get((c.market, c.timeframe), -1)]
        with self._guard:
            core.fill(candles)

    async def _history(self, core: Core, wanted: int) -> list[Candle]:
        candles: list[Candle] = []
        for market in core.strategy.markets:
            for timeframe in dict.fromkeys((core.strategy.timeframe, *core.strategy.timeframes)):

                def read(market: str = market, timeframe: str = timeframe) -> Awaitable[list[Candle]]:
                    return self._bus.history(market, timeframe, wanted)

                candles += await self._until(f"the history of {market} {timeframe} is there", read)
        return candles

    async def _until(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        told = ""
        while True:
            try:
                return await attempt()
            except BusError as error:
                if str(error) != told:
                    told = str(error)
                    logger.info(f"waiting until {what}", error=told)
                if not self.core:
                    self._ready(False, f"waiting until {what}")
                await asyncio.sleep(_RETRY_S)


def _later(candle: Candle, since: Mapping[Series, int]) -> int:
    """How many candles of its series this one comes after the one that was seen; 0 where none was. At least:
    of months, which differ, one more is read in doubt."""
    seen = since.get((candle.market, candle.timeframe), candle.open_ms)
    return -((seen - candle.open_ms) // (candle.close_ms - candle.open_ms))
