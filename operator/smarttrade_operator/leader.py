"""Which of the operator's replicas works: a `coordination.k8s.io` Lease.

The lease gives liveness, not safety: for a moment two operators may both write. That is harmless, since every
write is the same function of the same object; it would only be noisy. A holder is judged by how long its
record has not changed on the observer's own clock, so clocks of different machines are never compared.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from smarttrade.errors import SmartTradeError
from smarttrade_operator.kinds import LEASE, Manifest
from smarttrade_operator.kube import Conflict, Kube, KubeError, NotFound

LEASE_NAME = "smarttrade-operator"


class LeaseLost(SmartTradeError):  # noqa: N818
    """This process no longer leads and must stop."""


@dataclass(slots=True)
class Watcher:
    """How long the lease's record has been the same, on this process's clock."""

    duration_s: float
    _record: tuple[str, str] = ("", "")
    _since_s: float = 0.0

    def is_free(self, lease: Manifest | None, me: str, now_s: float) -> bool:
        """Whether `me` may take the lease now."""
        spec = (lease or {}).get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        record = (holder, str(spec.get("renewTime")))
        if record != self._record:
            self._record, self._since_s = record, now_s
        return holder in ("", me) or now_s - self._since_s > self.duration_s


def build_lease(
    namespace: str, holder: str, duration_s: float, previous: Manifest | None, now: datetime
) -> Manifest:
    """The lease as `holder` writes it, on top of the version that it has read."""
    before = (previous or {}).get("spec") or {}
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    changed = before.get("holderIdentity") != holder
    metadata = {"name": LEASE_NAME, "namespace": namespace}
    if previous:
        metadata["resourceVersion"] = previous["metadata"]["resourceVersion"]
    return {
        "apiVersion": LEASE.api_version,
        "kind": LEASE.kind,
        "metadata": metadata,
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, round(duration_s)),
            "renewTime": stamp,
            "acquireTime": stamp if changed else before.get("acquireTime", stamp),
            "leaseTransitions": before.get("leaseTransitions", 0) + (1 if changed and before else 0),
        },
    }


@dataclass(slots=True)
class Leadership:
    """Acquires, keeps and gives up the lease; a holder that cannot renew stops before others may start."""

    kube: Kube
    namespace: str
    me: str
    duration_s: float
    clock: Callable[[], float] = time.monotonic
    leading: bool = False
    _lease: Manifest | None = None
    _watcher: Watcher = field(init=False)

    def __post_init__(self) -> None:
        self._watcher = Watcher(self.duration_s)

    async def acquire(self) -> None:
        """Wait until this process leads."""
        while not await self._try():  # noqa: ASYNC110 - the event is another process's silence
            await asyncio.sleep(self.duration_s / 5)
        self.leading = True
        _log.info("leading", pod=self.me)

    async def keep(self) -> None:
        """Renew until it fails for two thirds of the lease's duration, then raise LeaseLost."""
        renewed_s = self.clock()
        while self.clock() - renewed_s < self.duration_s * 2 / 3:
            started_s = self.clock()
            if await self._try():
                renewed_s = started_s
            await asyncio.sleep(self.duration_s / 5)
        self.leading = False
        raise LeaseLost(f"the lease {LEASE_NAME} could not be renewed in time")

    async def release(self) -> None:
        """Let another replica take over at once."""
        if not self.leading or self._lease is None:
            return
        self.leading = False
        try:
            await self.kube.replace(build_lease(self.namespace, "", 1, self._lease, datetime.now(UTC)))
        except KubeError as error:
            _log.warning("lease not released", error=str(error))

    async def _try(self) -> bool:
        try:
            async with asyncio.timeout(self.duration_s / 3):
                return await self._take()
        except Conflict:
            return False
        except (KubeError, TimeoutError) as error:
            _log.warning("lease not reachable", error=str(error))
            return False

    async def _take(self) -> bool:
        try:
            found = await self.kube.get(LEASE, self.namespace, LEASE_NAME)
        except NotFound:
            lease = build_lease(self.namespace, self.me, self.duration_s, None, datetime.now(UTC))
            self._lease = await self.kube.create(lease)
            return True
        if not self._watcher.is_free(found, self.me, self.clock()):
            return False
        lease = build_lease(self.namespace, self.me, self.duration_s, found, datetime.now(UTC))
        self._lease = await self.kube.replace(lease)
        return True


_log = structlog.get_logger()
