"""Notices a strategy that does not come back.

A handler runs on the event loop, so one that never returns stops everything of this container, its probes
included. A thread sees it, says where the strategy is, and ends the process; the container starts again with
back-off, and execution goes on protecting what is held. What bites: code that keeps Python's lock for good
(a regular expression that explodes, a native library) stops the thread too; the liveness probe is then what
ends the container, without these words.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType

import structlog

from smarttrade.evaluation.core import StrategyFailedError

LIMIT_S = 10.0
_LOOKS_A_LIMIT = 10
_LAST_LINES = 4


class Watchdog:
    """`with watchdog:` around every call into a strategy. `stuck` is called in the watching thread, once,
    with the last lines of the stack of the thread that made the watchdog."""

    def __init__(self, stuck: Callable[[str], None], limit_s: float = LIMIT_S) -> None:
        self._stuck = stuck
        self._limit_s = limit_s
        self._since: float | None = None
        self._watched = threading.get_ident()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="strategy-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def __enter__(self) -> None:
        self._since = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._since = None

    def _watch(self) -> None:
        while not self._stopped.wait(self._limit_s / _LOOKS_A_LIMIT):
            since = self._since
            if since is not None and time.monotonic() - since > self._limit_s:
                self._stuck(self._where())
                return

    def _where(self) -> str:
        frame = sys._current_frames().get(self._watched)
        return "".join(traceback.format_stack(frame)[-_LAST_LINES:]).strip()


def end_process(where: str) -> None:
    """Say where the strategy is and leave at once: nothing of the event loop can be asked any more."""
    structlog.get_logger().critical(
        f"the strategy has not returned from its handler for {LIMIT_S:.0f} s: {where}"
    )
    sys.stdout.flush()
    os._exit(StrategyFailedError.exit_code)
