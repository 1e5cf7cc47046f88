"""Public questions to one host over HTTP, with what Python brings: no HTTP library to load and to keep.

A question waits in one of a few threads, each of which keeps its connection; `http.client` reads answers
about as fast as they come. What bites: a question whose asker gave up still occupies its thread until the
host answers or the time is up, and the host may close a connection that was kept just as it is used again:
then the question, which changes nothing, is asked once more on a fresh one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlencode, urlsplit

from smarttrade._version import __version__
from smarttrade.errors import VenueError
from smarttrade.exchange.route import Gateway, Route

_CONNECTIONS = 4
_TIMEOUT_S = 5.0
_HTTPS = 443
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_HEADERS = {"Accept-Encoding": "gzip", "User-Agent": f"smarttrade/{__version__}"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class RestClient:
    """GET below one address, such as `https://api.binance.com/api/v3`."""

    def __init__(self, address: str, timeout_s: float = _TIMEOUT_S, route: Route | None = None) -> None:
        parts = urlsplit(address)
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._path = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._route = route
        self._context = route.trust if route else None
        self._gateway: Gateway | None = None
        self._threads = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="rest")
        self._kept: list[HTTPConnection] = []
        self._open: set[HTTPConnection] = set()
        if route:
            route.follow(self._go_over)

    async def get(self, path: str, parameters: Mapping[str, str | int]) -> Answer:
        """VenueError when there is no answer."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        target = f"{self._path}{path}{query}"
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, target)
        except (OSError, HTTPException, zlib.error) as error:
            raise VenueError(f"{self._host} did not answer: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Also wakes the threads that wait for an answer."""
        if self._route:
            self._route.forget(self._go_over)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for connection in list(self._open):
            if connection.sock:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)

    def _go_over(self, gateway: Gateway | None) -> None:
        self._gateway = gateway

    # --- in a thread ------------------------------------------------------------------------------------

    def _ask(self, target: str) -> Answer:
        kept = self._kept.pop() if self._kept else None
        if kept:
            with contextlib.suppress(ConnectionError, HTTPException):
                return self._ask_over(kept, target)
        return self._ask_over(self._connection(), target)

    def _ask_over(self, connection: HTTPConnection, target: str) -> Answer:
        try:
            connection.request("GET", target, headers=_HEADERS)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            body = answer.read()
        except BaseException:
            self._open.discard(connection)
            connection.close()
            raise
        self._kept.append(connection)
        compressed = headers.get("content-encoding", "") in ("gzip", "deflate")
        return Answer(answer.status, headers, zlib.decompress(body, _GZIP_OR_ZLIB) if compressed else body)

    def _connection(self) -> HTTPConnection:
        gateway = self._gateway
        host, port = (gateway.host, gateway.port) if gateway else (self._host, self._port)
        connection = (
            HTTPSConnection(host, port, timeout=self._timeout_s, context=self._trust())
            if self._secure
            else HTTPConnection(host, port, timeout=self._timeout_s)
        )
        if gateway:
            connection.set_tunnel(
                self._host, self._port or _HTTPS, headers={"Proxy-Authorization": gateway.authorization}
            )
        self._open.add(connection)
        return connection

    def _trust(self) -> ssl.SSLContext:
        if self._context is None:
            import certifi  # the same authorities that ccxt trusts

            self._context = ssl.create_default_context(cafile=certifi.where())
        return self._context
