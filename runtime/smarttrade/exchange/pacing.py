"""Token buckets of our own, with room that only urgent questions may use, and the last of it only cancels.

ccxt's limiter makes an order wait behind polling, and signs before or after as it likes; here an order is
paced before its last check, and a cancel never waits for an order.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

from smarttrade.exchange.weights import NEW_ORDERS, OrderLimit, Question
from smarttrade.rates import Bucket

NEARLY_USED = 0.9
ALMOST_ALL_USED = 0.97
_MINUTE_S = 60.0
_WITHIN_THE_SECOND = 0.999
_KEPT_ORDERS = 0.2
"""Of a limit on new orders, for exits and protection."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an answer's headers say: the share of the minute's allowance that is used, when the next begins,
    how long nothing may be asked, and how many new orders count towards each limit and until when."""

    used: float = 0.0
    renewed_in_s: float = 0.0
    silent_s: float = 0.0
    orders: tuple[tuple[OrderLimit, float, float], ...] = ()


def read_allowance(
    headers: Mapping[str, Any],
    weight_header: str,
    weight_limit: int,
    orders: Sequence[OrderLimit] = (),
    now_s: Callable[[], float] = time.time,
) -> Allowance:
    """Header names in any case; what is absent or no number limits nothing.

    What is used belongs to the interval in which the exchange answered, by its own clock.
    """
    told = {str(name).lower(): value for name, value in headers.items()}
    now = _answered_at(told.get("date"), now_s())
    used = _number(told.get(weight_header)) / weight_limit if weight_limit else 0.0
    counts = tuple(
        (each, _number(told[each.header]), each.interval_s - now % each.interval_s)
        for each in orders
        if each.header in told
    )
    return Allowance(used, _MINUTE_S - now % _MINUTE_S, _number(told.get("retry-after")), counts)


def _answered_at(date: Any, now: float) -> float:
    """When the exchange answered, in seconds since 1970: as our clock has it where that is within the second
    that the answer's Date header names (RFC 9110, 6.6.1), else that second's nearer end.

    An answer of 11:59:59 that is read at 12:00:00 would otherwise hold everything back until 12:01.
    """
    try:
        second = parsedate_to_datetime(str(date)).timestamp()
    except ValueError:
        return now
    return min(max(now, second), second + _WITHIN_THE_SECOND)


def _number(value: Any) -> float:
    try:
        return max(float(value), 0.0)
    except (TypeError, ValueError):
        return 0.0


class Urgency(Enum):
    """Which part of a bucket's reserve a question must leave: all of it, half of it, nothing."""

    ORDINARY = 1.0
    URGENT = 0.5
    CANCEL = 0.0


