"""What time it is at an exchange, and how far that may be off.

An exchange answers with its clock, or, where ccxt knows no question for that, with the `Date` that HTTP lets
every answer carry: that one is of the server in front and says whole seconds, so an answer proves only that
its time lay within that second. What bites: half a second of doubt is more than an order's window bears, so
such an exchange is asked when a second should begin there, and every answer halves what is left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from smarttrade.errors import VenueError

_SAMPLES = 8
_SECOND_MS = 1_000
_DRIFT = 100e-6
"""How far two clocks may part, ms in a ms."""


class ToldTime(NamedTuple):
    """The exchange's time lay from `ms` up to `ms + resolution_ms` when it answered."""

    ms: int
    resolution_ms: int = 0


class Offset(NamedTuple):
    """Exchange time minus a local clock, and how far that may be off."""

    ms: float
    error_ms: float


class OffsetBounds:
    """What the last answers together prove; the local clock is the one that was read around each."""

    def __init__(self) -> None:
        self._answers: deque[tuple[float, float, float]] = deque(maxlen=_SAMPLES)

    def add(self, sent_ms: float, told: ToldTime, received_ms: float) -> None:
        answer = (received_ms, told.ms - received_ms, told.ms + told.resolution_ms - sent_ms)
        self._answers.append(answer)
        low, high = self._bounds()
        if low > high:  # a clock was set meanwhile
            self._answers.clear()
            self._answers.append(answer)

    def best(self) -> Offset | None:
        """The middle of what all answers allow."""
        if not self._answers:
            return None
        low, high = self._bounds()
        return Offset((low + high) / 2, (high - low) / 2)

    def _bounds(self) -> tuple[float, float]:
        """The least and the most that the offset can be now."""
        now_ms = self._answers[-1][0]
        return (
            max(low - (now_ms - at_ms) * _DRIFT for at_ms, low, _ in self._answers),
            min(high + (now_ms - at_ms) * _DRIFT for at_ms, _, high in self._answers),
        )

    def wait_ms(self, local_ms: float) -> float:
        """How long until a second should begin at the exchange: asked then, its date tells most."""
        best = self.best()
        return -(local_ms + best.ms) % _SECOND_MS if best else 0.0


async def ask_time(exchange: Any, symbol: str) -> ToldTime:
    """Ask through an instance of ccxt that knows the market. VenueError: neither clock nor date is told."""
    if exchange.has.get("fetchTime"):
        return ToldTime(int(await exchange.fetch_time()))
    await exchange.fetch_order_book(symbol)
    return read_date(exchange.last_response_headers or {})


def read_date(headers: Mapping[str, str]) -> ToldTime:
    """The time in an answer's headers; a copy that a cache kept is as much older as it says."""
    told = {name.lower(): value for name, value in headers.items()}
    try:
        date = parsedate_to_datetime(told["date"])
        seconds = int(date.replace(tzinfo=date.tzinfo or UTC).timestamp()) + int(told.get("age", 0))
    except (KeyError, ValueError, TypeError) as error:
        raise VenueError(
            "the exchange does not tell its time: ccxt has no question for it, and its answers carry no Date"
        ) from error
    return ToldTime(seconds * _SECOND_MS, _SECOND_MS)
