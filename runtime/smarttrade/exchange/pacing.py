"""A token bucket of our own, with room that only cancels and queries may use.

ccxt's limiter makes an order wait behind polling, and signs before or after as it likes; here an order is
paced before its last check, and a cancel never waits for an order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class TokenBucket:
    """`rate` requests a second, bursts up to `capacity`, of which the last `reserve` are for urgent ones."""

    def __init__(
        self, rate: float, capacity: float, reserve: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._capacity = capacity
        self._reserve = reserve
        self._clock = clock
        self._tokens = capacity
        self._at = clock()

    def delay(self, *, urgent: bool = False) -> float:
        """Seconds to wait before a request; 0 takes a token."""
        now = self._clock()
        self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._rate)
        self._at = now
        floor = 1.0 if urgent else 1.0 + self._reserve
        if self._tokens >= floor:
            self._tokens -= 1.0
            return 0.0
        return (floor - self._tokens) / self._rate

    async def take(self, *, urgent: bool = False) -> None:
        wait_s = self.delay(urgent=urgent)
        if wait_s > 0:
            await asyncio.sleep(wait_s)
            await self.take(urgent=urgent)
