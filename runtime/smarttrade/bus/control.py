"""The account's control value, as monitoring and execution read it.

Live changes come by subscription; the stored value is read at the start and after every reconnect, because
what was published meanwhile is not delivered again. The subscription begins before the stored value is
read, so none is missed. A server hands a value to its listeners before it has stored it, so what is read may
be older than what was heard a moment before: it is read again until it is not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from nats.aio.msg import Msg

from smarttrade import messages
from smarttrade.bus import jetstream, subjects
from smarttrade.bus.connection import Connection
from smarttrade.errors import BusError

logger = logging.getLogger(__name__)

ControlCallback = Callable[[messages.AccountControl], Awaitable[None]]
_RETRY_S = 0.5
_READS = 5


class ControlReader:
    """Reads `control.account` of the account of one connection."""

    def __init__(self, nc: Connection) -> None:
        self._nc = nc
        self._last: messages.AccountControl | None = None

    async def current(self) -> messages.AccountControl | None:
        """The stored value; None when none has been written yet. BusError when it cannot be read.

        What is no control value counts as none. Another container of the account can make a server's answer
        land on the subject; nothing starts on that, and the operator's next writing mends it.
        """
        stored = await jetstream.last_direct(self._nc, subjects.STREAM, subjects.CONTROL)
        try:
            return messages.decode(stored.payload, messages.AccountControl) if stored else None
        except messages.UnknownVersionError:
            raise
        except BusError as error:
            logger.error("the stored control value is none, until the operator writes it: %s", error)
            return None

    async def subscribe(self, callback: ControlCallback) -> None:
        """Call with the stored value now (when there is one), and with every change from now on."""

        async def deliver(control: messages.AccountControl) -> None:
            if control != self._last:
                self._last = control
                await callback(control)

        async def received(message: Msg) -> None:
            try:
                control: messages.AccountControl = messages.decode(message.data, messages.AccountControl)
            except BusError as error:
                logger.error("control ignored: %s", error)
                return
            await deliver(control)

        async def read_again() -> None:
            while not self._nc.is_closed:
                try:
                    control = await self._settled()
                except BusError as error:
                    logger.warning("control not read, trying again: %s", error)
                    await asyncio.sleep(_RETRY_S)
                    continue
                if control:
                    await deliver(control)
                return

        await self._nc.subscribe(subjects.CONTROL, cb=received)
        await self._nc.flush()
        self._nc.on_reconnect.append(read_again)
        control = await self._settled()
        if control:
            await deliver(control)

    async def _settled(self) -> messages.AccountControl | None:
        """The stored value, once it is no older than the last one heard.

        One that stays older is the newest all the same: the clock of the operator that wrote it is behind.
        """
        for _ in range(_READS):
            control = await self.current()
            if control is None or self._last is None or control.written_ms >= self._last.written_ms:
                break
            await asyncio.sleep(_RETRY_S)
        return control
