"""Runs units on all cores. The workers are forked, so that they share the candles with the parent.

What bites: a fork copies no threads, so the pool starts its processes before anything else starts one; and
the garbage collector would write into shared pages, so that everything is frozen first. A worker whose
parent was killed would wait for work for ever: each looks whether the parent is still there.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import partial

from smarttrade.sweep.ranges import Candidate
from smarttrade.sweep.unit import Outcome, Work, run_unit

Unit = tuple[Candidate, int]

_inherited: Work | None = None
_AHEAD = 2
_LOOK_S = 0.5


class Pool:
    """Use as `with Pool(work, workers) as pool`."""

    def __init__(self, work: Work, workers: int) -> None:
        global _inherited
        _inherited = work
        gc.collect()
        gc.freeze()
        self._workers = workers
        begin = partial(_begin, os.getpid())
        self._executor = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), initializer=begin)

    def __enter__(self) -> Pool:
        for future in [self._executor.submit(os.getpid) for _ in range(self._workers)]:
            future.result()
        return self

    def __exit__(self, *_: object) -> None:
        global _inherited
        self._executor.shutdown(cancel_futures=True)
        _inherited = None
        gc.unfreeze()

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        """Outcomes as they come, in any order; the first failure is raised."""
        coming, running = iter(units), set[Future[Outcome]]()
        while True:
            while len(running) < self._workers * _AHEAD and (unit := next(coming, None)):
                running.add(self._executor.submit(_run, *unit))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


def _begin(parent: int) -> None:
    """Ctrl-C is the parent's; it lets the workers finish what they do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(1)


def _run(candidate: Candidate, fold: int) -> Outcome:
    assert _inherited is not None
    return run_unit(_inherited, candidate, fold)
