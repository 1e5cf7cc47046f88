"""Evaluation's process: NATS on one side, the strategy's session on the other.

Everything that comes in goes through one queue into one task, so the strategy sees one sequence. A decision
is sent only while this pod's execution says that it leads; execution that fell silent leads no more as far
as we know.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import structlog

from smarttrade.bus import subjects
from smarttrade.bus.connection import Connection, connect
from smarttrade.errors import BusError
from smarttrade.evaluation.bus import PodBus
from smarttrade.evaluation.core import StrategyFailedError
from smarttrade.evaluation.divergence import Divergence
from smarttrade.evaluation.outbox import Outbox
from smarttrade.evaluation.session import Session
from smarttrade.evaluation.tally import Tally
from smarttrade.evaluation.watchdog import Watchdog, end_process
from smarttrade.messages import (
    AccountView,
    Decision,
    DecisionOutcome,
    EvaluationStatus,
    Fill,
    MarketBatch,
    decode,
)
from smarttrade.process.probes import Probes
from smarttrade.process.run import nats_closed
from smarttrade.process.settings import Settings

logger = structlog.get_logger()

_QUEUE = 10_000
_HEARTBEAT_S = 1.0
_VIEW_LIFE_S = 3.0
_SETTLE_S = 2.0


class EvaluationService:
    """One strategy of one pod."""

    def __init__(self, settings: Settings, probes: Probes) -> None:
        self._settings = settings
        self._probes = probes
        self._tally = Tally()
        self._queue: asyncio.Queue[tuple[Any, bytes]] = asyncio.Queue(_QUEUE)
        self._divergence = Divergence()
        self._watchdog = Watchdog(end_process)
        self._leading = False
        self._draining = False
        self._view_at = 0.0
        self._news = asyncio.Event()
        """Of the specification that runs, or cannot: users wait for it."""

    async def run(self) -> None:
        self._probes.ready("bus", ok=False, reason="connecting")
        self._ready(False, "waiting for the specification")
        nc = await connect(
            self._settings.nats_url,
            name=f"{self._settings.identity.key} evaluation",
            role="evaluation",
            credentials=self._settings.nats_credentials,
            authority=self._settings.nats_authority,
            on_closed=nats_closed,
        )
        self._bus = PodBus(nc, self._settings.pod)
        self._outbox = Outbox(self._bus.decide, self._may_send, self._tally.answered)
        self._session = Session(
            self._settings.identity,
            self._bus,
            offer=self._offer,
            wanted=self._resend,
            ready=self._ready,
            guard=self._watchdog,
            image=self._settings.strategy_image,
        )
        self._watchdog.start()
        reporting = asyncio.create_task(self._report_forever())
        try:
            await self._subscribe(nc)
            self._probes.follow("bus", lambda: nc.is_connected, "disconnected")
            await self._work()
        except StrategyFailedError as failure:
            self._session.error = str(failure)
            self._ready(False, str(failure))
            await self._beat()
            raise
        finally:
            self._watchdog.stop()
            reporting.cancel()
            self._outbox.close()
            self._session.close()
            await nc.close()

    async def drain(self) -> None:
        """Let the decisions on their way be answered; nothing new is sent."""
        self._draining = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._outbox.settle(), _SETTLE_S)

    def _ready(self, ok: bool, reason: str) -> None:
        self._probes.ready("strategy", ok=ok, reason=reason)

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
        await self._session.synchronise()
        while True:
            kind, payload = await self._queue.get()
            try:
                message = decode(payload, kind)
            except BusError as error:
                logger.error("message ignored", error=str(error))
                continue
            known = self._session.generation, self._session.refused
            await self._handle(message)
            if known != (self._session.generation, self._session.refused):
                self._news.set()

    async def _handle(self, message: MarketBatch | AccountView | Fill | DecisionOutcome) -> None:
        match message:
            case MarketBatch():
                self._count(message)
                await self._session.batch(message)
            case AccountView():
                await self._on_view(message)
            case Fill():
                self._session.event(message)
            case DecisionOutcome():
                self._divergence.outcome(message)

    def _count(self, batch: MarketBatch) -> None:
        self._tally.events += len(batch.events)

    # --- out --------------------------------------------------------------------------------------------

    async def _on_view(self, view: AccountView) -> None:
        self._view_at = time.monotonic()
        self._session.on_view(view)
        took_the_lead = view.leading and not self._leading
        if took_the_lead:
            await self._session.resume()
            if not self._heard_recently():
                return  # what came meanwhile says whether this pod leads still
        self._leading = view.leading
        if took_the_lead:
            logger.info("leading", epoch=view.epoch)
            self._resend()

    def _may_send(self) -> bool:
        return self._leading and self._heard_recently() and not self._draining

    def _heard_recently(self) -> bool:
        return time.monotonic() - self._view_at < _VIEW_LIFE_S

    def _resend(self) -> None:
        """Say what is wanted now: nobody else says it for this pod."""
        core = self._session.core
        if core and self._may_send():
            for decision in self._session.wanted_now():
                self._outbox.offer(decision, core.strategy.now_ms)

    def _offer(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            self._tally.decided += 1
            self._divergence.decided(decision)
            if self._may_send():
                self._outbox.offer(decision, decision.event_time_ms)

    # --- the heartbeat ----------------------------------------------------------------------------------

    async def _report_forever(self) -> None:
        """Once a second, and at once when there is news."""
        while True:
            self._news.clear()
            await self._beat()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _HEARTBEAT_S)

    async def _beat(self) -> None:
        if self._session.core and not self._leading:
            self._divergence.judge(self._session.core.strategy.now_ms)
        try:
            await self._bus.heartbeat(self._status())
        except BusError as error:
            logger.debug("monitoring did not take the heartbeat", error=str(error))

    def _status(self) -> EvaluationStatus:
        return EvaluationStatus(
            pod=self._settings.pod,
            generation=self._session.generation,
            ready=self._session.core is not None,
            leading=self._may_send(),
            decisions=self._tally.decided,
            divergences=self._divergence.count,
            error=self._session.error or self._session.forgetting,
            book_levels=self._session.core.strategy.book_levels if self._session.core else 0,
            events=self._tally.events,
            accepted=self._tally.accepted,
            denied=self._tally.denied,
            unanswered=self._tally.unanswered,
            gaps=self._session.gaps,
            lost_batches=self._session.lost_batches,
            version=self._session.version,
            refused=self._session.refused,
        )
