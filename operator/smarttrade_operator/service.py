"""One operator process: wires everything, leads or stands by, and ends when anything it needs ends.

The standby only watches the lease. The leader that loses it exits instead of cleaning up: a fresh process is
the one state that is known to be right.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter as Tally
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from smarttrade.api.catalogue import Catalogue
from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.messages import Report
from smarttrade_operator import health
from smarttrade_operator.aliases import KnownNames
from smarttrade_operator.audit import Audit
from smarttrade_operator.backtests.reconcile import BacktestReconciler
from smarttrade_operator.backtests.watching import add_watches
from smarttrade_operator.buses import Buses
from smarttrade_operator.cache import Cache
from smarttrade_operator.certificates import Certificates
from smarttrade_operator.children.credentials import AUTHORITY
from smarttrade_operator.health import QUEUE_AGE_LIMIT_S, Health
from smarttrade_operator.killswitch import KillSwitch
from smarttrade_operator.kinds import TRADING_ACCOUNT
from smarttrade_operator.kube import Kube, NotFound, Refused
from smarttrade_operator.leader import Leadership
from smarttrade_operator.names import Key
from smarttrade_operator.provisioning import Provisioning
from smarttrade_operator.publish import Publisher
from smarttrade_operator.queue import WorkQueue
from smarttrade_operator.reconcile import Reconciler
from smarttrade_operator.removal import Removal
from smarttrade_operator.reports import Reports
from smarttrade_operator.resync import Resync
from smarttrade_operator.settings import SHARED, Settings, read_keys
from smarttrade_operator.status import Budget
from smarttrade_operator.sweep import Sweep
from smarttrade_operator.watches import watch
from smarttrade_operator.withdrawal import Withdrawals

RECONCILE_LIMIT_S = 60.0
_SPREAD_S = 2.0


@dataclass(slots=True)
class Operator:
    """The leader's parts, built from the settings."""

    settings: Settings
    kube: Kube
    cache: Cache
    reports: Reports
    reconciler: Reconciler
    queue: WorkQueue[Key]
    buses: Buses
    audit: Audit
    resync: Resync
    backtests: WorkQueue[Key]
    kill_switch: KillSwitch
    aliases: KnownNames
    certificates: Certificates
    withdrawals: Withdrawals
    reconcile_all: Callable[[], None]
    watching: asyncio.Event = field(default_factory=asyncio.Event)

    def watch(self, on_started: Callable[[], None]) -> Coroutine[Any, Any, None]:
        namespaces = self.settings.watch_namespaces
        also = partial(add_watches, enqueue=self.backtests.add)
        return watch(self.cache, self.queue.add, namespaces, self.watching, on_started, also)

    def jobs(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What runs besides the watches while this process leads; the end of any is the end of all."""
        return {
            "queue": self.queue.run(),
            "backtests": self.backtests.run(),
            "kill switch": self.kill_switch.run(),
            "certificates": self.certificates.run(),
            "resync": self.resync.run(),
            "audit": self.audit.run(self.settings.audit_s),
            "names": self.aliases.run(self.reconcile_all),
            "withdrawn passwords": self.withdrawals.run(),
            **{name: job for bus in self.buses.by_name for name, job in self._jobs_of(bus).items()},
        }

    def _jobs_of(self, bus: str) -> dict[str, Coroutine[Any, Any, None]]:
        provisioning, accounts = self.buses.by_name[bus], partial(self.buses.accounts, bus)
        sweep = Sweep(self.settings.installation, provisioning, accounts, bus)
        return {
            f"NATS {bus}": provisioning.run(),
            f"NATS {bus} again": provisioning.follow(partial(self._doubt_nats, bus)),
            f"sweep {bus}": sweep.run(self.settings.resync_s),
        }

    def _doubt_nats(self, bus: str) -> None:
        for key in self.buses.accounts(bus):
            self.buses.forget(key)
            self.queue.add(key, random.random() * _SPREAD_S)

    def complaint(self) -> str:
        age_s = self.queue.schedule.age_s(time.monotonic())
        late = f"an account has been due for {age_s:.0f} s" if age_s > QUEUE_AGE_LIMIT_S else ""
        return late or self.audit.complaint()

    def measure(self) -> None:
        health.queue_age.set(self.queue.schedule.age_s(time.monotonic()))
        health.queue_length.set(len(self.queue.schedule))
        phases = Tally(
            str((account.get("status") or {}).get("phase", "Pending"))
            for account in self.cache.objects(TRADING_ACCOUNT.kind)
        )
        health.accounts.clear()
        for phase, count in phases.items():
            health.accounts.labels(phase).set(count)


def build_operator(settings: Settings, kube: Kube, *, wall: Callable[[], float] = time.time) -> Operator:
    """`wall` is seconds since the epoch. ConfigurationError where keys or catalogue cannot be read."""
    clock = time.monotonic
    keys, catalogue = read_keys(settings.keys), Catalogue.load(settings.catalogue)
    cache, reports = Cache(settings.installation), Reports(clock)

    async def on_report(token: str, role: str, report: Report) -> None:
        telling = reports.receive(token, role, report)
        if telling is not None:
            queue.add(*telling)

    tls = settings.network.nats_tls

    def build_provisioning(url: str, replicas: int) -> Provisioning:
        authority, retention = tls / AUTHORITY if tls else None, settings.retention
        return Provisioning(url, keys, replicas, on_report, wall, authority=authority, retention=retention)

    buses = Buses(
        settings,
        cache,
        {SHARED: build_provisioning(settings.network.nats_url, settings.nats_replicas)}
        | {name: build_provisioning(bus.url, bus.replicas) for name, bus in settings.buses.items()},
    )
    budget = Budget(settings.status_writes_per_s)
    place = (settings.installation, settings.nats_cluster)
    publisher = Publisher(kube, cache, budget, settings.pod, place, clock)
    removal = Removal(kube, settings, buses, reports, publisher, clock)
    aliases = KnownNames([settings.network, *map(settings.network_of, settings.buses)], catalogue)
    reconciler = Reconciler(
        kube, cache, settings, catalogue, buses, reports, publisher, removal, aliases, clock, wall
    )

    async def handle(key: Key) -> float | None:
        try:
            async with asyncio.timeout(RECONCILE_LIMIT_S):
                return await reconciler.reconcile(key)
        except TimeoutError as error:
            raise SmartTradeError(f"not done within {RECONCILE_LIMIT_S:.0f} s") from error

    queue: WorkQueue[Key] = WorkQueue(handle, settings.concurrency)

    def reconcile_all() -> None:
        for key in cache.accounts():
            queue.add(key)

    kill_switch = KillSwitch(kube, settings.namespace, reconcile_all)
    buses.ask_for_kills(kill_switch.is_thrown)

    def resync(key: Key) -> None:
        reconciler.distrust(key)
        queue.add(key)

    return Operator(
        settings=settings,
        kube=kube,
        cache=cache,
        reports=reports,
        reconciler=reconciler,
        queue=queue,
        buses=buses,
        withdrawals=Withdrawals(
            kube,
            cache,
            settings.installation,
            settings.namespace,
            settings.network.gateway_withdrawn,
            wall,
        ),
        audit=Audit(kube, cache, queue.add, settings.watch_namespaces),
        resync=Resync(settings.resync_s, cache.accounts, resync),
        kill_switch=kill_switch,
        aliases=aliases,
        certificates=Certificates(kube, settings, keys.master, buses.reload_servers, wall),
        reconcile_all=reconcile_all,
        backtests=WorkQueue(BacktestReconciler(kube, settings).reconcile, settings.concurrency),
    )


async def serve(settings: Settings) -> None:
    """Run until SIGTERM; raises when the process must end for another reason."""
    stop = asyncio.Event()
    _take_signals(stop)
    probes = Health(settings.host, settings.port)
    await probes.start()
    try:
        async with await Kube.connect() as kube:
            await _check_definition(kube, settings)
            operator = build_operator(settings, kube)
            leadership = Leadership(kube, settings.namespace, settings.pod, settings.lease_s)
            await _stand_by_and_lead(operator, leadership, probes, stop)
    finally:
        await probes.stop()


def _take_signals(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _check_definition(kube: Kube, settings: Settings) -> None:
    """Ask for the definition where we have rights: a namespace may have been deleted with them."""
    refusal: Refused | None = None
    for namespace in settings.watch_namespaces or (None,):
        try:
            await kube.list_metadata(TRADING_ACCOUNT, namespace)
            return
        except NotFound as error:
            raise ConfigurationError(
                "the API server does not know TradingAccount in smarttrade.io/v1alpha1: install the chart's "
                "CustomResourceDefinition of this version (crds.enabled=true)"
            ) from error
        except Refused as error:
            refusal = error
            _log.warning("a namespace cannot be served", namespace=namespace, error=str(error))
    if refusal is not None:
        raise refusal


async def _stand_by_and_lead(
    operator: Operator, leadership: Leadership, probes: Health, stop: asyncio.Event
) -> None:
    stopping = asyncio.create_task(stop.wait(), name="signal")
    acquiring = asyncio.create_task(leadership.acquire(), name="lease")
    if await _first(acquiring, stopping) is stopping:
        acquiring.cancel()
        return
    health.leading.set(1)
    probes.live["operator"] = operator.complaint
    probes.ready["watches"] = lambda: "" if operator.watching.is_set() else "not yet running"
    probes.refresh = operator.measure
    await _lead(operator, leadership, stop, stopping)


async def _lead(
    operator: Operator, leadership: Leadership, stop: asyncio.Event, stopping: asyncio.Task[Any]
) -> None:
    watching = asyncio.create_task(operator.watch(lambda: _take_signals(stop)), name="watches")
    jobs = [asyncio.create_task(job, name=name) for name, job in operator.jobs().items()]
    jobs.append(asyncio.create_task(leadership.keep(), name="lease"))
    try:
        ended = await _first(*jobs, watching, stopping)
        if ended is not stopping:
            raise SmartTradeError(f"{ended.get_name()} ended by itself")
    finally:
        # Nothing is written once the jobs have ended, so that another replica may start at once.
        await _cancel(*jobs)
        await leadership.release()
        await _cancel(watching, stopping)


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=5)


async def _first(*tasks: asyncio.Task[Any]) -> asyncio.Task[Any]:
    """The task that ends first; raises its error."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    ended = next(task for task in tasks if task in done)
    ended.result()
    return ended


_log = structlog.get_logger()
