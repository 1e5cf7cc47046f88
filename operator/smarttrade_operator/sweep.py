"""Looks for NATS accounts that no TradingAccount stands for, as a crash or a stripped finalizer leaves them.

Of most it only tells. What is absent here may be absent for another reason: a namespace that is not served, a
restore that is not done, another installation on the same servers. Absence alone deletes nothing; a person
does. An account whose deletion had begun says so itself, by the token that the servers hold: that deletion is
brought to its end, a few at a time, so that a mistake does not take all of them before anybody has looked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from prometheus_client import Gauge

from smarttrade.errors import BusError
from smarttrade.identity import AccountIdentity
from smarttrade_operator.names import Key
from smarttrade_operator.provisioning import Provisioning

# What one sweep finishes at most: so many, or this share of all accounts.
AT_ONCE = 3
SHARE_PERCENT = 5

unknown_accounts = Gauge(
    "smarttrade_operator_unknown_nats_accounts",
    "NATS accounts that no TradingAccount seen stands for.",
    ["bus"],
)


@dataclass(slots=True)
class Sweep:
    """One for each set of NATS servers; `accounts` are those that these carry."""

    installation: str
    provisioning: Provisioning
    accounts: Callable[[], list[Key]]
    bus: str
    _told: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        self._count(0)

    def _count(self, unknown: int) -> None:
        unknown_accounts.labels(self.bus).set(unknown)

    async def run(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.once()
            except BusError as error:
                _log.warning("NATS accounts could not be listed", error=str(error))

    async def once(self) -> frozenset[str]:
        """The public keys of accounts that are unknown here; each is logged once."""
        expected = [AccountIdentity(self.installation, *key) for key in self.accounts()]
        unknown = await self.provisioning.unknown_accounts(expected)
        unknown -= await self._finish(unknown)
        self._count(len(unknown))
        for public in sorted(unknown - self._told):
            _log.warning("a NATS account belongs to no TradingAccount seen; it is left alone", account=public)
        self._told = unknown
        return unknown

    async def _finish(self, unknown: frozenset[str]) -> frozenset[str]:
        """Bring deletions to their end that were cut off; the public keys of what is or will be deleted."""
        left = await self.provisioning.disabled_among(unknown)
        left = [each for each in left if each[0].installation == self.installation]
        most = max(AT_ONCE, len(self.accounts()) * SHARE_PERCENT // 100)
        if len(left) > most:
            _log.warning("many deletions were cut off", left=len(left), finished_now=most)
        for identity, deleted_s in left[:most]:
            if Key(identity.namespace, identity.name) in self.accounts():
                continue  # it has been made anew meanwhile
            try:
                done = await self.provisioning.remove(identity, deleted_s, if_disabled=True)
            except BusError as error:
                _log.warning("a deletion could not be finished", account=identity.key, error=str(error))
            else:
                _log.info("a deletion that was cut off is finished", account=identity.key, done=done)
        return self.provisioning.publics(identity for identity, _ in left)


_log = structlog.get_logger()
