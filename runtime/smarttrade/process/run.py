"""The life of one container's process: start, run, drain on SIGTERM, end loudly with a code that says why.

    def main() -> None:
        run.main("monitoring", lambda settings, probes: MonitoringService(settings, probes))

`run()` is the service's whole life; `drain()` lets it finish what it must not leave open (hand over, answer,
flush) after which `run()` is cancelled. Pass `nats_closed` as `on_closed` of the bus connection.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import Any, Protocol

import structlog
import uvloop

from smarttrade.errors import BusError, ConfigurationError, SmartTradeError
from smarttrade.process import logs, memory, output, secrecy
from smarttrade.process.probes import Probes
from smarttrade.process.settings import Settings

# Less than the pod's grace period of 30 s, so that the process still says what it did not finish.
DRAIN_S = 25.0


class Service(Protocol):
    """What a container does."""

    async def run(self) -> None:
        """Work until cancelled. Returning means that the work ended, which is an error before `drain`."""

    async def drain(self) -> None:
        """Finish within `DRAIN_S`; called once, while `run` still runs."""


ServiceFactory = Callable[[Settings, Probes], Service]

_failures: list[asyncio.Future[None]] = []


async def nats_closed() -> None:
    """End the process with code 3: the NATS client has given up for good."""
    fail(
        BusError("the NATS connection is closed for good: see the error before; the process must start again")
    )


def fail(error: SmartTradeError) -> None:
    """End the process because of an error outside `run()`; the first one counts."""
    if _failures and not _failures[-1].done():
        _failures[-1].set_exception(error)


def main(role: str, service_factory: ServiceFactory, *, exposes: bool = True) -> None:
    """Run until SIGTERM or failure, then exit the interpreter with the code; `exposes`: serve metrics."""
    try:
        settings = Settings.from_environment(role)
    except ConfigurationError as error:
        logs.configure_with({"component": role})
        structlog.get_logger().critical(str(error))
        sys.exit(error.exit_code)
    secrecy.leave_no_core()
    logs.configure(settings, role)
    output.bound_prints(logs.describe(settings, role))
    sys.exit(uvloop.run(_supervise(settings, service_factory, exposes)))


async def _supervise(settings: Settings, service_factory: ServiceFactory, exposes: bool) -> int:
    stop = _listen_for_signals()
    probes = Probes(settings.port, settings.host, exposes=exposes)
    try:
        await probes.start()
        memory.settle()  # before the service makes anything
        await _live(service_factory(settings, probes), probes, stop)
    except Exception as error:  # noqa: BLE001
        return _report(error)
    finally:
        await probes.stop()
    return 0


def _listen_for_signals() -> asyncio.Event:
    """Before anything else: a container's first process is not ended by a signal that it does not handle."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _live(service: Service, probes: Probes, stop: asyncio.Event) -> None:
    """Return after a drain; raise what ended the service otherwise."""
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    _failures.append(failure)
    running = asyncio.create_task(service.run())
    stopping = asyncio.create_task(stop.wait())
    try:
        watched: set[asyncio.Future[Any]] = {running, stopping, failure}
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        if failure.done():
            failure.result()
        if running.done():
            running.result()
            raise SmartTradeError("the service ended by itself")
        await _drain(service, probes, running)
    finally:
        _failures.remove(failure)
        for task in (running, stopping):
            task.cancel()
        await asyncio.gather(running, stopping, return_exceptions=True)


async def _drain(service: Service, probes: Probes, running: asyncio.Task[None]) -> None:
    structlog.get_logger().info("stopping")
    probes.ready("running", ok=False, reason="stopping")
    try:
        async with asyncio.timeout(DRAIN_S):
            await service.drain()
    except TimeoutError:
        structlog.get_logger().error(
            f"not drained within {DRAIN_S:.0f} s: what is open is resolved at the next start"
        )
    if running.done() and not running.cancelled() and running.exception():
        structlog.get_logger().error(
            "the service failed while it was stopping", error=str(running.exception())
        )


def _report(error: Exception) -> int:
    logger = structlog.get_logger()
    if isinstance(error, SmartTradeError):
        logger.critical(str(error))
        return error.exit_code
    logger.critical(f"unexpected {type(error).__name__}: {error}", exc_info=error)
    return SmartTradeError.exit_code
