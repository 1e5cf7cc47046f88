"""One NATS connection of one process, with the defaults that trading needs.

The library's own defaults notice a dead server after four minutes, give up after two, and buffer what was
published meanwhile, so that stale decisions go out after a reconnect; here it is three seconds, never, and
nothing. Any `-ERR` but a stale connection or a permission closes the client for good: a process must pass
`on_closed` and end loudly, because a closed client looks exactly like a quiet one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from nats.aio.client import Client, RawCredentials
from nats.errors import Error as NatsError

from smarttrade.bus import certificates, subjects
from smarttrade.errors import BusError, ConfigurationError

logger = logging.getLogger(__name__)

Callback = Callable[[], Awaitable[None]]
_CREDENTIALS_CHECK_S = 10.0
_SAY_AGAIN_S = 5.0
_CANCEL_AGAIN_S = 0.2


class Connection(Client):
    """A client that tells whoever reads stored values when it is connected again."""

    def __init__(self) -> None:
        super().__init__()
        self.on_reconnect: list[Callback] = []
        self.closing = False
        self._credentials_task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Close on purpose: `on_closed` is not called, and a socket that is broken already is no error."""
        self.closing = True
        if self._credentials_task:
            self._credentials_task.cancel()
        if not self.is_connected:
            # The library would write what is pending to the broken socket, and stop half-way.
            self._pending, self._pending_data_size = [], 0
        with suppress(OSError):
            await super().close()
        if self._reconnection_task and self._reconnection_task is not asyncio.current_task():
            await _end(self._reconnection_task)

    async def flush(self, timeout: int = 10) -> None:
        """Until the server has dealt with all that was sent. The library's PING overtakes what is pending,
        such as a subscription, which then misses what somebody else publishes on the strength of it."""
        await self._flush_pending(force_flush=True)
        await super().flush(timeout)

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        """The library's end, also where a server that refused us has closed the socket before it.

        The library writes what is pending first: into a broken socket that fails, and nobody would ever be
        told that the connection is gone.
        """
        try:
            await super()._close(status, do_cbs)
        except (OSError, RuntimeError):  # the latter is uvloop's
            self._pending, self._pending_data_size = [], 0
            self._status = Client.DISCONNECTED
            await super()._close(status, do_cbs)

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """Refuse a server that offers no TLS where it was asked for: the library would go on in the clear."""
        server = self._current_server
        if server and server.uri.scheme == certificates.SCHEME and not info.get("tls_required"):
            raise NatsError(f"{server.uri.netloc} does not speak TLS")
        await super()._process_info(info, initial_connection)

    def follow(self, credentials: Path, known: bytes, authority: Path | None) -> None:
        """Reconnect with the new credentials whenever the mounted file is no longer what is known; take the
        certificates of a new authority for good beside those of the old one."""
        self._credentials_task = asyncio.create_task(self._follow(credentials, known, authority))

    async def _follow(self, credentials: Path, known: bytes, authority: Path | None) -> None:
        context = self.options.get("tls")
        while True:
            await asyncio.sleep(_CREDENTIALS_CHECK_S)
            try:
                if context and authority:
                    await asyncio.to_thread(context.load_verify_locations, authority)
                current = await asyncio.to_thread(credentials.read_bytes)
            except OSError:
                continue  # replaced just now
            if current != known:
                known = current
                logger.info("NATS credentials changed, reconnecting")
                await self.force_reconnect()


async def connect(
    url: str,
    *,
    name: str,
    role: str,
    credentials: Path | str | None,
    on_closed: Callback,
    authority: Path | None = None,
    timeout_s: float = 5.0,
) -> Connection:
    """Connect to one of the comma-separated servers.

    `credentials` is the path of a .creds file (followed when it changes), or its text. `authority` is the
    file with the certificate that those of `tls://` servers are verified by. `on_closed` is called
    when the client has closed for good and not by `close()`. BusError when none lets us in within the time.
    """
    context = certificates.client_context(url, authority)
    known = await _read(credentials) if isinstance(credentials, Path) else b""
    connection = Connection()
    last_error: list[Exception] = []
    said: dict[str, float] = {}

    async def closed() -> None:
        if not connection.closing:
            logger.error("NATS connection closed for good: %s", connection.last_error)
            await on_closed()

    async def failed(error: Exception) -> None:
        # What a server said tells more than the reset that follows it.
        if not last_error or not isinstance(error, OSError):
            last_error[:] = [error]
        text = str(error) or type(error).__name__
        # Ten attempts a second would otherwise fill the logs while a server is away.
        if time.monotonic() - said.get(text, -_SAY_AGAIN_S) >= _SAY_AGAIN_S:
            said[text] = time.monotonic()
            logger.warning("NATS: %s", text)

    async def reconnected() -> None:
        logger.info("NATS reconnected to %s", connection.connected_url and connection.connected_url.netloc)
        for callback in connection.on_reconnect:
            await callback()

    dial = connection.connect(
        servers=url.split(","),
        name=name,
        error_cb=failed,
        closed_cb=closed,
        reconnected_cb=reconnected,
        tls=context,
        user_credentials=RawCredentials(credentials) if isinstance(credentials, str) else credentials,
        inbox_prefix=subjects.inbox(role),
        connect_timeout=2,
        reconnect_time_wait=0.1,  # type: ignore[arg-type]
        max_reconnect_attempts=-1,
        ping_interval=1,
        max_outstanding_pings=2,
        pending_size=0,
    )
    try:
        await _within(timeout_s, dial)
    except (NatsError, OSError, TimeoutError) as error:
        connection.closing = True
        await connection.close()
        cause = (last_error or [error])[0]
        raise BusError(
            f"cannot connect to NATS at {url} as {role}: {cause or type(cause).__name__}"
        ) from error
    if isinstance(credentials, Path):
        connection.follow(credentials, known, authority)
    return connection


async def _within(timeout_s: float, dial: Coroutine[Any, Any, None]) -> None:
    """TimeoutError when it takes longer."""
    dialing = asyncio.ensure_future(dial)
    try:
        await asyncio.wait({dialing}, timeout=timeout_s)
    finally:
        await _end(dialing)
    if dialing.cancelled():
        raise TimeoutError
    dialing.result()


async def _end(dialing: asyncio.Future[None]) -> None:
    """Cancel until it has ended: the library dials for ever, and a cancellation that comes as one of its
    attempts ends can be lost."""
    while not dialing.done():
        dialing.cancel()
        await asyncio.wait({dialing}, timeout=_CANCEL_AGAIN_S)


async def _read(credentials: Path) -> bytes:
    try:
        return await asyncio.to_thread(credentials.read_bytes)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the NATS credentials {credentials}: {error.strerror}"
        ) from error
