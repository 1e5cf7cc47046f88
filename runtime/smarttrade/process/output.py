"""What a container may write to its log: a burst, then so much a second; what is more is dropped and counted.

A log fills the node's disk, and whatever collects logs, for everybody. This bounds what goes through Python:
a strategy's prints, and a fault that is logged at every event. Whoever writes to the descriptor itself meets
the kubelet's rotation and the container's limit of ephemeral storage instead.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from smarttrade.rates import Bucket

LINES_PER_S = 50.0
LINES = 2_000.0
RESUME = 50.0
# Longer ones count as several.
LINE = 512


class Bounded:
    """A text stream that writes no more than its bucket lets through; everything else is the stream's own."""

    def __init__(
        self,
        stream: TextIO,
        always: Mapping[str, Any],
        bucket: Bucket | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream, self._always, self._clock = stream, always, clock
        self._bucket = bucket or Bucket(LINES_PER_S, LINES)
        self._lock = threading.Lock()
        self._dropped = [0, 0]
        self._in_line = False

    def write(self, text: str) -> int:
        """As if all of it had been written."""
        with self._lock:
            lines = text.count("\n")
            if not self._admits(max(lines, len(text) / LINE)):
                self._drop(lines, len(text))
                return len(text)
            if any(self._dropped):
                many, characters = self._dropped
                self._dropped = [0, 0]
                self._say(f"{many} lines ({characters} characters) were dropped: too much was written")
            self._put(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _admits(self, cost: float) -> bool:
        """Once something was dropped, only when there is room for more: `print` writes a line in pieces."""
        now_s = self._clock()
        needed = max(cost, RESUME) if any(self._dropped) else cost
        return self._bucket.left(now_s) >= needed and self._bucket.take(now_s, cost)

    def _drop(self, lines: int, characters: int) -> None:
        if not any(self._dropped):
            self._say(f"what is written now is dropped: more than {LINES_PER_S:.0f} lines a second")
        self._dropped = [self._dropped[0] + lines, self._dropped[1] + characters]

    def _say(self, event: str) -> None:
        moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = json.dumps({**self._always, "level": "warning", "time": moment, "event": event})
        self._put(("\n" if self._in_line else "") + line + "\n")

    def _put(self, text: str) -> None:
        if text:
            self._stream.write(text)
            self._in_line = not text.endswith("\n")


def bound_prints(always: Mapping[str, Any]) -> None:
    """From now on also what is printed; beside the log's own bound, so that neither crowds the other out."""
    bucket = Bucket(LINES_PER_S, LINES)
    sys.stdout = Bounded(sys.stdout, always, bucket)
    sys.stderr = Bounded(sys.stderr, always, bucket)
