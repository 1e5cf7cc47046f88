"""Leader lease on a NATS KV key.

The lease gives liveness only. A paused process can wake up still believing it leads, so nothing may be sent
on the strength of `held` alone: the log's compare-and-swap fences, and the exchange's deadline bounds what is
under way. What bites:

* validity counts from the *start* of the last successful renewal, by this process's monotonic clock;
* a follower never trusts timestamps: it takes over when it has itself seen the same revision for the whole
  validity written in it (the server's expiry is only a bound for what a dead account leaves behind);
* the bucket is in memory and a single server forgets it when it restarts, also while the operator is away, so
  whoever wants the lease makes it again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from smarttrade.bus import assets, jetstream, subjects
from smarttrade.bus.jetstream import ApiError, Stored
from smarttrade.errors import BusError
from smarttrade.messages import MALFORMED

logger = logging.getLogger(__name__)

_RELEASED = {"KV-Operation": "DEL"}
# Of the validity: a renewal must have begun this recently for the holder to act.
_SELF_FENCE = 0.7


class LeaseValue(msgspec.Struct, frozen=True, kw_only=True):
    """What the key holds. `ttl_s` is how long others wait for the next renewal."""

    holder: str
    ttl_s: float


@dataclass(frozen=True, slots=True)
class _Seen:
    revision: int
    at: float


class Lease:
    """One candidate for the lead of one account."""

    def __init__(
        self, nc: Client, holder: str, ttl_s: float = 1.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._nc = nc
        self._clock = clock
        self.holder = holder
        self.ttl_s = ttl_s
        self._revision = 0
        self._held_until = 0.0
        self._seen: _Seen | None = None

    @property
    def held_until(self) -> float:
        """Until when this process may act as the holder, in its clock (0: it does not hold the lease)."""
        return self._held_until

    @property
    def held(self) -> bool:
        return self._clock() < self._held_until

    @property
    def revision(self) -> int:
        """The key's revision of the last acquisition or renewal: grows over all holders."""
        return self._revision

    async def current(self) -> LeaseValue | None:
        """Who holds the lease by the key; None when it is free. It may have lapsed: see `acquire`."""
        stored = await self._stored()
        return _value(stored)

    async def acquire(self) -> bool:
        """Try once; True when this process holds it now.

        A free key, or one that this holder's former process left, is taken at once; another's after it was
        seen unchanged for its validity, so call this several times within one. BusError when NATS fails.
        """
        stored = await self._stored()
        value = _value(stored)
        if stored and value and value.holder != self.holder and not self._lapsed(stored, value):
            return False
        return await self._write(stored.sequence if stored else 0)

    async def renew(self) -> bool:
        """Prolong; False when the lease is lost to another. BusError when unknown: `held` ends by itself."""
        if self._revision and await self._write(self._revision):
            return True
        self._held_until = 0.0
        return False

    async def release(self) -> None:
        """Give the lease up so that a watcher takes over at once; nothing happens when it is not ours."""
        revision, self._held_until, self._revision = self._revision, 0.0, 0
        if not revision:
            return
        try:
            headers = _RELEASED | {"Nats-Expected-Last-Subject-Sequence": str(revision)}
            await jetstream.publish(self._nc, subjects.LEASE_KEY, b"", headers)
        except BusError as error:
            logger.info("lease not released, it lapses by itself: %s", error)

    async def watch(self, changed: Callable[[LeaseValue | None], Awaitable[None]]) -> None:
        """Call with every new value as it is written, None at a release. A lapse is not told: keep trying."""

        async def received(message: Msg) -> None:
            await changed(_parse(message.data, dict(message.headers or {})))

        await self._nc.subscribe(subjects.LEASE_KEY, cb=received)
        await self._nc.flush()

    async def _stored(self) -> Stored | None:
        try:
            return await jetstream.last(self._nc, subjects.LEASE_STREAM, subjects.LEASE_KEY)
        except ApiError as error:
            if error.code != jetstream.STREAM_NOT_FOUND:
                raise
        await self._create_bucket()
        return None

    async def _create_bucket(self) -> None:
        config = assets.build_lease_config()
        try:
            await jetstream.api(self._nc, f"STREAM.CREATE.{subjects.LEASE_STREAM}", config)
        except ApiError as error:
            if error.code != jetstream.STREAM_EXISTS:
                raise

    def _lapsed(self, stored: Stored, value: LeaseValue) -> bool:
        now = self._clock()
        if self._seen is None or self._seen.revision != stored.sequence:
            self._seen = _Seen(stored.sequence, now)
        return now - self._seen.at >= value.ttl_s

    async def _write(self, expected: int) -> bool:
        started = self._clock()
        payload = msgspec.json.encode(LeaseValue(holder=self.holder, ttl_s=self.ttl_s))
        headers = {"Nats-Expected-Last-Subject-Sequence": str(expected)}
        try:
            self._revision = await jetstream.publish(
                self._nc, subjects.LEASE_KEY, payload, headers, timeout_s=self.ttl_s
            )
        except ApiError as error:
            if error.code not in jetstream.WRONG_LAST_SEQUENCE:
                raise
            return False
        self._held_until = started + self.ttl_s * _SELF_FENCE
        return True


def _value(stored: Stored | None) -> LeaseValue | None:
    return _parse(stored.payload, stored.headers) if stored else None


def _parse(payload: bytes, headers: dict[str, str]) -> LeaseValue | None:
    if headers.get("KV-Operation"):
        return None
    try:
        return msgspec.json.decode(payload, type=LeaseValue)
    except MALFORMED:
        logger.warning("unreadable lease ignored: %r", payload[:100])
        return None
