"""The changes of an account's object within its audit trail, as the operator writes them.

Each row is written directly behind the one before it (compare-and-swap on their subject), and carries the
object as it was left: whoever goes on after a restart, or was paused meanwhile, compares with the newest row,
so nothing is there twice and what happened in between is in the next difference.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import msgspec
from nats.aio.client import Client

from smarttrade.bus import jetstream, subjects
from smarttrade.bus.change_rows import ObjectChanged, encode
from smarttrade.errors import BusError
from smarttrade.messages import MALFORMED

_TIMEOUT_S = 5.0
_MAX_BYTES = 256 * 1024
_HEADERS_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of the trail, its sequence, and when it was written (milliseconds since 1970): the trail drops it
    when that is too long ago. In the trail it may be cut."""

    sequence: int
    row: ObjectChanged
    time_ms: int = field(default=0, compare=False)


class Changes:
    """The changes within one account's trail, in the trail's own NATS account."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc

    async def last(self) -> Recorded | None:
        """The newest row; None where none was written yet."""
        stored = await jetstream.last(self._nc, subjects.TRAIL_STREAM, subjects.CHANGES)
        if stored is None:
            return None
        try:
            row = msgspec.json.decode(stored.payload, type=ObjectChanged)
            return Recorded(stored.sequence, row, stored.time_ms)
        except MALFORMED as error:
            raise BusError(f"the trail's newest change cannot be read: {error}") from error

    async def append(self, row: ObjectChanged, *, after: Recorded | None) -> Recorded:
        """Write a row behind the newest one; jetstream.ApiError where there is another, or no room."""
        headers = {"Nats-Expected-Last-Subject-Sequence": str(after.sequence if after else 0)}
        # What the servers do not take at all would stand before every later change.
        payload = encode(row, min(_MAX_BYTES, self._nc.max_payload - _HEADERS_BYTES))
        written = await jetstream.publish(self._nc, subjects.CHANGES, payload, headers, timeout_s=_TIMEOUT_S)
        return Recorded(written, row, time.time_ns() // 1_000_000)
