"""Monitoring's process: wires the exchange's streams to the bus and answers evaluation's questions.

A control change is put into the event stream at one point, after the markets that it names are watched, so
evaluation can ask for their history the moment it sees the change.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog
from nats.errors import Error as NatsError
from prometheus_client import Counter
from pydantic import ValidationError

from smarttrade.api import TradingAccountSpec
from smarttrade.api.catalogue import Endpoint
from smarttrade.bus import subjects
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.control import ControlReader
from smarttrade.errors import BusError, ConfigurationError
from smarttrade.messages import (
    BOOK_LEVELS,
    AccountControl,
    Check,
    ControlChange,
    DescribeReply,
    EvaluationStatus,
    HistoryReply,
    HistoryRequest,
    MarketEvent,
    MissedReply,
    MissedRequest,
    ServiceRequest,
    StrategyVersion,
    StreamStatus,
    Verdict,
    decode,
    encode,
)
from smarttrade.monitoring.metrics import Metrics
from smarttrade.monitoring.peers import Peers
from smarttrade.monitoring.publisher import Publisher, kind_of
from smarttrade.monitoring.reports import build_data_check, build_report, build_strategy_checks
from smarttrade.monitoring.watchers import Watchers
from smarttrade.process.gateways import build_route
from smarttrade.process.probes import Probes
from smarttrade.process.run import nats_closed
from smarttrade.process.settings import Settings

logger = structlog.get_logger()

_REPORT_EVERY_S = 5.0
_LOOK_S = 0.25
_EVALUATION_LIFE_S = 5.0
# Bounds of what strategy code can make monitoring do. Evaluation itself asks for one history after the other,
# beats once a second, and wishes for books once.
_HISTORIES_AT_ONCE = 4
_PULSE_S = 0.2
_BOOKS_S = 10.0


class MonitoringService:
    """The eyes of one pod."""

    def __init__(self, settings: Settings, probes: Probes) -> None:
        self._settings = settings
        self._probes = probes
        self._metrics = Metrics(probes.metrics)
        self._counted: dict[tuple[str, type], Counter] = {}
        self._publisher = Publisher(self._send)
        self._peers = Peers(settings.pod)
        endpoint = _endpoint(settings.endpoint)
        route = build_route(endpoint, settings)
        self._watchers = Watchers(
            endpoint, self._put, self._metrics, route, settings.replicas, copy=self._peers.ask
        )
        self._controls: asyncio.Queue[AccountControl] = asyncio.Queue()
        self._generation = 0
        self._spec: dict[str, Any] = {}
        self._strategy: StrategyVersion | None = None
        self._refused = ""
        self._evaluation: EvaluationStatus | None = None
        self._evaluation_at = 0.0
        self._books: tuple[int, float] = (0, -_BOOKS_S)
        self._histories = 0
        self._pulse_at = -_PULSE_S
        self._answers: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        settings = self._settings
        self._probes.ready("bus", ok=False, reason="connecting")
        self._probes.ready("control", ok=False, reason="the specification has not been read")
        self._nc: Connection = await connect(
            settings.nats_url,
            name=f"{settings.identity.key} monitoring",
            role="monitoring",
            credentials=settings.nats_credentials,
            authority=settings.nats_authority,
            on_closed=nats_closed,
        )
        work = [self._publisher.run(), self._report_forever(), self._follow_control()]
        tasks = [asyncio.ensure_future(task) for task in work]
        try:
            await self._nc.subscribe(subjects.history(settings.pod), cb=self._asked)
            await self._peers.serve(self._nc, self._watchers.copy)
            self._probes.follow("bus", lambda: self._nc.is_connected, "disconnected")
            await ControlReader(self._nc).subscribe(self._controls.put)
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._watchers.close()
            await self._nc.close()

    async def drain(self) -> None:
        """Send what was put; readers follow another feed afterwards."""
        await self._publisher.flush()
        await self._nc.flush(1)

    # --- market events ----------------------------------------------------------------------------------

    def _put(self, event: MarketEvent) -> None:
        market = "" if isinstance(event, ControlChange) else event.market
        counted = self._counted.get((market, type(event)))
        if counted is None:  # looking a counter up by its labels costs more than all else here
            counted = self._counted[market, type(event)] = self._metrics.events.labels(market, kind_of(event))
        counted.inc()
        self._publisher.put(event)

    async def _send(self, kind: str, payload: bytes) -> None:
        try:
            await self._nc.publish(subjects.market(self._settings.pod, kind), payload)
        except (NatsError, OSError) as error:
            raise BusError(str(error) or type(error).__name__) from error

    # --- control ----------------------------------------------------------------------------------------

    async def _follow_control(self) -> None:
        while True:
            control = await self._controls.get()
            while not self._controls.empty():
                control = self._controls.get_nowait()
            if not self._is_known(control):
                await self._apply(control)

    def _is_known(self, control: AccountControl) -> bool:
        known = (self._generation, self._spec, self._strategy)
        return known == (control.generation, control.spec, control.strategy)

    async def _apply(self, control: AccountControl) -> None:
        try:
            following = self._watchers.follow(TradingAccountSpec.model_validate(control.spec))
            if not self._generation:
                self._accept(control)  # evaluation is told what it waits for while the exchange is connected
            await following
        except (ConfigurationError, ValidationError) as error:
            self._refused = f"generation {control.generation}: {error}"
            self._watchers.problem = self._watchers.problem and str(error)
            logger.error("specification refused", generation=control.generation, error=str(error))
            return
        self._accept(control)

    def _accept(self, control: AccountControl) -> None:
        if self._is_known(control):
            return
        self._generation, self._spec, self._strategy = control.generation, control.spec, control.strategy
        self._refused = ""
        self._probes.ready("control", ok=True)
        self._metrics.generation.set(control.generation)
        change = ControlChange(generation=control.generation, spec=control.spec, strategy=control.strategy)
        self._put(change)
        logger.info("specification applied", generation=control.generation)

    # --- questions --------------------------------------------------------------------------------------

    async def _asked(self, message: Any) -> None:
        """Answer in a task of its own, so that a slow history does not hold up a heartbeat."""
        task = asyncio.create_task(self._answer(message))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, message: Any) -> None:
        try:
            request: Any = decode(message.data, ServiceRequest)
        except BusError as error:
            logger.error("question ignored", error=str(error))
            return
        if isinstance(request, EvaluationStatus):
            self._heard_of_evaluation(request)
            reply = b""
        elif isinstance(request, HistoryRequest):
            reply = encode(await self._history(request))
        elif isinstance(request, MissedRequest):
            reply = encode(MissedReply(batches=self._publisher.again(request)))
        else:
            reply = encode(self._describe())
        if message.reply:
            await self._respond(message.reply, reply)

    async def _respond(self, subject: str, reply: bytes) -> None:
        """Who asks hears nothing where the answer cannot be sent, and asks again."""
        try:
            await self._nc.publish(subject, reply)
        except (NatsError, OSError) as error:
            self._metrics.unanswered.inc()
            logger.debug("an answer was not sent", error=str(error) or type(error).__name__)

    async def _history(self, request: HistoryRequest) -> HistoryReply:
        if self._histories >= _HISTORIES_AT_ONCE:
            return HistoryReply(candles=[], error="too many questions at once: wait for their answers")
        self._histories += 1
        try:
            return await self._watchers.history(request)
        finally:
            self._histories -= 1

    def _describe(self) -> DescribeReply:
        return DescribeReply(
            generation=self._generation,
            spec=self._spec,
            feed=self._publisher.feed,
            seq=self._publisher.seq,
            strategy=self._strategy,
        )

    def _heard_of_evaluation(self, status: EvaluationStatus) -> None:
        now = time.monotonic()
        self._evaluation, self._evaluation_at = status, now
        self._metrics.evaluation(status)
        self._want_books(status.book_levels if status.book_levels in BOOK_LEVELS else 0, now)
        if now - self._pulse_at < _PULSE_S:
            return
        self._pulse_at = now
        # Execution hears evaluation's pulse this way: a pod whose evaluation hangs must not keep the lead.
        pulse = StreamStatus(
            market="", stream="evaluation", verdict=Verdict.FRESH, since_ms=self._watchers.clock.now_ms()
        )
        self._put(pulse)

    def _want_books(self, levels: int, now: float) -> None:
        """Every change costs the exchange a subscription, and the shared address some of its patience."""
        wished, at = self._books
        if levels != wished and now - at >= _BOOKS_S:
            self._books = (levels, now)
            self._watchers.want_books(levels)

    # --- reports ----------------------------------------------------------------------------------------

    async def _report_forever(self) -> None:
        """Every five seconds, and at once when a verdict or evaluation's state changed."""
        reported: Any = None
        reported_at = 0.0
        while True:
            failure = self._watchers.failed()
            if failure:
                raise failure
            self._metrics.unsent.set(self._publisher.lost)
            state = self._state()
            if state != reported or time.monotonic() - reported_at > _REPORT_EVERY_S:
                reported, reported_at = state, time.monotonic()
                await self._report()
            await asyncio.sleep(_LOOK_S)

    def _state(self) -> tuple[Any, ...]:
        evaluation = self._evaluation_now()
        about = evaluation and (
            evaluation.generation,
            evaluation.ready,
            evaluation.leading,
            evaluation.error,
        )
        return (self._generation, [(check.type, check.reason) for check in self._checks()], about)

    def _checks(self) -> list[Check]:
        checks = [build_data_check(self._watchers.judgements(), self._watchers.problem)]
        if self._refused:
            checks.append(
                Check(type="ConfigApplied", ok=False, reason="SpecificationRefused", message=self._refused)
            )
        elif evaluation := self._evaluation_now():
            checks += build_strategy_checks(evaluation, self._generation)
        return checks

    def _evaluation_now(self) -> EvaluationStatus | None:
        heard_recently = time.monotonic() - self._evaluation_at < _EVALUATION_LIFE_S
        return self._evaluation if heard_recently else None

    async def _report(self) -> None:
        report = build_report(
            self._settings.pod,
            self._generation,
            self._checks(),
            self._evaluation_now(),
            self._watchers.clock.now_ms(),
        )
        try:
            await self._nc.publish(subjects.report("monitoring"), encode(report))
        except (NatsError, TimeoutError) as error:
            logger.debug("the report could not be sent", error=str(error) or type(error).__name__)


def _endpoint(written: str) -> Endpoint:
    try:
        return Endpoint.model_validate_json(written)
    except ValidationError as error:
        raise ConfigurationError(
            f"SMARTTRADE_ENDPOINT is not an endpoint of the catalogue: {error}"
        ) from error
