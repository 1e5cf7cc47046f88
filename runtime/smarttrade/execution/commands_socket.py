"""The door for commands by hand: a UNIX socket in the container's own directory, opened to its own user only.

Whoever may `kubectl exec` into the execution container may use it, and nobody else: the file lies in a volume
that no other container of the pod mounts, it is mode 0600, and the kernel's word on the peer's user id is
checked on every connection. An abstract socket would not do: the pod's containers share a network namespace.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.execution.commands_wire import Answer, AnyCommand, decode_command, encode

_LINE_LIMIT = 64 * 1024
_READ_S = 5.0
_CREDENTIALS = struct.Struct("3i")

Handle = Callable[[AnyCommand], Awaitable[Answer]]


class CommandSocket:
    """Serves one command a connection; `async with` opens and closes it."""

    def __init__(self, path: Path, handle: Handle) -> None:
        self._path = path
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._logger = structlog.get_logger()

    async def __aenter__(self) -> CommandSocket:
        """An execution that cannot be commanded still trades: the failure is logged, not raised."""
        try:
            self._path.unlink(missing_ok=True)
            before = os.umask(0o177)
            try:
                self._server = await asyncio.start_unix_server(
                    self._serve, str(self._path), limit=_LINE_LIMIT
                )
            finally:
                os.umask(before)
        except OSError as error:
            self._logger.error(
                "no commands by hand: the socket cannot be opened", path=str(self._path), reason=str(error)
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            payload = await self._answer(reader, writer)
            writer.write(payload + b"\n")
            await writer.drain()
        except (OSError, TimeoutError) as error:
            self._logger.warning("a command by hand broke off", reason=str(error) or type(error).__name__)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        # What is not read would reset the connection before its other end has read the answer.
        try:
            line = await asyncio.wait_for(reader.readline(), _READ_S)
        except ValueError as error:
            return _error(f"the command is too long: {error}")
        user = peer_user(writer.get_extra_info("socket"))
        if user != os.geteuid():
            self._logger.error("a command by hand was refused", user=user)
            return _error(f"user {user} may not command this execution")
        try:
            command = decode_command(line)
            self._logger.warning("command by hand", command=type(command).__name__, by=command.by)
            answer = await self._handle(command)
        except (ConfigurationError, SmartTradeError, ValueError) as error:
            return _error(str(error))
        self._logger.warning("answered by hand", by=command.by, result=str(answer.result))
        return encode(answer)


def peer_user(connection: socket.socket) -> int:
    """The user id of the process at the other end, as the kernel knows it."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(raw)
    return int(user)


def _error(message: str) -> bytes:
    from smarttrade.execution.commands_wire import Result

    return encode(Answer(pod="", leading=False, state="", result=Result.REFUSED, message=message))
