"""Which NATS servers carry an account: those that all share, or dedicated ones that its object names.

The keys are the installation's everywhere, so an account is the same pair on whichever servers it is brought
to. What bites: an account whose servers are not in the catalogue, or are another namespace's, must never fall
back to the shared ones: its log is elsewhere, and it would begin anew without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from smarttrade.errors import BusError
from smarttrade.messages import AccountControl
from smarttrade_operator.cache import Cache
from smarttrade_operator.kinds import Manifest
from smarttrade_operator.names import Key
from smarttrade_operator.provisioning import Provisioning
from smarttrade_operator.settings import SHARED, Settings


def bus_name(account: Manifest | None) -> str:
    """What the object names; empty for the shared servers."""
    return str(((account or {}).get("spec") or {}).get("bus") or "")


@dataclass(frozen=True, slots=True)
class Buses:
    """All servers of one installation, by name; those that all accounts may use are called `SHARED`."""

    settings: Settings
    cache: Cache
    by_name: Mapping[str, Provisioning]

    @property
    def shared(self) -> Provisioning:
        return self.by_name[SHARED]

    def of(self, key: Key) -> Provisioning:
        """Of the servers that the account's object names; BusError where it may not use such."""
        name = self.name_of(key)
        if self.settings.admits(key.namespace, name):
            return self.by_name[name or SHARED]
        raise BusError(f"namespace {key.namespace} has no dedicated NATS servers called {name}")

    def name_of(self, key: Key) -> str:
        return bus_name(self.cache.get(key).account)

    def accounts(self, name: str) -> list[Key]:
        """The accounts that these servers carry."""
        return [key for key in self.cache.accounts() if (self.name_of(key) or SHARED) == name]

    def control_of(self, key: Key) -> AccountControl | None:
        """What was written last."""
        told = (provisioning.control_of(key) for provisioning in self.by_name.values())
        return next((control for control in told if control is not None), None)

    def forget(self, key: Key) -> None:
        """Take nothing for granted about this account any more."""
        for provisioning in self.by_name.values():
            provisioning.forget(key)

    def drop(self, key: Key) -> None:
        """The account is gone."""
        for provisioning in self.by_name.values():
            provisioning.drop(key)

    def ask_for_kills(self, is_killed: Callable[[], bool]) -> None:
        for provisioning in self.by_name.values():
            provisioning.is_killed = is_killed

    async def reload_servers(self) -> None:
        """Let all servers read their certificate again."""
        await asyncio.gather(*(provisioning.reload_servers() for provisioning in self.by_name.values()))
