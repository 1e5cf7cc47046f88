"""Every account is looked at again now and then, whether or not anything was heard of it.

That is what finds a lost Secret, a wiped resolver and credentials near their end. The times are spread, so
that a fleet never resyncs at once.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from smarttrade_operator.names import Key
from smarttrade_operator.queue import Schedule


@dataclass(slots=True)
class Resync:
    """Calls `due` for each account about every `interval_s`, the first time anywhere within it."""

    interval_s: float
    accounts: Callable[[], list[Key]]
    due: Callable[[Key], None]
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    _schedule: Schedule[Key] = field(default_factory=lambda: Schedule[Key]())
    _known: set[Key] = field(default_factory=set)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self.interval_s / 10))
            self.tick(self.clock())

    def tick(self, now_s: float) -> None:
        """Take up new accounts, drop those that are gone, and announce those that are due."""
        current = set(self.accounts())
        for key in current - self._known:
            self._schedule.add(key, now_s, self.interval_s * self.jitter())
        self._known = current
        while (due := self._schedule.take(now_s)) is not None:
            self._schedule.succeeded(due)
            if due in current:
                self._schedule.add(due, now_s, self.interval_s * (0.9 + 0.2 * self.jitter()))
                self.due(due)
