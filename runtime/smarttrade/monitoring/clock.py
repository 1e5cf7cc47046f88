"""The exchange's time, from its answers.

The offset is taken against the local monotonic clock, so a step of the local wall clock changes nothing; see
`exchange_time` for what an answer proves.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from smarttrade.errors import VenueError
from smarttrade.exchange.exchange_time import OffsetBounds, ToldTime


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
        self._bounds = OffsetBounds()

    def sample(self, sent_ms: float, told: ToldTime, received_ms: float) -> None:
        """One question and answer; sent and received on the local monotonic clock."""
        self._bounds.add(sent_ms, told, received_ms)

    def now_ms(self) -> int:
        """Milliseconds of exchange time."""
        best = self._bounds.best()
        return int(self._local_ms() + best.ms) if best else int(self._wall_ms())

    def surely_ms(self) -> int:
        """It is at least so late at the exchange: a candle must not end by a guessed clock. VenueError before
        the first answer."""
        best = self._bounds.best()
        if best is None:
            raise VenueError("the exchange's time is not known yet")
        return int(self._local_ms() + best.ms - best.error_ms)

    @property
    def error_ms(self) -> float:
        """How far `now_ms` may be off."""
        best = self._bounds.best()
        return best.error_ms if best else float("inf")

    @property
    def wall_offset_ms(self) -> float:
        """Exchange time minus local wall clock."""
        best = self._bounds.best()
        return self._local_ms() + best.ms - self._wall_ms() if best else 0.0

    def wait_ms(self) -> float:
        """How long until a second should begin at the exchange."""
        return self._bounds.wait_ms(self._local_ms())
