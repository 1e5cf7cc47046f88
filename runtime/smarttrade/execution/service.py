"""The execution container: wires the core to bus and exchange, and owns the event loop.

Inputs are handed to the core one at a time, in this loop's order; effects are performed in the order in which
the core returned them. When the lead is lost the core is replaced by one with an empty book, and whatever
the old one still waited for is ignored.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import structlog

from smarttrade import messages
from smarttrade.api import TradingAccountSpec
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.control import ControlReader
from smarttrade.bus.lease import Lease
from smarttrade.errors import BusError, ConfigurationError, SmartTradeError
from smarttrade.exchange.capabilities import Capability
from smarttrade.exchange.paper import PaperVenue
from smarttrade.exchange.venue import Credentials, Venue
from smarttrade.execution import effects as fx
from smarttrade.execution.bus_link import BusLink
from smarttrade.execution.commands_desk import CommandDesk, keep_halt, kept_halt
from smarttrade.execution.commands_socket import CommandSocket
from smarttrade.execution.context import Tuning
from smarttrade.execution.core import Core
from smarttrade.execution.exchange_link import Exchange, ExchangeLink, monotonic_ms
from smarttrade.execution.fingerprint import build_fingerprints
from smarttrade.execution.keys import FINGERPRINT_KEY, ORDERS_KEY, read_key
from smarttrade.execution.leadership import Leadership
from smarttrade.execution.metrics import Metrics
from smarttrade.execution.preflight_probe import PreflightProbe
from smarttrade.execution.setup import (
    build_exchange,
    build_tuning,
    check_capability,
    check_orders_key,
    read_credentials,
    restore_paper,
)
from smarttrade.messages import EffectiveState
from smarttrade.process import run as process
from smarttrade.process.probes import Probes
from smarttrade.process.settings import Settings

_TTL_S, _TTL_ALONE_S = 1.0, 3.0
_HEARTBEAT_S = 0.5
_CONNECT_RETRY_S = 0.5
_REFUSED = "authorization"
_EXCHANGE_LOST_MS = 3_000.0
_PATIENCE_MS = 30_000.0
_OTHERS_FIRST_S = 3.0
_UNFULFILLED = (messages.Outcome.DENIED, messages.Outcome.REJECTED, messages.Outcome.PARKED)
_STUCK_WITH_IT_MS = 60_000.0
_KEY_CHECK_S = 5.0

BuildExchange = Callable[[TradingAccountSpec, Capability, Settings], Exchange]


class ExecutionService:
    """One container's life; `build` makes the exchange, so that tests may put a pause in front of it."""

    def __init__(self, settings: Settings, probes: Probes, build: BuildExchange = build_exchange) -> None:
        self._settings = settings
        self._probes = probes
        self._build = build
        self._orders_key = read_key(settings.nats_credentials, ORDERS_KEY)
        tuning = Tuning(replicas=settings.replicas)
        self._core = Core(settings.identity, settings.pod, tuning, self._orders_key)
        self._metrics = Metrics(probes.metrics, lambda: self._core)
        self._logger = structlog.get_logger()
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._bus: BusLink | None = None
        self._leadership: Leadership | None = None
        self._link: ExchangeLink | None = None
        self._probe: PreflightProbe | None = None
        self._exchange: Exchange | None = None
        self._started_ms = monotonic_ms()
        self._handed_over_ms = -_STUCK_WITH_IT_MS
        self._control_read: messages.AccountControl | None = None
        self._drained = asyncio.Event()
        self._halt_file = settings.command_socket.with_suffix(".halt")
        self._core.ctx.halt = self._kept = kept_halt(self._halt_file)
        self._desk = CommandDesk(
            lambda cid: self._core.ctx.owns(cid),
            settings.pod,
            self.feed,
            lambda: self._exchange,
            self._exchange_of,
            self._others_may_send,
            lambda: self._core.ctx.tuning.hold_ms / 1000,
            self._is_halted,
        )
        probes.ready("nats", ok=False, reason="connecting")
        probes.ready("log", ok=False, reason="not read yet")

    async def run(self) -> None:
        async with CommandSocket(self._settings.command_socket, self._desk.handle):
            try:
                await self._run_on_bus()
            finally:
                await self._desk.close()

    async def _run_on_bus(self) -> None:
        nc = await self._connect()
        try:
            await self._run(nc)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._link is not None:
                await self._link.close()
            await nc.close()

    async def _connect(self) -> Connection:
        """Servers that are away are waited for, so that commands by hand find somebody here meanwhile;
        servers that refuse the credentials end the process."""
        settings = self._settings
        while True:
            try:
                return await connect(
                    settings.nats_url,
                    name=f"execution-{settings.pod}",
                    role="execution",
                    credentials=settings.nats_credentials,
                    authority=settings.nats_authority,
                    on_closed=process.nats_closed,
                )
            except BusError as error:
                if _REFUSED in str(error).lower():
                    raise
                self._logger.warning("NATS is away", reason=str(error))
                await asyncio.sleep(_CONNECT_RETRY_S)

    async def _run(self, nc: Connection) -> None:
        settings = self._settings
        self._probes.follow("nats", lambda: nc.is_connected, "disconnected")
        self._bus = BusLink(nc, settings.pod, self.feed, monotonic_ms)
        ttl_s = _TTL_S if settings.replicas > 1 else _TTL_ALONE_S
        lease = Lease(nc, settings.pod, ttl_s)
        self._leadership = Leadership(nc, lease, lambda: self._core, self.feed, self._may_lead)
        self._leadership.append_seconds = self._metrics.append_seconds.observe
        await self._bus.start()
        await ControlReader(nc).subscribe(self._control)
        self._spawn(self._bus.run())
        self._spawn(self._heartbeat(nc))
        await self._leadership.run()

    async def drain(self) -> None:
        """Settle what is in flight, save a snapshot, hand the lead over."""
        self._drained.clear()
        self.feed(fx.Draining())
        if self._core.ctx.lead.holding:
            await self._drained.wait()
        await asyncio.gather(*self._tasks_of("hand-over"), return_exceptions=True)

    def feed(self, event: fx.Input) -> None:
        """One input into the core, and its effects out.

        An error in here ends the process: callers of callbacks would swallow it, and a core that stopped
        half-way must not trade on.
        """
        try:
            self._step(event)
        except Exception as error:
            self._logger.critical("execution failed unexpectedly", exc_info=error)
            process.fail(SmartTradeError(f"unexpected {type(error).__name__}: {error}"))

    def _step(self, event: fx.Input) -> None:
        exchange, spec = self._exchange, self._core.ctx.spec
        if isinstance(event, fx.LeaseGained) and isinstance(exchange, PaperVenue) and spec is not None:
            restore_paper(exchange, self._core.ctx.book, spec)
        for effect in self._core.handle(event, monotonic_ms()):
            self._perform(effect)
        self._keep_halt()

    def _keep_halt(self) -> None:
        """What holds now, for the next process; before a specification is read, what was kept stays."""
        ctx = self._core.ctx
        if ctx.spec is not None and ctx.halted is not self._kept:
            self._kept = ctx.halted
            keep_halt(self._halt_file, self._kept)

    def _perform(self, effect: fx.Effect) -> None:
        if isinstance(effect, fx.CommandAnswered):
            self._desk.answered(effect)
            return
        bus, leadership = self._bus, self._leadership
        if bus is None or leadership is None:
            return
        if isinstance(effect, fx.Publish):
            self._log_outcome(effect.message)
        match effect:
            case fx.SetTimer():
                self._wake_at(effect.at_ms)
            case fx.Append():
                self._spawn(leadership.append(effect, self._core))
            case fx.Fence():
                self._spawn(leadership.fence(effect))
            case fx.SaveSnapshot():
                self._spawn(leadership.save(effect), "hand-over")
            case fx.ReleaseLease():
                self._logger.info("releasing the lead", reason=effect.reason)
                leadership.back_off(effect.backoff_ms)
                self._spawn(leadership.lease.release(), "hand-over")
            case fx.Reload():
                self._reload(effect.reason)
            case _:
                if not bus.perform(effect) and self._link is not None:
                    self._link.perform(effect)

    def _log_outcome(self, message: object) -> None:
        """What a strategy wanted and did not get."""
        if not isinstance(message, messages.DecisionOutcome) or not self._core.ctx.leading:
            return
        if message.outcome in _UNFULFILLED:
            text = {"market": message.market, "decision": message.id, "reason": message.message}
            self._logger.warning(
                "decision not carried out", outcome=str(message.outcome), code=message.code, **text
            )

    def _reload(self, reason: str) -> None:
        self._logger.info("standing by", reason=reason)
        self._core = self._core.successor()
        if self._bus is not None:
            self._bus.abandon()
        self._drained.set()

    def _wake_at(self, at_ms: float) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + max(at_ms - monotonic_ms(), 1.0) / 1000
        if self._timer is not None and loop.time() < self._wakes_at <= at:
            return
        if self._timer is not None:
            self._timer.cancel()
        # uvloop returns a handle without `when` for a time that has come, so the time is kept here.
        self._wakes_at = at
        self._timer = loop.call_at(at, self.feed, fx.Tick())

    def _may_lead(self) -> bool:
        """A pod that lacks something lets the others go first; if none of them takes the lead, it is better
        than nobody: protection, halts and cancels need a leader too."""
        ctx = self._core.ctx
        able = bool(ctx.filters) and ctx.spec is not None and not ctx.lead.draining and not ctx.refusal
        if not able or self._leadership is None:
            return False
        return not self._unhealthy() or self._leadership.free_for_s() >= _OTHERS_FIRST_S

    def _is_halted(self) -> bool:
        core = self._core
        return core.ctx.spec is None or core.accounting.state().state is EffectiveState.HALTED

    def _may_send(self) -> bool:
        held = self._leadership is not None and self._leadership.lease.held
        return held and self._core.ctx.halted is None

    def _others_may_send(self) -> bool:
        """Whether another pod may still trade on a log that does not have this pod's halt. Cut off from the
        bus nothing can be known of that: then each pod is told by the command."""
        ctx = self._core.ctx
        written = ctx.halt is ctx.halt_written or ctx.halted is None
        return self._bus is not None and ctx.bus_lost_ms is None and not written

    async def _control(self, control: messages.AccountControl) -> None:
        try:
            spec = TradingAccountSpec.model_validate(control.spec)
        except ValueError as error:
            self._logger.error("the specification cannot be read, the one before stays", reason=str(error))
            return
        self._control_read = control
        self._apply(control, spec)

    def _apply(self, control: messages.AccountControl, spec: TradingAccountSpec) -> None:
        """Run a specification, or report why it cannot be run: a state to be in, not a reason to crash."""
        try:
            self._use_exchange(spec)
            refusal = ""
            self._logger.info("specification applied", generation=control.generation, state=spec.state)
        except SmartTradeError as error:
            refusal = str(error)
            if refusal != self._core.ctx.refusal:
                self._logger.error("the account cannot trade", reason=refusal)
        self.feed(
            fx.ControlRead(
                generation=control.generation,
                spec=spec,
                deleting=control.deleting,
                kill=control.kill,
                refusal=refusal,
                cleared=control.cleared,
                shared=control.shared,
            )
        )

    def _exchange_of(self, declared: dict[str, Any]) -> Exchange:
        """The exchange of a specification that did not come over the bus, for one use."""
        try:
            spec = TradingAccountSpec.model_validate(declared)
        except ValueError as error:
            raise ConfigurationError(f"the specification cannot be read: {error}") from error
        return self._build(spec, check_capability(spec), self._settings)

    def _use_exchange(self, spec: TradingAccountSpec) -> None:
        """Build the exchange at the first specification; which markets it trades, the core says."""
        if self._exchange is None or self._link is None:
            row = check_capability(spec)
            check_orders_key(spec, self._orders_key)
            self._core.ctx.tuning = build_tuning(spec, row, self._settings.replicas)
            self._exchange = self._build(spec, row, self._settings)
            self._link = ExchangeLink(self._exchange, self.feed, self._may_send)
            self._link.order_seconds = self._metrics.order_seconds.observe
            self._link.start()
            self._link.perform(fx.MeasureClock())
            if isinstance(self._exchange, PaperVenue) and self._bus is not None:
                self._spawn(self._bus.hear_market(self._exchange.on_market))
            if isinstance(self._exchange, Venue):
                key = read_credentials(self._settings.exchange_credentials)
                self._probe = self._build_probe(self._exchange, spec, key)
                self._spawn(self._probe.run())
                self._spawn(self._follow_key(key))
        if self._probe is not None:
            self._probe.use(spec)

    def _build_probe(self, venue: Venue, spec: TradingAccountSpec, key: Credentials) -> PreflightProbe:
        secret = read_key(self._settings.nats_credentials, FINGERPRINT_KEY)
        return PreflightProbe(
            venue.examine(),
            self.feed,
            lambda: self._core.ctx.filters,
            lambda account: build_fingerprints(secret, spec, key.api_key, account),
        )

    async def _follow_key(self, known: Credentials) -> None:
        """Once the mounted key is another one, go the way of every rollout: the lead is handed over, and the
        container starts anew with it. A file that cannot be read is being replaced, or wrong: this one goes
        on with what it has."""
        current = known
        while current == known:
            await asyncio.sleep(_KEY_CHECK_S)
            with suppress(ConfigurationError):
                current = await asyncio.to_thread(read_credentials, self._settings.exchange_credentials)
        self._logger.warning("the exchange key is another one: handing over and starting anew")
        os.kill(os.getpid(), signal.SIGTERM)

    async def _heartbeat(self, nc: Connection) -> None:
        """Twice a second: time passes, and what this pod depends on is looked at."""
        connected = True
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            if nc.is_connected != connected:
                connected = nc.is_connected
                self.feed(fx.BusReconnected() if connected else fx.BusDisconnected())
            caught_up = self._leadership is not None and self._leadership.caught_up
            self._probes.ready("log", ok=caught_up, reason="" if caught_up else "not read to its end")
            self._retry_refused()
            reason = self._unhealthy()
            self.feed(fx.PeersUnhealthy(reason=reason) if self._should_hand_over(reason) else fx.Tick())

    def _retry_refused(self) -> None:
        """A mounted Secret may still come; after a while the process ends, having told the operator."""
        ctx = self._core.ctx
        if not ctx.refusal or self._control_read is None or ctx.spec is None:
            return
        if self._link is None and monotonic_ms() - self._started_ms > _PATIENCE_MS:
            process.fail(ConfigurationError(ctx.refusal))
        self._apply(self._control_read, ctx.spec)

    def _should_hand_over(self, reason: str) -> bool:
        """Not again soon where nobody better took it the last time."""
        if not reason or not self._core.ctx.lead.claimed:
            return False
        now = monotonic_ms()
        if now - self._handed_over_ms < _STUCK_WITH_IT_MS:
            return False
        self._handed_over_ms = now
        return True

    def _unhealthy(self) -> str:
        """Why another replica would do better; empty if there is no reason."""
        now = monotonic_ms()
        failing = self._link.failing_since_ms if self._link is not None else None
        if failing is not None and now - failing > _EXCHANGE_LOST_MS:
            return "the exchange cannot be reached from this pod"
        silent = self._bus.silent() if self._bus is not None else ""
        return f"this pod's {silent} is silent" if silent else ""

    def _spawn(self, work: Coroutine[Any, Any, None], name: str = "execution") -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _tasks_of(self, name: str) -> list[asyncio.Task[None]]:
        return [task for task in self._tasks if task.get_name() == name]

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._logger.critical("execution failed unexpectedly", exc_info=task.exception())
            process.fail(SmartTradeError(f"unexpected: {task.exception()}"))
