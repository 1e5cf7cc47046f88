"""Evaluation's process: NATS on one side, the core on the other.

Everything that comes in goes through one queue into one task, so the strategy sees one sequence. That task
alone waits for history (at the start, after a gap, for a changed strategy); what arrives meanwhile stays in
the queue and follows. A decision is sent only while this pod's execution says that it leads.

What bites: execution that fell silent leads no more as far as we know; and a strategy that cannot be built
from new parameters leaves the old one running, with the reason in the status, because a typing error must
not take a running strategy down.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import structlog

from smarttrade.api import TradingAccountSpec
from smarttrade.bus import subjects
from smarttrade.bus.connection import Connection, connect
from smarttrade.errors import BusError, ConfigurationError
from smarttrade.evaluation.bus import PodBus
from smarttrade.evaluation.core import Core, MissingCandlesError, StrategyFailedError
from smarttrade.evaluation.divergence import Divergence
from smarttrade.evaluation.intake import Intake, Verdict
from smarttrade.evaluation.loading import SOURCE_DIRECTORY, build_strategy, strategy_name
from smarttrade.evaluation.metrics import Metrics
from smarttrade.evaluation.outbox import Outbox
from smarttrade.messages import (
    AccountView,
    ControlChange,
    Decision,
    DecisionOutcome,
    EvaluationStatus,
    Fill,
    MarketBatch,
    MarketEvent,
    StreamStatus,
    decode,
)
from smarttrade.process.probes import Probes
from smarttrade.process.run import nats_closed
from smarttrade.process.settings import Settings

logger = structlog.get_logger()

T = TypeVar("T")

_QUEUE = 10_000
_HEARTBEAT_S = 1.0
_VIEW_LIFE_S = 3.0
_RETRY_S = 0.25
_LEAST_HISTORY = 2


class EvaluationService:
    """One strategy of one pod."""

    def __init__(
        self, settings: Settings, probes: Probes, strategy_directory: Path = SOURCE_DIRECTORY
    ) -> None:
        self._settings = settings
        self._probes = probes
        self._strategy_directory = strategy_directory
        self._metrics = Metrics(probes.metrics)
        self._queue: asyncio.Queue[tuple[Any, bytes]] = asyncio.Queue(_QUEUE)
        self._intake = Intake()
        self._divergence = Divergence()
        self._core: Core | None = None
        self._spec: TradingAccountSpec | None = None
        self._generation = 0
        self._leading = False
        self._view_at = 0.0
        self._decided = 0
        self._error = ""

    async def run(self) -> None:
        settings = self._settings
        self._probes.ready("bus", ok=False, reason="connecting")
        self._probes.ready("strategy", ok=False, reason="waiting for the specification")
        nc = await connect(
            settings.nats_url,
            name=f"{settings.identity.key} evaluation",
            role="evaluation",
            credentials=settings.nats_credentials,
            on_closed=nats_closed,
        )
        self._bus = PodBus(nc, settings.pod)
        self._outbox = Outbox(self._bus.decide, self._may_send, self._metrics.answered)
        reporting = asyncio.create_task(self._report_forever())
        try:
            await self._subscribe(nc)
            self._probes.ready("bus", ok=True)
            await self._work()
        except StrategyFailedError as failure:
            self._error = str(failure)
            self._probes.ready("strategy", ok=False, reason=self._error)
            await self._beat()
            raise
        finally:
            reporting.cancel()
            self._outbox.close()
            await nc.close()

    async def drain(self) -> None:
        """Let the decisions on their way be answered; nothing new is sent."""
        self._leading = False
        await asyncio.wait_for(self._outbox.settle(), 2.0)

    # --- in ---------------------------------------------------------------------------------------------

    async def _subscribe(self, nc: Connection) -> None:
        pod = self._settings.pod
        await self._listen(nc, subjects.market(pod, "*"), MarketBatch)
        await self._listen(nc, subjects.position(pod), AccountView)
        await self._listen(nc, subjects.fill(pod), Fill | DecisionOutcome)
        await nc.flush()

    async def _listen(self, nc: Connection, subject: str, kind: Any) -> None:
        async def received(message: Any) -> None:
            await self._queue.put((kind, message.data))

        await nc.subscribe(subject, cb=received)

    async def _work(self) -> None:
        await self._synchronise()
        while True:
            kind, payload = await self._queue.get()
            try:
                message = decode(payload, kind)
            except BusError as error:
                logger.error("message ignored", error=str(error))
                continue
            await self._handle(message)

    async def _handle(self, message: MarketBatch | AccountView | Fill | DecisionOutcome) -> None:
        match message:
            case MarketBatch():
                await self._batch(message)
            case AccountView():
                self._on_view(message)
            case Fill() if self._core:
                self._offer(self._core.on_event(message))
            case DecisionOutcome():
                self._divergence.outcome(message)

    async def _batch(self, batch: MarketBatch) -> None:
        verdict = self._intake.judge(batch)
        if verdict is Verdict.GAP:
            self._metrics.gaps.inc()
            logger.warning("gap in the feed, reading again where it stands", feed=batch.feed, seq=batch.seq)
            await self._synchronise()
        elif verdict is Verdict.NEXT:
            for event in batch.events:
                await self._event(event)

    async def _event(self, event: MarketEvent) -> None:
        self._metrics.events.labels(type(event).__name__).inc()
        if isinstance(event, ControlChange):
            await self._apply(event.generation, event.spec)
        elif self._core and not isinstance(event, StreamStatus):
            try:
                decisions = self._core.on_event(event)
            except MissingCandlesError as missing:
                logger.warning("candles are missing, reading them", error=str(missing))
                await self._read_history(self._core)
                decisions = self._core.on_event(event)
            self._offer(decisions)

    # --- the strategy -----------------------------------------------------------------------------------

    async def _synchronise(self) -> None:
        """Learn where the feed stands, apply its specification, fill the candles in between."""
        described = await self._until("monitoring has the specification", self._described)
        self._intake.start(described)
        before = self._core
        await self._apply(described.generation, described.spec)
        if self._core and self._core is before:
            await self._read_history(self._core)
            self._resend()

    async def _described(self) -> Any:
        described = await self._bus.describe()
        if not described.generation:
            raise BusError("monitoring has not read the specification yet")
        return described

    async def _apply(self, generation: int, written: dict[str, Any]) -> None:
        """Take over a generation, at this point of the event stream; a changed strategy is warmed up."""
        if generation == self._generation:
            return
        try:
            spec = TradingAccountSpec.model_validate(written)
            if self._core is None or self._spec is None or _strategy_changed(self._spec, spec):
                await self._replace(spec, generation)
        except (ConfigurationError, ValueError) as error:
            self._error = f"generation {generation} is not applied: {error}"
            logger.error(self._error)
            self._probes.ready("strategy", ok=self._core is not None, reason=self._error)
            return
        self._spec, self._generation, self._error = spec, generation, ""
        if self._core:
            self._core.generation = generation
        self._metrics.generation.set(generation)
        logger.info("specification applied", generation=generation)

    async def _replace(self, spec: TradingAccountSpec, generation: int) -> None:
        strategy = build_strategy(spec, self._strategy_directory)
        core = Core(self._settings.identity, strategy_name(spec.strategy), strategy, generation)
        await self._read_history(core, spec.strategy.warmup or strategy.warmup)
        if self._core:
            core.adopt(self._core)
        self._core = core
        self._probes.ready("strategy", ok=True)
        self._resend()

    async def _read_history(self, core: Core, count: int | None = None) -> None:
        wanted = max(_LEAST_HISTORY, core.strategy.warmup if count is None else count)
        candles = []
        for market in core.strategy.markets:
            for timeframe in dict.fromkeys((core.strategy.timeframe, *core.strategy.timeframes)):

                def read(market: str = market, timeframe: str = timeframe) -> Awaitable[Any]:
                    return self._bus.history(market, timeframe, wanted)

                candles += await self._until(f"the history of {market} {timeframe} is there", read)
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
                if not self._core:
                    self._probes.ready("strategy", ok=False, reason=f"waiting until {what}")
                await asyncio.sleep(_RETRY_S)

    # --- out --------------------------------------------------------------------------------------------

    def _on_view(self, view: AccountView) -> None:
        self._view_at = time.monotonic()
        if self._core:
            self._core.on_view(view)
        took_the_lead = view.leading and not self._leading
        self._leading = view.leading
        self._metrics.leading.set(view.leading)
        if took_the_lead:
            logger.info("leading", epoch=view.epoch)
            self._resend()

    def _may_send(self) -> bool:
        return self._leading and time.monotonic() - self._view_at < _VIEW_LIFE_S

    def _resend(self) -> None:
        """Say what is wanted now: nobody else says it for this pod."""
        if self._core and self._may_send():
            now_ms = self._core.strategy.now_ms
            for decision in self._core.newest_live(now_ms):
                self._outbox.offer(decision, now_ms)

    def _offer(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            self._decided += 1
            self._metrics.decided.labels(decision.market).inc()
            self._divergence.decided(decision)
            if self._may_send():
                self._outbox.offer(decision, decision.event_time_ms)

    async def _report_forever(self) -> None:
        while True:
            await self._beat()
            await asyncio.sleep(_HEARTBEAT_S)

    async def _beat(self) -> None:
        before = self._divergence.count
        if self._core and not self._leading:
            self._divergence.judge(self._core.strategy.now_ms)
        self._metrics.divergences.inc(self._divergence.count - before)
        status = EvaluationStatus(
            pod=self._settings.pod,
            generation=self._generation,
            ready=self._core is not None,
            leading=self._may_send(),
            decisions=self._decided,
            divergences=self._divergence.count,
            error=self._error,
        )
        try:
            await self._bus.heartbeat(status)
        except BusError as error:
            logger.debug("monitoring did not take the heartbeat", error=str(error))


def _strategy_changed(old: TradingAccountSpec, new: TradingAccountSpec) -> bool:
    def relevant(spec: TradingAccountSpec) -> tuple[Any, ...]:
        markets = [market.symbol for market in spec.markets]
        return (spec.strategy, markets, spec.capital.allocation, spec.capital.per_market)

    return relevant(old) != relevant(new)
