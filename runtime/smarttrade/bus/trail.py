"""The account's audit trail: the log as it was written, also what compaction has dropped since, and between
its records what the operator has seen change in the account's object.

The servers fill it from the log, in an account of its own where nobody has any right but the operator's to
make it and to write `changes` (see `accounts`). Its sequences are its own: they go on where a lost log began
anew. What the log has and the trail has not yet (it follows within milliseconds, unless it is full) is read
from the log; its numbers are a guess, since a change may come to lie before it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from nats.aio.client import Client

from smarttrade.bus import jetstream, subjects
from smarttrade.bus.jetstream import ApiError, BusUnavailableError, Stored
from smarttrade.bus.log import AccountLog

_AT_ONCE = 64
_TIMEOUT_S = 5.0
_ORIGIN = "Nats-Stream-Source"


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of the trail: a batch of the log, or a change of the object as the operator wrote it. Time
    in milliseconds since 1970, of the server."""

    sequence: int
    payload: bytes
    time_ms: int
    is_change: bool = False


class Trail:
    """The trail as execution, or whoever archives a deleted account, reads it in the core account."""

    def __init__(self, nc: Client) -> None:
        self._nc, self._log = nc, AccountLog(nc)

    async def read(self, first: int = 1) -> AsyncIterator[tuple[int, bytes, int]]:
        """The log alone, from a sequence on, in order, up to the newest: (sequence, payload, time in ms)."""
        async for entry in self.read_all(first):
            if not entry.is_change:
                yield entry.sequence, entry.payload, entry.time_ms

    async def read_all(self, first: int = 1) -> AsyncIterator[Entry]:
        """Log and changes from a sequence on, in order, up to the newest."""
        change = await self._ask({"last_by_subj": subjects.CHANGES})
        logged = await self._ask({"last_by_subj": subjects.LOG})
        sequence = max((newest.sequence for newest in (change, logged) if newest), default=0)
        async for stored in self._read_kept(first):
            is_change, sequence = stored.subject == subjects.CHANGES, stored.sequence
            logged = logged if is_change else stored
            yield Entry(sequence, stored.payload, stored.time_ms, is_change)
        async for _, payload, time_ms in self._log.read((_origin(logged) if logged else 0) + 1):
            sequence += 1
            if sequence >= first:
                yield Entry(sequence, payload, time_ms)

    async def _read_kept(self, first: int) -> AsyncIterator[Stored]:
        """Many at once by their numbers, which have no gaps; the oldest may go by age meanwhile."""
        while begin := await self._ask({"seq": first, "next_by_subj": ">"}):
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
