"""The watches: kopf as an informer, nothing more.

Every event goes into the cache and puts one key into the queue. No kopf finalizers, timers, daemons or
indices: they write to the objects or do not scale. A handler here must not fail, since kopf never retries an
event: all work that can fail is the queue's.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import kopf

from smarttrade_operator.cache import Cache
from smarttrade_operator.children.blueprint import CHILD_SELECTOR
from smarttrade_operator.kinds import CHILDREN, POD, TRADING_ACCOUNT, Kind, Manifest
from smarttrade_operator.names import Key

_IDENTITY: Any = "smarttrade-operator"

WATCHED = (TRADING_ACCOUNT, *CHILDREN, POD)
Enqueue = Callable[[Key], None]


class Patience:
    """Seconds between attempts, without an end: kopf gives up otherwise, and takes the whole process with it.

    A namespace that is deleted takes our rights in it away, and that must not end the watches on the others.
    """

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0), itertools.repeat(21.0))


def build_registry(cache: Cache, enqueue: Enqueue) -> kopf.OperatorRegistry:
    """The handlers: one for each watched kind, and the two ways to log in."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    for kind in WATCHED:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=registry)(
            _build_handler(kind, cache, enqueue)
        )
    return registry


def build_settings() -> kopf.OperatorSettings:
    """No peering, no scanning, no posted events; children are selected by label on the server."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.watching.chunk_size = 500
    settings.watching.connect_timeout = 5
    settings.networking.connect_timeout = 5
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = Patience()
    settings.process.ultimate_exiting_timeout = None
    settings.queueing.exit_timeout = 1
    settings.queueing.idle_timeout = 1
    for kind in WATCHED:
        if kind is not TRADING_ACCOUNT:
            settings.watching.label_selectors[kind.group, kind.version, kind.plural] = CHILD_SELECTOR
    return settings


async def watch(
    cache: Cache,
    enqueue: Enqueue,
    namespaces: tuple[str, ...],
    ready: asyncio.Event,
    on_started: Callable[[], None],
    extend: Callable[[kopf.OperatorRegistry, kopf.OperatorSettings], None],
) -> None:
    """Run the watches until cancelled; no namespaces means all of them. `extend` adds other kinds.

    Cancel it last and do not let it end by itself: kopf takes every task of the loop that is younger than
    itself for one of its own and waits five seconds for it. It also takes over the process's signals, which
    `on_started` is the moment to take back.
    """
    others = asyncio.all_tasks()
    registry, settings = build_registry(cache, enqueue), build_settings()
    extend(registry, settings)
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=settings,
        # kopf would otherwise look up the name of a user that an arbitrary uid does not have.
        identity=_IDENTITY,
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        ready_flag=ready,
    )
    on_started()
    await kopf.run_tasks(tasks, ignored=others)


def take_event(
    cache: Cache, enqueue: Enqueue, kind: Kind, event_type: str | None, manifest: Manifest
) -> None:
    """One event of one watch: remember the object and put its account into the queue."""
    whole = {"apiVersion": kind.api_version, "kind": kind.kind, **manifest}
    if kind is POD:
        whole["metadata"] = {
            name: part for name, part in whole["metadata"].items() if name != "managedFields"
        }
    key = cache.observe(whole, deleted=event_type == "DELETED")
    if key is not None:
        enqueue(key)


def _build_handler(kind: Kind, cache: Cache, enqueue: Enqueue) -> Callable[..., Any]:
    async def handle(event: Any, **_: Any) -> None:
        take_event(cache, enqueue, kind, event["type"], dict(event["object"]))

    handle.__name__ = f"handle_{kind.plural}"
    return handle


def _login(**arguments: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)
