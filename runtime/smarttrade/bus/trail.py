"""The account's audit trail: the log as it was written, also what compaction has dropped since.

The servers fill it from the log, in an account of its own where nobody has any right but the operator's to
make it (see `accounts`). Its sequences are its own: they go on where a lost log began anew. What the log has
and the trail has not yet (it follows within milliseconds, unless it is full) is read from the log.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from nats.aio.client import Client

from smarttrade.bus import jetstream, subjects
from smarttrade.bus.jetstream import ApiError, BusUnavailableError, Stored
from smarttrade.bus.log import AccountLog

_AT_ONCE = 64
_TIMEOUT_S = 5.0
_ORIGIN = "Nats-Stream-Source"


class Trail:
    """The trail as execution, or whoever archives a deleted account, reads it in the core account."""

    def __init__(self, nc: Client) -> None:
        self._nc, self._log = nc, AccountLog(nc)

    async def read(self, first: int = 1) -> AsyncIterator[tuple[int, bytes, int]]:
        """From a sequence on, in order, up to the newest: (sequence, payload, time in ms of the server)."""
        newest = await self._ask({"last_by_subj": subjects.LOG})
        async for newest in self._read_kept(first):
            yield newest.sequence, newest.payload, newest.time_ms
        sequence, origin = (newest.sequence, _origin(newest)) if newest else (0, 0)
        async for _, payload, time_ms in self._log.read(origin + 1):
            sequence += 1
            if sequence >= first:
                yield sequence, payload, time_ms

    async def _read_kept(self, first: int) -> AsyncIterator[Stored]:
        """Many at once by their numbers, which have no gaps; the oldest may go by age meanwhile."""
        while begin := await self._ask({"seq": first, "next_by_subj": subjects.LOG}):
            yield begin
            first = begin.sequence + 1
            batch = await asyncio.gather(*(self._ask({"seq": first + n}) for n in range(_AT_ONCE)))
            for stored in batch:
                if stored is None:
                    break
                yield stored
                first = stored.sequence + 1

    async def _ask(self, body: dict[str, Any]) -> Stored | None:
        """None where there is no such record, or no trail yet."""
        try:
            reply = await jetstream.request(
                self._nc, subjects.TRAIL_READ, json.dumps(body).encode(), timeout_s=_TIMEOUT_S
            )
            return jetstream.read_stored(jetstream.read_answer(reply)["message"])
        except BusUnavailableError:
            return None
        except ApiError as error:
            if error.code in (jetstream.NO_MESSAGE, jetstream.STREAM_NOT_FOUND):
                return None
            raise


def _origin(stored: Stored) -> int:
    """Its sequence in the log: the server's own note."""
    return int(stored.headers[_ORIGIN].split()[1])
