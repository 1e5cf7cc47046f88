"""A token bucket of our own, with room that only cancels and queries may use.

ccxt's limiter makes an order wait behind polling, and signs before or after as it likes; here an order is
paced before its last check, and a cancel never waits for an order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

NEARLY_USED = 0.9
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an answer's headers say: the share of the minute's allowance that is used, when the next begins,
    and how long nothing may be asked."""

    used: float = 0.0
    renewed_in_s: float = 0.0
    silent_s: float = 0.0


def read_allowance(
    headers: Mapping[str, Any], weight_header: str, weight_limit: int, now_s: Callable[[], float] = time.time
) -> Allowance:
    """Header names in any case; what is absent or no number limits nothing."""
    told = {str(name).lower(): value for name, value in headers.items()}
    used = _number(told.get(weight_header)) / weight_limit if weight_limit else 0.0
    return Allowance(used, _MINUTE_S - now_s() % _MINUTE_S, _number(told.get("retry-after")))


def _number(value: Any) -> float:
    try:
        return max(float(value), 0.0)
    except (TypeError, ValueError):
        return 0.0


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
        self._silent_until = self._urgent_only_until = self._at

    def delay(self, *, urgent: bool = False) -> float:
        """Seconds to wait before a request; 0 takes a token."""
        now = self._clock()
        self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._rate)
        self._at = now
        ordered_s = max(self._silent_until, self._at if urgent else self._urgent_only_until) - now
        if ordered_s > 0:
            return ordered_s
        floor = 1.0 if urgent else 1.0 + self._reserve
        if self._tokens >= floor:
            self._tokens -= 1.0
            return 0.0
        return (floor - self._tokens) / self._rate

    def heed(self, allowance: Allowance) -> None:
        """Follow the exchange's own word: ask nothing at all while it says so, for it bans who goes on; near
        its limit only what is urgent, because others on this address use the same allowance."""
        now = self._clock()
        self._silent_until = max(self._silent_until, now + allowance.silent_s)
        if allowance.used >= NEARLY_USED:
            self._urgent_only_until = max(self._urgent_only_until, now + allowance.renewed_in_s)

    async def take(self, *, urgent: bool = False) -> None:
        while (wait_s := self.delay(urgent=urgent)) > 0:  # noqa: ASYNC110 - time alone fills it
            await asyncio.sleep(wait_s)
