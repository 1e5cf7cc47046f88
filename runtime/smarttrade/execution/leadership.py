"""Follows the log while standing by, takes the lease when it is free, and keeps it.

A standby has read the log to its end before it tries for the lease, so that taking over costs one append.
The subscription to the log's subject is only a wake-up call: it also hears appends that the log refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from smarttrade.bus import subjects
from smarttrade.bus.connection import Connection
from smarttrade.bus.jetstream import BusTimeoutError
from smarttrade.bus.lease import Lease
from smarttrade.bus.log import AccountLog, StaleLogError
from smarttrade.errors import BusError
from smarttrade.execution import effects as fx
from smarttrade.execution.core import Core
from smarttrade.execution.errors import UnknownRecordError
from smarttrade.execution.records import HaltOrdered, decode_batch, encode_batch
from smarttrade.execution.snapshot import decode_snapshot

AUDITED = 10_000
"""Sequences that stay in the log behind a snapshot: nobody replays them, they are the audit trail. They must
leave most of the log free, since a full one stops trading."""
_FOLLOW_S = 1.0
_RETRY_S = 0.2
_ASIDE_S = 5.0
_TRIES_PER_TTL = 10
_HALT = b'"halt"'


class Leadership:
    """The log and the lease of one pod."""

    def __init__(
        self,
        nc: Connection,
        lease: Lease,
        core: Callable[[], Core],
        feed: Callable[[fx.Input], None],
        may_lead: Callable[[], bool],
    ) -> None:
        self._nc = nc
        self._log = AccountLog(nc)
        self.lease = lease
        self._core = core
        self._feed = feed
        self._may_lead = may_lead
        self._wake = asyncio.Event()
        self._not_before = 0.0
        self._held_seen_s = time.monotonic()
        self._logger = structlog.get_logger()
        self.caught_up = self._aside = False
        self.append_seconds: Callable[[float], None] = lambda seconds: None

    async def run(self) -> None:
        """Stand by, lead, stand by again, for good."""
        listening = False
        while True:
            try:
                if not listening:
                    await self._nc.subscribe(subjects.LOG, cb=self._hint)
                    await self.lease.watch(self._lease_changed)
                    listening = True
                await self._read_all()
                if await self._stand_by():
                    await self._lead()
            except (BusError, NatsError) as error:
                self._logger.warning("the log or the lease is out of reach", reason=str(error))
                await asyncio.sleep(_RETRY_S)
            except UnknownRecordError as error:
                await self._stand_aside(str(error))

    async def _stand_aside(self, reason: str) -> None:
        """A newer version leads, and writes what this one must not misread: it stays, not ready, until it is
        replaced or the newer one is gone for good."""
        if self.caught_up or not self._aside:
            self._logger.critical("standing aside", reason=reason)
        self.caught_up, self._aside = False, True
        if self.lease.held:
            await self.lease.release()
        await asyncio.sleep(_ASIDE_S)

    def free_for_s(self) -> float:
        """For how long this pod has seen nobody hold the lease."""
        return max(time.monotonic() - self._held_seen_s - self.lease.ttl_s, 0.0)

    def back_off(self, backoff_ms: int) -> None:
        """Leave the lease to others for a while."""
        self._not_before = time.monotonic() + backoff_ms / 1000

    async def append(self, effect: fx.Append, core: Core) -> None:
        """Write until certain; what a core that was replaced meanwhile wrote is read back from the log."""
        payload, started = encode_batch(effect.batch), time.monotonic()
        again = False
        while core is self._core():
            if again and self._nc.is_connected and not self.lease.held:
                # The log may have lost its end meanwhile and have grown to the same sequence again.
                self._end(core, fx.AppendFailed(reason="the lease lapsed before the log had answered"))
                return
            again = True
            try:
                sequence = await self._log.append(payload, after=effect.after, message_id=effect.message_id)
            except StaleLogError as error:
                self._end(core, fx.AppendFailed(reason=str(error)))
            except BusTimeoutError:
                await asyncio.sleep(_RETRY_S)
                continue
            except BusError as error:
                if self._nc.is_connected:
                    self._logger.error("the log refuses", reason=str(error))
                    self.back_off(1_000)
                    self._end(core, fx.AppendFailed(reason=str(error)))
                else:
                    await asyncio.sleep(_RETRY_S)
                    continue
            else:
                self.append_seconds(time.monotonic() - started)
                self._end(core, fx.Appended(sequence=sequence))
            return

    async def fence(self, effect: fx.Fence) -> None:
        """Try once to write behind what this standby has read; the next attempt begins with what is there."""
        try:
            await self._log.append(
                encode_batch(effect.batch), after=effect.after, message_id=effect.message_id
            )
        except (BusError, NatsError) as error:
            self._logger.info("the halt is not in the log yet", reason=str(error))
        self._wake.set()

    async def save(self, effect: fx.SaveSnapshot) -> None:
        """Store the snapshot and drop the log behind it, unless a newer leader's is there, or the log that it
        covers is gone: a snapshot of another log would keep everyone from reading this one."""
        try:
            if not await self._covers(effect):
                return
            stored = await self._log.get_snapshot()
            if stored is not None and decode_snapshot(stored.payload).sequence >= effect.up_to:
                return
            await self._log.put_snapshot(effect.payload, after=stored.sequence if stored else 0)
            await self._log.purge(effect.up_to - AUDITED)
        except BusError as error:
            self._logger.warning("the snapshot was not saved", reason=str(error))

    async def _covers(self, effect: fx.SaveSnapshot) -> bool:
        async for sequence, payload, _ in self._log.read(effect.up_to):
            return sequence == effect.up_to and decode_batch(payload).id == effect.batch_id
        return False

    def _end(self, core: Core, event: fx.Input) -> None:
        if core is self._core():
            self._feed(event)

    async def _read_all(self) -> None:
        """Snapshot, then the log's tail, into a core that is empty."""
        self.caught_up = False
        core = self._core()
        stored = await self._log.get_snapshot()
        if stored is not None and core.ctx.outbox.sequence == 0:
            self._feed(fx.SnapshotRead(snapshot=decode_snapshot(stored.payload)))
        await self._read_tail(live=False)
        self.caught_up = core is self._core()
        self._end(core, fx.LogCaughtUp())

    async def _read_tail(self, *, live: bool) -> None:
        """From the last batch that was read, which has to be there still: sequences alone may come again."""
        core, nothing = self._core(), True
        async for sequence, payload, _ in self._log.read(core.ctx.outbox.sequence):
            nothing = False
            if core is not self._core():
                return
            self._feed(fx.LogRead(sequence=sequence, batch=decode_batch(payload), live=live))
        if nothing and core.ctx.outbox.sequence:
            self._end(core, fx.LogMissing())

    async def _stand_by(self) -> bool:
        """True when the lease is ours and the log was read to its end after that.

        False when the core was replaced: what it had missed is in the snapshot, which has to be read first.
        """
        core, read_at = self._core(), 0.0
        while core is self._core():
            if self._may_lead() and time.monotonic() >= self._not_before and await self.lease.acquire():
                break
            if self._wake.is_set() or time.monotonic() - read_at >= _FOLLOW_S:
                self._wake.clear()
                await self._read_tail(live=True)
                read_at = time.monotonic()
            await self._pause()
        if core is self._core():
            await self._read_tail(live=True)
        if core is not self._core():
            return False
        self._logger.info("taking the lead")
        self._feed(fx.LeaseGained(until_ms=self.lease.held_until * 1000))
        return True

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), self.lease.ttl_s / _TRIES_PER_TTL)
        except TimeoutError:
            return

    async def _lead(self) -> None:
        """Renew until the core has been replaced, which is how the lead ends.

        Cut off from the bus, the core stays: it still has resting orders to cancel. Back on it without a
        lease, it starts over; a restarted server has forgotten the key, which only `acquire` makes again.
        """
        core = self._core()
        while core is self._core():
            started = time.monotonic()
            try:
                if await self.lease.renew():
                    self._feed(fx.LeaseRenewed(until_ms=self.lease.held_until * 1000))
                else:
                    self._end(core, fx.LeaseLost(reason="another replica holds the lease"))
                    return
            except BusError as error:
                self._logger.warning("lease not renewed", reason=str(error))
                if self._nc.is_connected and not self.lease.held:
                    self._end(core, fx.LeaseLost(reason="the lease lapsed"))
                    return
            await asyncio.sleep(max(self.lease.ttl_s / 4 - (time.monotonic() - started), 0.02))

    async def _hint(self, message: Msg) -> None:
        self._wake.set()
        core = self._core()
        if _HALT in message.data and core.ctx.lead.claimed:
            for halt in halts_of(message.data):
                self._end(core, fx.HaltHeard(halt=halt))

    async def _lease_changed(self, value: object) -> None:
        self._held_seen_s = time.monotonic()
        if value is None:
            self._held_seen_s -= self.lease.ttl_s
            self._wake.set()


def halts_of(payload: bytes) -> tuple[HaltOrdered, ...]:
    """The halts in a log message; none in one that this version cannot read."""
    try:
        records = decode_batch(payload).records
    except UnknownRecordError:
        return ()
    return tuple(record for record in records if isinstance(record, HaltOrdered))
