"""Websocket connections of the exchange, written to as whole, ready-made frames.

A frame is encoded once and given to every subscriber's transport as it is; aiohttp reads and answers pings.
That is safe because each write is one complete, uncompressed frame. A subscriber that does not read is cut
off, as on the exchange, instead of growing a buffer without bound.
"""

import asyncio
from typing import Any, Final, cast

import msgspec
from aiohttp import WSMsgType, web

from smarttrade.simulator.errors import ApiError
from smarttrade.simulator.faults import FaultKind, FaultSpec
from smarttrade.simulator.time_unit import PARAMETER, wants_microseconds

_TEXT: Final = 0x81
_PING: Final = 0x89
_MOST_BUFFERED: Final = 8 * 1024 * 1024


def frame(payload: bytes) -> bytes:
    """An unmasked, final text frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((_TEXT, size)) + payload
    if size < 65_536:
        return bytes((_TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_TEXT, 127)) + size.to_bytes(8, "big") + payload


def ping(now_ms: int) -> bytes:
    """A ping frame, as the exchange sends one every 20 seconds."""
    payload = str(now_ms).encode()
    return bytes((_PING, len(payload))) + payload


class Connection:
    """One client. `combined` wraps stream messages in their stream's name; `silent` says nothing any more;
    `is_fine` is told times in microseconds."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        combined: bool = False,
        *,
        is_fine: bool = False,
    ) -> None:
        self.request = request
        self.address = request.remote or ""
        self.socket = socket
        self.transport = cast(asyncio.Transport, request.transport)
        self.combined = combined
        self.silent = False
        self.is_fine = is_fine
        self.streams: set[str] = set()

    def write(self, ready_frame: bytes) -> None:
        """Queue one frame; a client too far behind is disconnected."""
        if self.silent or self.transport is None or self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() > _MOST_BUFFERED:
            self.transport.abort()
            return
        self.transport.write(ready_frame)

    def suffer(self, faults: list[FaultSpec]) -> None:
        """Fall silent or break, at once or after the fault's delay."""
        for fault in faults:
            act = self.drop if fault.kind is FaultKind.WS_DROP else self.fall_silent
            if fault.delay_ms or fault.kind is FaultKind.WS_DROP:
                asyncio.get_running_loop().call_later(fault.delay_ms / 1000, act)
            else:
                act()

    def fall_silent(self) -> None:
        self.silent = True

    def drop_after_writing(self) -> None:
        """Close once what is queued has been sent."""
        if self.transport is not None:
            self.transport.close()

    def drop(self) -> None:
        """Break the connection without a closing handshake."""
        if self.transport is not None:
            self.transport.abort()


async def accept(request: web.Request, combined: bool = False) -> Connection:
    """HTTP 400 for a unit of time that there is not."""
    try:
        is_fine = wants_microseconds(request.query.get(PARAMETER))
    except ApiError as error:
        raise web.HTTPBadRequest(
            text=msgspec.json.encode(error.body()).decode(), content_type="application/json"
        ) from error
    socket = web.WebSocketResponse(compress=False, max_msg_size=1 << 20)
    await socket.prepare(request)
    return Connection(request, socket, combined, is_fine=is_fine)


async def texts(connection: Connection) -> Any:
    """The client's text messages until it goes."""
    async for message in connection.socket:
        if message.type is WSMsgType.TEXT:
            yield message.data
        elif message.type is WSMsgType.ERROR:
            return
