"""Looks for NATS accounts that no TradingAccount stands for, as a crash or a stripped finalizer leaves them.

It only tells. What is absent here may be absent for another reason: a namespace that is not served, a restore
that is not done, another installation on the same servers. Absence alone deletes nothing; a person does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog
from prometheus_client import Gauge

from smarttrade.errors import BusError
from smarttrade.identity import AccountIdentity
from smarttrade_operator.cache import Cache
from smarttrade_operator.provisioning import Provisioning

unknown_accounts = Gauge(
    "smarttrade_operator_unknown_nats_accounts", "NATS accounts that no TradingAccount seen stands for."
)


@dataclass(slots=True)
class Sweep:
    """One for the whole process."""

    installation: str
    provisioning: Provisioning
    cache: Cache
    _told: frozenset[str] = field(default_factory=frozenset)

    async def run(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.once()
            except BusError as error:
                _log.warning("NATS accounts could not be listed", error=str(error))

    async def once(self) -> frozenset[str]:
        """The public keys of accounts that are unknown here; each is logged once."""
        expected = [AccountIdentity(self.installation, *key) for key in self.cache.accounts()]
        unknown = await self.provisioning.unknown_accounts(expected)
        unknown_accounts.set(len(unknown))
        for public in sorted(unknown - self._told):
            _log.warning("a NATS account belongs to no TradingAccount seen; it is left alone", account=public)
        self._told = unknown
        return unknown


_log = structlog.get_logger()
