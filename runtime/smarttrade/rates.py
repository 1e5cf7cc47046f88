"""Token buckets: how much of something is let through, a burst first and then so much a second."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class Bucket:
    """Full at the start; times are seconds on any clock that only goes forward."""

    rate: float
    burst: float
    _left: float = field(init=False)
    _at_s: float = float("-inf")

    def __post_init__(self) -> None:
        self._left = self.burst

    def take(self, now_s: float, amount: float = 1.0) -> bool:
        """Take the amount if it is there."""
        self._fill(now_s)
        if self._left < amount:
            return False
        self._left -= amount
        return True

    def spend(self, now_s: float, amount: float = 1.0) -> None:
        """Take the amount whether it is there or not: what is owed is waited for."""
        self._fill(now_s)
        self._left -= amount

    def left(self, now_s: float) -> float:
        """What could be taken."""
        self._fill(now_s)
        return self._left

    def wait_s(self, now_s: float, amount: float = 1.0) -> float:
        """Seconds until the amount can be taken."""
        self._fill(now_s)
        return max(0.0, (amount - self._left) / self.rate)

    def is_full(self, now_s: float) -> bool:
        self._fill(now_s)
        return self._left >= self.burst

    def _fill(self, now_s: float) -> None:
        if now_s > self._at_s:
            self._left = min(self.burst, self._left + self.rate * max(0.0, now_s - self._at_s))
            self._at_s = now_s


@dataclass(slots=True)
class Buckets(Generic[K]):
    """One of a kind for each key; those that are full again are forgotten, so old keys cost nothing."""

    rate: float
    burst: float
    _buckets: dict[K, Bucket] = field(default_factory=dict)
    _tidied_at: int = 64

    def of(self, key: K, now_s: float) -> Bucket:
        found = self._buckets.get(key)
        if found is None:
            self._tidy(now_s)
            found = self._buckets[key] = Bucket(self.rate, self.burst)
        return found

    def _tidy(self, now_s: float) -> None:
        """Each time there are twice as many as were needed."""
        if len(self._buckets) < self._tidied_at:
            return
        self._buckets = {key: each for key, each in self._buckets.items() if not each.is_full(now_s)}
        self._tidied_at = max(64, 2 * len(self._buckets))
