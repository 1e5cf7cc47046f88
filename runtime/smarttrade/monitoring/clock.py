"""The exchange's time, from its answers.

The offset is taken against the local monotonic clock, so a step of the local wall clock changes nothing; of
the last samples the one with the shortest round trip counts, and half of it bounds the error.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from smarttrade.errors import VenueError

_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class _Sample:
    offset_ms: float
    round_trip_ms: float


def monotonic_ms() -> float:
    return time.monotonic() * 1000


class ExchangeClock:
    """Before the first sample it is the local wall clock."""

    def __init__(
        self,
        local_ms: Callable[[], float] = monotonic_ms,
        wall_ms: Callable[[], float] = lambda: time.time() * 1000,
    ) -> None:
        self._local_ms = local_ms
        self._wall_ms = wall_ms
        self._samples: deque[_Sample] = deque(maxlen=_SAMPLES)

    def sample(self, sent_ms: float, exchange_ms: int, received_ms: float) -> None:
        """One question and answer; sent and received on the local monotonic clock."""
        self._samples.append(_Sample(exchange_ms - (sent_ms + received_ms) / 2, received_ms - sent_ms))

    def now_ms(self) -> int:
        """Milliseconds of exchange time."""
        best = self._best()
        return int(self._local_ms() + best.offset_ms) if best else int(self._wall_ms())

    def measured_ms(self) -> int:
        """The same, but VenueError before the first answer: a candle must not end by a guessed clock."""
        if not self._samples:
            raise VenueError("the exchange's time is not known yet")
        return self.now_ms()

    @property
    def error_ms(self) -> float:
        """How far `now_ms` may be off."""
        best = self._best()
        return best.round_trip_ms / 2 if best else float("inf")

    @property
    def wall_offset_ms(self) -> float:
        """Exchange time minus local wall clock."""
        best = self._best()
        return self._local_ms() + best.offset_ms - self._wall_ms() if best else 0.0

    def _best(self) -> _Sample | None:
        return min(self._samples, key=lambda sample: sample.round_trip_ms, default=None)
