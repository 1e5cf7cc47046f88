"""Timers on event time: a timer is due when an event at or after its time arrives, never by a clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from smarttrade.errors import ConfigurationError


class Timers:
    """Name -> seconds, aligned to multiples of the interval since 1970."""

    def __init__(self, intervals_s: Mapping[str, int]) -> None:
        wrong = [name for name, seconds in intervals_s.items() if seconds < 1]
        if wrong:
            raise ConfigurationError(f"timer {wrong[0]!r} needs an interval of at least one second")
        self._intervals_ms = {name: seconds * 1000 for name, seconds in intervals_s.items()}
        self._fired_ms: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._intervals_ms)

    def due(self, time_ms: int) -> Iterator[tuple[str, int]]:
        """Timers that became due up to `time_ms`, each once with its newest due time."""
        for name, interval_ms in self._intervals_ms.items():
            newest_ms = time_ms - time_ms % interval_ms
            fired_ms = self._fired_ms.setdefault(name, newest_ms)
            if newest_ms > fired_ms:
                self._fired_ms[name] = newest_ms
                yield name, newest_ms
