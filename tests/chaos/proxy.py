"""A way that connections go, on the loopback interface, where they can be cut, silenced, or struck.

A cut resets what is open and refuses what is new, as a dead host behind a live router does. Silence is a
partition: nothing is refused, nothing arrives, and what was sent meanwhile is delivered when it ends, as
TCP's retransmissions would.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Self

_CHUNK = 65_536
_LINGER_NOT = struct.pack("ii", 1, 0)


class Fate(Enum):
    """What becomes of the request that a trap was laid for."""

    PASSES = "passes"
    LOST = "lost"  # never delivered, the connection is reset
    UNANSWERED = "unanswered"  # delivered, and the connection is reset in place of the answer


Strike = Callable[[], Awaitable[Fate]]


class Proxy:
    """Forwards to a port; `async with` listens on a free one."""

    def __init__(self, target: int = 0) -> None:
        self.target = target
        self.port = 0
        self._passing = asyncio.Event()
        self._passing.set()
        self._refusing = False
        self._links: set[_Link] = set()
        self._trap: tuple[bytes, Strike] | None = None
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for link in list(self._links):
            link.reset()

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        self._refusing = True
        for link in list(self._links):
            link.reset()

    def silence(self) -> None:
        """Let nothing through, in either direction, and close nothing."""
        self._passing.clear()

    def restore(self) -> None:
        self._refusing = False
        self._passing.set()

    def lay_trap(self, opening: bytes, strike: Strike) -> None:
        """Call `strike` when the next request that begins like this has arrived here, before it goes on."""
        self._trap = (opening, strike)

    def clear_trap(self) -> bool:
        """Take the trap away; False if it was sprung (or there was none)."""
        trap, self._trap = self._trap, None
        return trap is not None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            _abort(writer)
            return
        try:
            onward = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _abort(writer)
            return
        link = _Link(self, (reader, writer), onward)
        self._links.add(link)
        try:
            await link.carry()
        except asyncio.CancelledError:
            link.reset()  # the loop ends; the streams' own callback would call this an error
        finally:
            self._links.discard(link)

    async def pass_through(self) -> None:
        await self._passing.wait()

    async def judge(self, chunk: bytes) -> Fate:
        """The fate of what a client sends; springs the trap."""
        trap = self._trap
        if trap is None or not chunk.startswith(trap[0]):
            return Fate.PASSES
        self._trap = None
        return await trap[1]()


class _Link:
    """One connection through the proxy."""

    def __init__(
        self,
        proxy: Proxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._deaf = False

    def reset(self) -> None:
        for _, writer in (self._client, self._server):
            _abort(writer)

    async def carry(self) -> None:
        """Both directions, until either end closes."""
        directions = [asyncio.ensure_future(self._out()), asyncio.ensure_future(self._back())]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            for _, writer in (self._client, self._server):
                writer.close()

    async def _out(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := await self._client[0].read(_CHUNK):
                await self._proxy.pass_through()
                fate = await self._proxy.judge(chunk)
                if fate is Fate.LOST:
                    self.reset()
                    return
                self._deaf = self._deaf or fate is Fate.UNANSWERED
                await _send(self._server[1], chunk)

    async def _back(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := await self._server[0].read(_CHUNK):
                await self._proxy.pass_through()
                if self._deaf:
                    self.reset()
                    return
                await _send(self._client[1], chunk)


def _abort(writer: asyncio.StreamWriter) -> None:
    """Close by a reset, whatever was still to be sent."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    writer.write(chunk)
    await writer.drain()
