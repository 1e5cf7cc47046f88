"""The few pages that a container serves to kubelet and Prometheus, without an HTTP library.

One GET a connection, no bodies, bounded size and time: 40 lines here are 11 MiB less in every container than
aiohttp, which only some of them need for other things.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address

_LARGEST_HEAD = 16_384
_TIMEOUT_S = 5.0
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = _PLAIN


class PageServer:
    """Serves what `pages` make, by path.

    Whoever shares the pod's network, strategy code too, is refused the paths of `kept_from_neighbours`.
    """

    def __init__(
        self, pages: Mapping[str, Callable[[], Page]], *, kept_from_neighbours: frozenset[str] = frozenset()
    ) -> None:
        self._pages = pages
        self._kept = kept_from_neighbours
        self._server: asyncio.Server | None = None

    async def start(self, host: str | None, port: int) -> None:
        """OSError when the port is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_LARGEST_HEAD)

    @property
    def port(self) -> int | None:
        """The port that is listened on; None before `start`."""
        if self._server is None:
            return None
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                caller, called = (writer.get_extra_info(end)[0] for end in ("peername", "sockname"))
                writer.write(self._answer(head, is_neighbour(caller, called)))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked is gone, slow, or no HTTP client
        finally:
            writer.close()

    def _answer(self, head: bytes, neighbour: bool) -> bytes:
        method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
        make = self._pages.get(path)
        if method not in (b"GET", b"HEAD"):
            page = Page(b"", HTTPStatus.METHOD_NOT_ALLOWED)
        elif neighbour and path in self._kept:
            page = Page(b"not for this pod's own containers\n", HTTPStatus.FORBIDDEN)
        else:
            page = make() if make else Page(b"", HTTPStatus.NOT_FOUND)
        lines = [
            f"HTTP/1.1 {page.status.value} {page.status.phrase}",
            f"Content-Type: {page.content_type}",
            f"Content-Length: {len(page.body)}",
            "Connection: close",
            "",
            "",
        ]
        return "\r\n".join(lines).encode() + (b"" if method == b"HEAD" else page.body)


def is_neighbour(caller: str, called: str) -> bool:
    """Whether both addresses are this pod's own."""
    return caller == called or ip_address(caller).is_loopback
