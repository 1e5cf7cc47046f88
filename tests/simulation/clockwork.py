"""Virtual time: a heap of callables. Nothing here knows what they do."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Clockwork:
    """Runs callables in the order of their times; ties in the order in which they were set."""

    def __init__(self) -> None:
        self.now_ms = 0.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, time_ms: float, step: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (max(time_ms, self.now_ms), next(self._order), step))

    def after(self, delay_ms: float, step: Callable[[], None]) -> None:
        self.at(self.now_ms + delay_ms, step)

    def run(self, until_ms: float) -> None:
        """Everything that is due up to and including `until_ms`."""
        while self._heap and self._heap[0][0] <= until_ms:
            self.now_ms, _, step = heapq.heappop(self._heap)
            step()
        self.now_ms = max(self.now_ms, until_ms)
