"""An event loop on which waiting takes no time.

When nothing is left to be done at once, its clock stands at what is due next. So a bound is met exactly or
it is not met, however busy the machine is.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any


def on_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The test on a loop of its own of that kind."""

    @functools.wraps(test)
    def run(*arguments: object, **named: object) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*arguments, **named))

    return run


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0 and moves by what is waited for."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_Skipping(self._skip))

    def time(self) -> float:
        return self._now_s

    def _skip(self, seconds: float) -> None:
        self._now_s += seconds


class _Skipping(selectors.SelectSelector):
    def __init__(self, skip: Callable[[float], None]) -> None:
        super().__init__()
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing is due any more: what is waited for never happens"
        self._skip(max(0.0, timeout))
        return super().select(0)
