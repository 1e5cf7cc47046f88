"""The exchange's clock, seen from here.

Offset by the sample with the shortest round trip; its error is half of that round trip, grown by the
drift that a poor oscillator may have had since. Everything is measured against the monotonic clock, so a
step of the wall clock cannot move a deadline.
"""

from __future__ import annotations

from dataclasses import dataclass, field

DRIFT = 100e-6
KEPT = 8
RESOLUTION_MS = 1.0


@dataclass(slots=True)
class ExchangeClock:
    """`exchange = monotonic + offset`, both in ms; `error_ms` is None before the first sample.

    `drift` is how far the two clocks may part, ms in a ms.
    """

    drift: float = DRIFT
    _samples: list[tuple[float, float, float]] = field(default_factory=list)
    _suspect: bool = False
    _least: tuple[float, float, float] | None = None

    def sample(self, sent_ms: float, received_ms: float, exchange_ms: float) -> None:
        """Add one request: when it left, when its answer came (monotonic), and what it said."""
        round_trip = max(received_ms - sent_ms, 0.0)
        offset = exchange_ms - (sent_ms + received_ms) / 2
        if self._suspect:
            self._samples, self._suspect = [], False
        self._samples = [*self._samples[-(KEPT - 1) :], (received_ms, round_trip / 2 + RESOLUTION_MS, offset)]
        # All errors grow alike, so which sample is the best one changes only with a new sample.
        self._least = min(self._samples, key=lambda kept: (kept[1] - kept[0] * self.drift, kept[2]))

    def distrust(self) -> None:
        """The exchange refused a timestamp: the next sample replaces all that were taken before it."""
        self._suspect = True

    def exchange_ms(self, now_ms: float) -> int:
        """Best estimate of exchange time; the monotonic time itself before the first sample."""
        return int(now_ms) if self._least is None else int(now_ms + self._least[2])

    def error_ms(self, now_ms: float) -> float | None:
        """Bound of the estimate's error."""
        if self._least is None:
            return None
        received_ms, error, _ = self._least
        return error + (now_ms - received_ms) * self.drift

    def surely_past(self, now_ms: float, exchange_ms: float) -> bool:
        """Whether the exchange's clock has certainly passed an instant."""
        error = self.error_ms(now_ms)
        return error is not None and self._least is not None and now_ms + self._least[2] - error > exchange_ms
