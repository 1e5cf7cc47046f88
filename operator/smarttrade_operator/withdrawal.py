"""Tells the egress gateways which of the accounts' passwords are withdrawn: a ConfigMap that they read.

A password names the time at which it was issued, and ends with its period by itself. So all there is to say
is until when an account's are refused, which its status says, and only for as long as such a password
could be valid: the list cannot grow for ever. An account that is deleted stays in it until then.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from smarttrade.bus.accounts import LIFETIME_S
from smarttrade.bus.gateway import account_name
from smarttrade.identity import AccountIdentity
from smarttrade_operator.cache import Cache
from smarttrade_operator.kinds import CONFIG_MAP
from smarttrade_operator.kube import Kube, KubeError
from smarttrade_operator.rotation import read_revoked

FILE = "withdrawn.json"
# What a ConfigMap holds is ten times this.
MOST = 5_000
_EVERY_S = 5.0

Withdrawn = Mapping[str, int]
"""Account -> until when what was issued is refused, in seconds since the epoch."""


def merge(known: Withdrawn, present: Withdrawn, now_s: float) -> dict[str, int]:
    """What is to be in the list: what holds of those that exist, and what it had of others while it matters.

    `present` says 0 for nothing: one that was made anew has the period's password again, as it has in NATS.
    Where that is too much, the oldest of accounts that are gone are left out: nobody can be kept from
    withdrawing their own by somebody who makes and deletes accounts.
    """
    merged = {
        name: until for name, until in {**known, **present}.items() if until and until + LIFETIME_S > now_s
    }
    kept = sorted(merged, key=lambda name: (name not in present, -merged[name]))[:MOST]
    return {name: merged[name] for name in sorted(kept)}


@dataclass(slots=True)
class Withdrawals:
    """Keeps the ConfigMap `name`; without a name there are no gateways to tell."""

    kube: Kube
    cache: Cache
    installation: str
    namespace: str
    name: str
    wall: Callable[[], float]
    _written: dict[str, int] | None = None

    async def run(self) -> None:
        while True:
            if self.name:
                try:
                    await self.once()
                except KubeError as error:
                    _log.warning("withdrawn passwords were not told to the gateways", error=str(error))
            await asyncio.sleep(_EVERY_S)

    async def once(self) -> None:
        """Write the list if it is another one."""
        known = await self._read() if self._written is None else self._written
        wanted = merge(known, self._present(), self.wall())
        if wanted != known:
            data = {"data": {FILE: json.dumps(wanted)}}
            await self.kube.merge_patch(CONFIG_MAP, self.namespace, self.name, data)
            _log.info("withdrawn passwords told to the gateways", accounts=len(wanted))
        self._written = wanted

    def _present(self) -> dict[str, int]:
        found = {}
        for key in self.cache.accounts():
            account = self.cache.get(key).account
            if account is not None:
                found[account_name(AccountIdentity(self.installation, *key))] = read_revoked(account)
        return found

    async def _read(self) -> dict[str, int]:
        stored = await self.kube.get(CONFIG_MAP, self.namespace, self.name)
        text = (stored.get("data") or {}).get(FILE, "{}")
        try:
            return {str(name): int(until) for name, until in json.loads(text).items()}
        except (ValueError, AttributeError, TypeError):
            _log.warning("the list of withdrawn passwords was unreadable and is made anew", text=text[:80])
            return {}


_log = structlog.get_logger()
