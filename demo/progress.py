"""What the viewer sees: numbered steps with elapsed time, and one line that is redrawn while waiting."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class WaitExpiredError(Exception):
    """What was waited for did not happen in time; the message says what was last seen."""


class Progress:
    """Prints steps to standard error, so that results alone are on standard output."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._live = sys.stderr.isatty()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def step(self, text: str) -> None:
        print(f"\033[1m[{self.elapsed_s:6.1f} s]\033[0m {text}", file=sys.stderr, flush=True)

    def detail(self, text: str) -> None:
        if self._live:
            print(f"\r\033[K           {text}", end="", file=sys.stderr, flush=True)

    def wait(self, look: Callable[[], tuple[T | None, str]], *, timeout_s: float, every_s: float = 0.5) -> T:
        """Call `look` until it returns a result; it also returns what to show meanwhile."""
        deadline = time.monotonic() + timeout_s
        shown = ""
        while True:
            result, seen = look()
            if result is not None:
                self.detail("")
                return result
            if seen != shown and not self._live:
                print(f"           {seen}", file=sys.stderr, flush=True)
            shown = seen
            self.detail(seen)
            if time.monotonic() > deadline:
                raise WaitExpiredError(f"not within {timeout_s:.0f} s; last seen: {seen}")
            time.sleep(every_s)
