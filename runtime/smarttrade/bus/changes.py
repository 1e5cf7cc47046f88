"""The changes of an account's object within its audit trail, as the operator writes them.

Each row is written directly behind the one before it (compare-and-swap on their subject), and carries the
object as it was left: whoever goes on after a restart, or was paused meanwhile, compares with the newest row,
so nothing is there twice and what happened in between is in the next difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from nats.aio.client import Client

from smarttrade.bus import jetstream, subjects
from smarttrade.bus.change_rows import ObjectChanged
from smarttrade.errors import BusError
from smarttrade.messages import MALFORMED

_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of the trail, and its sequence."""

    sequence: int
    row: ObjectChanged


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
            return Recorded(stored.sequence, msgspec.json.decode(stored.payload, type=ObjectChanged))
        except MALFORMED as error:
            raise BusError(f"the trail's newest change cannot be read: {error}") from error

    async def append(self, row: ObjectChanged, *, after: Recorded | None) -> Recorded:
        """Write a row behind the newest one; jetstream.ApiError where there is another, or no room."""
        headers = {"Nats-Expected-Last-Subject-Sequence": str(after.sequence if after else 0)}
        payload = msgspec.json.encode(row)
        written = await jetstream.publish(self._nc, subjects.CHANGES, payload, headers, timeout_s=_TIMEOUT_S)
        return Recorded(written, row)