class TokenBucket:
    """`rate` tokens a second, bursts up to `capacity`, of which the last `reserve` are for urgent questions,
    and the last half of those for cancels."""

    def __init__(
        self, rate: float, capacity: float, reserve: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bucket = Bucket(rate, capacity)
        self._reserve = reserve
        self._clock = clock

    def wait_s(self, cost: float = 1.0, urgency: Urgency = Urgency.ORDINARY) -> float:
        """Seconds until there is enough. What costs more than all there can be leaves a debt."""
        floor = min(cost + self._reserve * urgency.value, self._bucket.burst)
        return self._bucket.wait_s(self._clock(), floor)

    def spend(self, cost: float = 1.0) -> None:
        self._bucket.spend(self._clock(), cost)


def build_share(weight_a_minute: float, clock: Callable[[], float] = time.monotonic) -> TokenBucket:
    """A bucket from which no minute, wherever it begins, takes more than the weight: a quarter of it may go
    at once, the rest comes back over the minute."""
    capacity = weight_a_minute / 4
    return TokenBucket((weight_a_minute - capacity) / 60, capacity, capacity / 4, clock)


class OrderCount:
    """How many new orders have left: never more than the limit in any interval, wherever it begins, and the
    last of them only exits and protection. Those of others for the same account are known from the exchange.
    """

    def __init__(self, limit: OrderLimit, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._ordinary = round(limit.limit * (1 - _KEPT_ORDERS))
        self._clock = clock
        self._left: deque[float] = deque()
        self._told, self._told_until = 0.0, clock()

    def wait_s(self, orders: int, urgency: Urgency) -> float:
        """Seconds until so many may leave."""
        now, most = self._clock(), self._ordinary if urgency is Urgency.ORDINARY else self._limit.limit
        while self._left and self._left[0] <= now - self._limit.interval_s:
            self._left.popleft()
        told_s = self._told_until - now if self._told + orders > most else 0.0
        over = len(self._left) + orders - most
        own_s = self._left[min(over, len(self._left)) - 1] + self._limit.interval_s - now if over > 0 else 0.0
        return max(told_s, own_s, 0.0)

    def add(self, orders: int) -> None:
        self._left.extend([self._clock()] * orders)

    def filled(self) -> None:
        """One of them traded, so it counts no longer."""
        if self._left:
            self._left.pop()

    def heed(self, told: float, renewed_in_s: float) -> None:
        self._told, self._told_until = told, self._clock() + renewed_in_s


class Pacer:
    """When the next question may leave: by the rate of requests, by the account's share of what the exchange
    allows an address where it has one, by its limits on new orders, and by its own word."""

    def __init__(
        self,
        requests: TokenBucket,
        share: TokenBucket | None = None,
        weights: Mapping[Question, int] | None = None,
        orders: Sequence[OrderLimit] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._requests = requests
        self._share = share
        self._weights = weights or {}
        self._orders = {limit: OrderCount(limit, clock) for limit in orders}
        self._clock = clock
        self._silent_until = self._urgent_until = self._cancels_until = clock()

    def delay(self, question: Question, urgency: Urgency = Urgency.ORDINARY) -> float:
        """Seconds to wait before the question; at 0 it is counted."""
        cost, orders = float(self._weights.get(question, 1)), NEW_ORDERS.get(question, 0)
        wait_s = max(self._ordered_s(urgency), self._requests.wait_s(1.0, urgency))
        if self._share:
            wait_s = max(wait_s, self._share.wait_s(cost, urgency))
        if orders:
            wait_s = max(wait_s, *(count.wait_s(orders, urgency) for count in self._orders.values()), 0.0)
        if wait_s == 0:
            self._requests.spend()
            if self._share:
                self._share.spend(cost)
            for count in self._orders.values():
                count.add(orders)
        return wait_s

    def _ordered_s(self, urgency: Urgency) -> float:
        until = self._silent_until
        if urgency is not Urgency.CANCEL:
            until = max(until, self._cancels_until)
        if urgency is Urgency.ORDINARY:
            until = max(until, self._urgent_until)
        return max(until - self._clock(), 0.0)

    def heed(self, allowance: Allowance) -> None:
        """Follow the exchange's own word: ask nothing at all while it says so, for it bans who goes on; near
        its limit only what is urgent, and last only cancels, because others on this address use the same."""
        now = self._clock()
        self._silent_until = max(self._silent_until, now + allowance.silent_s)
        if allowance.used >= NEARLY_USED:
            self._urgent_until = max(self._urgent_until, now + allowance.renewed_in_s)
        if allowance.used >= ALMOST_ALL_USED:
            self._cancels_until = max(self._cancels_until, now + allowance.renewed_in_s)
        for limit, told, until_s in allowance.orders:
            if limit in self._orders:
                self._orders[limit].heed(told, until_s)

    def filled(self) -> None:
        """An order traded at once: the exchange does not count it towards its limits on new ones."""
        for count in self._orders.values():
            count.filled()

    async def take(self, question: Question, urgency: Urgency = Urgency.ORDINARY) -> None:
        while (wait_s := self.delay(question, urgency)) > 0:  # noqa: ASYNC110 - time alone fills it
            await asyncio.sleep(wait_s)
