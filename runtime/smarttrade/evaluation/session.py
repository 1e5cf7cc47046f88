"""The strategy of one pod and its place in the feed: warm-up, gaps, changes of the specification.

One task calls this, and it waits for history inside that task, so whatever arrives meanwhile follows after.
A strategy that cannot be built from new parameters leaves the old one running, with the reason in `error`,
because a typing error must not take a running strategy down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import structlog

from smarttrade.api import TradingAccountSpec
from smarttrade.errors import BusError, ConfigurationError
from smarttrade.evaluation.bus import PodBus
from smarttrade.evaluation.core import Core, MissingCandlesError
from smarttrade.evaluation.intake import Intake, Verdict
from smarttrade.evaluation.loading import build_strategy, check_mounted, preload, strategy_name
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
    StreamStatus,
    Trade,
)

logger = structlog.get_logger()

T = TypeVar("T")
Tell = Callable[[bool, str], None]

_RETRY_S = 0.25
_LEAST_HISTORY = 2
_TICKS = (Trade, Quote, Book)
"""What comes by the thousand and never waits for history."""


class Session:
    """`offer` gets the decisions of each event, `wanted` is called when what is wanted now may be new to
    execution, `ready` is told whether there is a strategy to decide, and why not; every call into the
    strategy's code is inside `guard`."""

    def __init__(
        self,
        identity: AccountIdentity,
        bus: PodBus,
        directory: Path,
        *,
        config_map: str = "",
        offer: Callable[[list[Decision]], None],
        wanted: Callable[[], None],
        ready: Tell,
        guard: AbstractContextManager[None],
    ) -> None:
        self._identity = identity
        self._bus = bus
        self._directory = directory
        self._config_map = config_map
        self._offer = offer
        self._wanted = wanted
        self._ready = ready
        self._guard = guard
        self._intake = Intake()
        self._spec: TradingAccountSpec | None = None
        self._view: AccountView | None = None
        self.core: Core | None = None
        self.generation = 0
        self.error = ""

    @property
    def gaps(self) -> int:
        return self._intake.gaps

    async def batch(self, batch: MarketBatch) -> None:
        """The next events of the feed; a gap is closed before anything later is seen."""
        verdict = self._intake.judge(batch)
        if verdict is Verdict.GAP:
            logger.warning("gap in the feed, reading again where it stands", feed=batch.feed, seq=batch.seq)
            await self.synchronise()
        elif verdict is Verdict.NEXT:
            for event in batch.events:
                if isinstance(event, _TICKS):
                    self.event(event)
                else:
                    await self._event(event)

    async def synchronise(self) -> None:
        """Learn where the feed stands, apply its specification, read the candles in between."""
        described = await self._until("monitoring has the specification", self._described)
        self._intake.start(described)
        before = self.core
        await self._apply(described.generation, described.spec)
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
            await self._apply(event.generation, event.spec)
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
                decisions = self.core.on_event(event)
            self._offer(decisions)

    def on_view(self, view: AccountView) -> None:
        """The account as execution tells it, also before there is a strategy."""
        self._view = view
        if self.core:
            self.core.on_view(view)

    # --- the specification ------------------------------------------------------------------------------

    async def _apply(self, generation: int, written: dict[str, Any]) -> None:
        """Take over a generation, at this point of the event stream; a changed strategy is warmed up."""
        if generation == self.generation:
            return
        try:
            spec = TradingAccountSpec.model_validate(written)
            if self.core is None or self._spec is None or _strategy_changed(self._spec, spec):
                await self._replace(spec, generation)
        except (ConfigurationError, ValueError) as error:
            self.error = f"generation {generation} is not applied: {error}"
            logger.error(self.error)
            self._ready(self.core is not None, self.error)
            return
        self._spec, self.generation, self.error = spec, generation, ""
        if self.core:
            self.core.generation = generation
        logger.info("specification applied", generation=generation)

    async def _replace(self, spec: TradingAccountSpec, generation: int) -> None:
        check_mounted(spec.strategy, self._config_map)
        preload(spec.strategy, self._directory)
        with self._guard:
            strategy = build_strategy(spec, self._directory)
        core = Core(self._identity, strategy_name(spec.strategy), strategy, generation)
        await self._read_history(core, spec.strategy.warmup or strategy.warmup)
        if self.core:
            core.adopt(self.core)
        if self._view is not None:
            core.on_view(self._view)
        self.core = core
        self._ready(True, "")
        self._wanted()

    # --- history ----------------------------------------------------------------------------------------

    async def _read_history(self, core: Core, count: int | None = None) -> None:
        wanted = max(_LEAST_HISTORY, core.strategy.warmup if count is None else count)
        candles: list[Candle] = []
        for market in core.strategy.markets:
            for timeframe in dict.fromkeys((core.strategy.timeframe, *core.strategy.timeframes)):

                def read(market: str = market, timeframe: str = timeframe) -> Awaitable[list[Candle]]:
                    return self._bus.history(market, timeframe, wanted)

                candles += await self._until(f"the history of {market} {timeframe} is there", read)
        with self._guard:
            core.fill(candles)

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


def _strategy_changed(old: TradingAccountSpec, new: TradingAccountSpec) -> bool:
    def relevant(spec: TradingAccountSpec) -> tuple[Any, ...]:
        markets = [market.symbol for market in spec.markets]
        capital = spec.capital
        return (spec.strategy, markets, capital.allocation, capital.per_market, spec.risk.price_collar)

    return relevant(old) != relevant(new)
