"""The server of `_frames` as a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Self

from cluster.processes import die_with_parent


class Source:
    """Sends trades of `symbols`, such as BTCUSDT, to whoever subscribes at `url`."""

    def __init__(self, symbols: Sequence[str], *, quotes: bool = False) -> None:
        self._arguments = [",".join(symbols), *(["--quotes"] if quotes else [])]

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchmarks._frames", *self._arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent,
        )
        self.url = f"ws://127.0.0.1:{int(await self._line())}/ws"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await self._process.wait()

    async def send(self, each: int, rate: float = 0) -> None:
        """`each` trades of every market, `rate` a second in all; 0: as fast as they are taken."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{each} {rate}\n".encode())
        await self._line()

    async def _line(self) -> str:
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode()
