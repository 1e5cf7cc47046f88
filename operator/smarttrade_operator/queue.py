"""The work queue: each key at most once, at most `concurrency` at a time, failures later and later.

`Schedule` is the whole logic and knows no clock but the time it is given; `WorkQueue` runs it on asyncio.
A key that is added while it is being worked on is worked on again afterwards, never twice at once. However
often it is added, by whoever writes objects or reports, it comes no more often than its rate allows.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import random
import time
from collections.abc import Awaitable, Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from smarttrade.errors import SmartTradeError
from smarttrade.rates import Buckets

K = TypeVar("K", bound=Hashable)

BACKOFF_FIRST_S = 0.2
BACKOFF_LIMIT_S = 60.0
# Of one key: what a life's busiest moments need, and what an endless stream of changes gets.
BURST = 40
RATE_PER_S = 1.0


@dataclass(slots=True)
class Schedule(Generic[K]):
    """When each key is due. Times are seconds on any clock that only goes forward."""

    capacity: int = 20_000
    jitter: Callable[[], float] = random.random
    rejected: int = 0
    burst: float = BURST
    rate_per_s: float = RATE_PER_S
    _rates: Buckets[K] = field(init=False)
    _due: dict[K, float] = field(default_factory=dict)
    _order: list[tuple[float, int, K]] = field(default_factory=list)
    _count: Iterator[int] = field(default_factory=itertools.count)
    _busy: set[K] = field(default_factory=set)
    _failures: dict[K, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rates = Buckets(self.rate_per_s, self.burst)

    def add(self, key: K, now_s: float, delay_s: float = 0.0) -> bool:
        """Make the key due after the delay, or earlier if it already was. False when the queue is full."""
        if key not in self._due and len(self._due) >= self.capacity:
            self.rejected += 1
            return False
        due = now_s + max(delay_s, self._rates.of(key, now_s).wait_s(now_s))
        if due < self._due.get(key, math.inf):
            self._due[key] = due
            self._enter(key)
        return True

    def take(self, now_s: float) -> K | None:
        """The key that is due the longest and not being worked on, marked as being worked on."""
        due = self.next_due()
        if due is None or due > now_s:
            return None
        key = heapq.heappop(self._order)[2]
        del self._due[key]
        self._busy.add(key)
        self._rates.of(key, now_s).spend(now_s)
        return key

    def succeeded(self, key: K) -> None:
        self._release(key)
        self._failures.pop(key, None)

    def failed(self, key: K, now_s: float) -> float:
        """Schedule the key again after a delay that doubles with every failure in a row; returns it."""
        self._release(key)
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        ceiling: float = min(BACKOFF_LIMIT_S, BACKOFF_FIRST_S * 2 ** min(failures - 1, 20))
        delay_s = ceiling * (0.5 + self.jitter() / 2)
        self.add(key, now_s, delay_s)
        return delay_s

    def next_due(self) -> float | None:
        """When the next key that is not being worked on becomes due."""
        while self._order:
            due, _, key = self._order[0]
            if self._due.get(key) == due and key not in self._busy:
                return due
            heapq.heappop(self._order)  # superseded by an earlier time, or re-entered when it is released
        return None

    def age_s(self, now_s: float) -> float:
        """How long the longest-waiting key has been due."""
        return max(0.0, now_s - min(self._due.values(), default=now_s))

    def _enter(self, key: K) -> None:
        heapq.heappush(self._order, (self._due[key], next(self._count), key))

    def _release(self, key: K) -> None:
        self._busy.discard(key)
        if key in self._due:
            self._enter(key)

    def __len__(self) -> int:
        return len(self._due)


class CutOffError(SmartTradeError):
    """What was awaited was cancelled, and not by whoever stops the queue."""


@dataclass(slots=True)
class WorkQueue(Generic[K]):
    """Runs a handler over a schedule. The handler returns seconds after which to come again, or None."""

    handler: Callable[[K], Awaitable[float | None]]
    concurrency: int = 8
    clock: Callable[[], float] = time.monotonic
    schedule: Schedule[K] = field(default_factory=Schedule)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, key: K, delay_s: float = 0.0) -> None:
        self.schedule.add(key, self.clock(), delay_s)
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.concurrency):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = self.schedule.take(self.clock())
            if key is None:
                await self._sleep()
                continue
            await self._handle(key)
            self._wake.set()

    async def _sleep(self) -> None:
        self._wake.clear()
        due = self.schedule.next_due()
        timeout_s = None if due is None else max(0.0, due - self.clock())
        try:
            await asyncio.wait_for(self._wake.wait(), timeout_s)
        except TimeoutError:
            return

    async def _run(self, key: K) -> float | None:
        """The handler as a task of its own: a library that cancels what it was waited for with, as a closing
        connection does, ends this attempt and not the worker, whose key would never be due again."""
        handling = asyncio.ensure_future(self.handler(key))
        try:
            await asyncio.wait({handling})
        finally:
            if not handling.done():
                handling.cancel()
                await asyncio.wait({handling})
        if handling.cancelled():
            raise CutOffError("it was cut off from within")
        return handling.result()

    async def _handle(self, key: K) -> None:
        try:
            again_s = await self._run(key)
        except SmartTradeError as error:
            delay_s = self.schedule.failed(key, self.clock())
            _log.warning("reconcile failed", key=str(key), error=str(error), retry_s=round(delay_s, 1))
        except Exception:  # noqa: BLE001 - one account's surprise must not stop the others
            delay_s = self.schedule.failed(key, self.clock())
            _log.exception("reconcile failed unexpectedly", key=str(key), retry_s=round(delay_s, 1))
        else:
            self.schedule.succeeded(key)
            if again_s is not None:
                self.add(key, again_s)


_log = structlog.get_logger()
