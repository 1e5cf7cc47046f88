"""The account's log: compare-and-swap on one subject's last sequence, and the snapshot that bounds replay.

The compare-and-swap is what fences a leader that was paused: whoever appends on a stale sequence gets
StaleLogError and must stop leading. What bites:

* a retry of an append that had succeeded is answered as a conflict; the last record's message id tells the
  two apart, so `append` may be repeated until it is certain;
* a subject without records has last sequence 0, so a purge always leaves the newest record;
* an old leader could overwrite a newer snapshot after the log behind it is gone, so the snapshot is
  compare-and-swapped too.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from smarttrade.bus import jetstream, subjects
from smarttrade.bus.jetstream import ApiError, BusTimeoutError, Stored
from smarttrade.errors import BusError

_BATCH = 1000
# Between batches; reading waits behind writes that are being synced.
_READ_TIMEOUT_S = 10.0
_BATCH_BYTES = 4 * 1024 * 1024


class StaleLogError(BusError):
    """Somebody else wrote since: `last_sequence` is where the subject stands now."""

    def __init__(self, after: int, last_sequence: int) -> None:
        super().__init__(f"written after {last_sequence}, not after {after}: another process leads")
        self.after = after
        self.last_sequence = last_sequence


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The stored snapshot; `sequence` is its own, to be given to the next `put_snapshot`."""

    sequence: int
    payload: bytes
    time_ms: int


class AccountLog:
    """The stream `ACCOUNT` as execution uses it."""

    def __init__(self, nc: Client, *, timeout_s: float = 2.0) -> None:
        self._nc = nc
        self._timeout_s = timeout_s

    async def append(self, payload: bytes, *, after: int, message_id: str) -> int:
        """Write one record directly after the record with sequence `after` (0: the first); its sequence.

        StaleLogError when it is not written because another record is there; BusTimeoutError when unknown,
        or nobody is there now: repeat with the same arguments until certain; BusError when refused (for
        example: the log is full).
        """
        return await self._swap(subjects.LOG, payload, after, message_id, {})

    async def last_sequence(self) -> int:
        """The sequence of the newest record; 0 when there is none."""
        last = await jetstream.last(self._nc, subjects.STREAM, subjects.LOG)
        return last.sequence if last else 0

    async def read(self, from_sequence: int = 1) -> AsyncIterator[tuple[int, bytes, int]]:
        """From a sequence on, in order, up to the newest: (sequence, payload, time in ms of the server)."""
        following = max(1, from_sequence)
        while True:
            records, more = await self._read_batch(following)
            for record in records:
                yield record.sequence, record.payload, record.time_ms
            if not more:
                return
            following = records[-1].sequence + 1

    async def put_snapshot(self, payload: bytes, *, after: int) -> int:
        """Replace the snapshot whose own sequence is `after` (0: none yet); the new one's sequence.

        StaleLogError when another process has replaced it since.
        """
        message_id = f"snapshot-{after}-{hashlib.sha256(payload).hexdigest()[:16]}"
        return await self._swap(subjects.SNAPSHOT, payload, after, message_id, {"Nats-Rollup": "sub"})

    async def get_snapshot(self) -> Snapshot | None:
        last = await jetstream.last(self._nc, subjects.STREAM, subjects.SNAPSHOT)
        return Snapshot(last.sequence, last.payload, last.time_ms) if last else None

    async def purge(self, up_to: int) -> int:
        """Drop records up to and including a sequence, but never the newest one; how many were dropped."""
        keep_from = min(up_to + 1, await self.last_sequence())
        if keep_from <= 1:
            return 0
        body = {"filter": subjects.LOG, "seq": keep_from}
        answer = await jetstream.api(
            self._nc, f"STREAM.PURGE.{subjects.STREAM}", body, timeout_s=self._timeout_s
        )
        purged: int = answer["purged"]
        return purged

    async def _swap(
        self, subject: str, payload: bytes, after: int, message_id: str, extra: dict[str, str]
    ) -> int:
        headers = {"Nats-Expected-Last-Subject-Sequence": str(after), "Nats-Msg-Id": message_id} | extra
        try:
            return await jetstream.publish(self._nc, subject, payload, headers, timeout_s=self._timeout_s)
        except ApiError as error:
            if error.code == jetstream.SAME_ID_IN_PROCESS:
                raise BusTimeoutError(f"an earlier attempt is not decided yet: {error}") from error
            if error.code not in jetstream.WRONG_LAST_SEQUENCE:
                raise
        last = await jetstream.last(self._nc, subjects.STREAM, subject)
        if last and last.headers.get("Nats-Msg-Id") == message_id:
            return last.sequence
        raise StaleLogError(after, last.sequence if last else 0)

    async def _read_batch(self, from_sequence: int) -> tuple[list[Stored], bool]:
        batch = _Batch()
        inbox = self._nc.new_inbox()
        subscription = await self._nc.subscribe(
            inbox, cb=batch.receive, pending_msgs_limit=0, pending_bytes_limit=0
        )
        body = {
            "seq": from_sequence,
            "batch": _BATCH,
            "max_bytes": _BATCH_BYTES,
            "next_by_subj": subjects.LOG,
        }
        try:
            subject = f"$JS.API.DIRECT.GET.{subjects.STREAM}"
            await self._nc.publish(subject, json.dumps(body).encode(), reply=inbox)
            return await asyncio.wait_for(batch.end, _READ_TIMEOUT_S)
        except TimeoutError as error:
            raise BusTimeoutError(f"the log was not read on from {from_sequence}: no answer") from error
        except NatsError as error:
            raise BusError(f"the log was not read on from {from_sequence}: {error}") from error
        finally:
            await self._unsubscribe(subscription)

    async def _unsubscribe(self, subscription: Subscription) -> None:
        if not self._nc.is_closed:
            await subscription.unsubscribe()


class _Batch:
    """Collects by callback: waiting for each message on its own makes a replay more than twice as long."""

    def __init__(self) -> None:
        self._records: list[Stored] = []
        self.end: asyncio.Future[tuple[list[Stored], bool]] = asyncio.get_running_loop().create_future()

    async def receive(self, message: Msg) -> None:
        if self.end.done():
            return
        try:
            self._add(message)
        except BusError as error:
            self.end.set_exception(error)

    def _add(self, message: Msg) -> None:
        headers = message.headers or {}
        if headers.get("Status") in ("204", "404"):
            more = bool(self._records) and int(headers.get("Nats-Num-Pending", "0")) > 0
            self.end.set_result((self._records, more))
            return
        record = jetstream.read_direct(message)
        if record:
            self._records.append(record)
