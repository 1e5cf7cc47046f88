"""Proof that the watches deliver: a listing now and then, compared with the cache.

A watch can hang with its connection open, and after a gap it does not tell what was deleted meanwhile. What
the audit finds it repairs in the cache; a kind that lags in two audits in a row makes the operator unfit to
live, because a restart opens new watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter

from smarttrade_operator.cache import Cache, version
from smarttrade_operator.children.blueprint import CHILD_SELECTOR
from smarttrade_operator.kinds import TRADING_ACCOUNT, Kind, Manifest
from smarttrade_operator.kube import Kube, KubeError, NotFound, Refused
from smarttrade_operator.watches import WATCHED, Enqueue, take_event

SETTLE_S = 5.0
LAGS_BEFORE_UNFIT = 2

missed_total = Counter(
    "smarttrade_operator_watch_missed_total", "Objects that a watch had missed.", ["resource"]
)

Name = tuple[str, str]


@dataclass(slots=True)
class Audit:
    """Compares every watched kind with the API server."""

    kube: Kube
    cache: Cache
    enqueue: Enqueue
    namespaces: tuple[str, ...]
    settle_s: float = SETTLE_S
    _lags: dict[str, int] = field(default_factory=dict)
    _closed: set[str] = field(default_factory=set)

    async def run(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.once()
            except KubeError as error:
                _log.warning("audit of the watches failed", error=str(error))

    async def once(self) -> None:
        for kind in WATCHED:
            await self._compare(kind)

    def complaint(self) -> str:
        """What is wrong with the watches; empty when nothing is."""
        lagging = [name for name, lags in self._lags.items() if lags >= LAGS_BEFORE_UNFIT]
        return f"the watch on {', '.join(sorted(lagging))} does not deliver" if lagging else ""

    async def _compare(self, kind: Kind) -> None:
        listed = await self._list(kind)
        if not discrepancies(listed, self.cache.objects(kind.kind)):
            self._lags[kind.plural] = 0
            return
        await asyncio.sleep(self.settle_s)
        # What was listed is at least that old now: a watch that works has delivered it meanwhile.
        late = discrepancies(listed, self._cached(kind), deleted=False)
        gone = discrepancies(await self._list(kind), self._cached(kind), late=False)
        self._lags[kind.plural] = self._lags.get(kind.plural, 0) + 1 if late or gone else 0
        for name in sorted(late | gone):
            await self._repair(kind, name)

    async def _list(self, kind: Kind) -> list[Manifest]:
        selectors = {} if kind is TRADING_ACCOUNT else {"label_selector": CHILD_SELECTOR}
        found: list[Manifest] = []
        self._closed.clear()
        for namespace in self.namespaces or (None,):
            try:
                found += await self.kube.list_metadata(kind, namespace, **selectors)
            except Refused as error:
                if namespace is None:
                    raise
                self._closed.add(namespace)
                _log.warning("a namespace cannot be watched", namespace=namespace, error=str(error))
        whole = [item | {"kind": kind.kind} for item in found]
        return [item for item in whole if self.cache.serves(item) or self.cache.knows(item)]

    def _cached(self, kind: Kind) -> list[Manifest]:
        """Without namespaces that could not be listed: one that is closed to us must not condemn all."""
        objects = self.cache.objects(kind.kind)
        return [item for item in objects if item["metadata"]["namespace"] not in self._closed]

    async def _repair(self, kind: Kind, name: Name) -> None:
        missed_total.labels(kind.plural).inc()
        _log.warning("a watch missed an object", resource=kind.plural, name="/".join(name))
        try:
            take_event(self.cache, self.enqueue, kind, "MODIFIED", await self.kube.get(kind, *name))
        except NotFound:
            for known in [item for item in self.cache.objects(kind.kind) if _name(item) == name]:
                take_event(self.cache, self.enqueue, kind, "DELETED", known)


def discrepancies(
    listed: Iterable[Manifest], cached: Iterable[Manifest], *, late: bool = True, deleted: bool = True
) -> set[Name]:
    """Objects of which the cache has an older version than listed (`late`), or that are no longer listed."""
    there = {_name(item): version(item) for item in listed}
    known = {_name(item): version(item) for item in cached}
    behind = {name for name, number in there.items() if known.get(name, -1) < number}
    vanished = known.keys() - there.keys()
    return (behind if late else set()) | (vanished if deleted else set())


def _name(manifest: Manifest) -> Name:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


_log = structlog.get_logger()
