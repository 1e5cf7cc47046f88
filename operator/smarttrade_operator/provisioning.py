"""An account's place in NATS: its pair of accounts, its two assets, its control value.

What has been done is remembered, so that a reconcile which changes nothing sends nothing; `forget` makes the
next one do it again. The platform's own credentials do not expire; its connection is made anew whenever NATS
has closed it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog
from nats.errors import Error as NatsError

from smarttrade.bus.accounts import (
    PLATFORM,
    SYSTEM,
    AccountLimits,
    AccountPair,
    build_accounts,
    core_key,
    strategy_key,
)
from smarttrade.bus.gateway import build_gateway_key
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.marks import open_mark
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.rotation import NEVER, Rotation
from smarttrade.errors import BusError, ConfigurationError
from smarttrade.identity import AccountIdentity
from smarttrade.messages import AccountControl, Report
from smarttrade_operator.names import Key

_RETRY_S = 2.0
_FOLLOW_S = 0.5
_AT_ONCE = 16

OnReport = Callable[[str, str, Report], Awaitable[None]]


@dataclass(slots=True)
class Provisioning:
    """The operator's side of NATS, for all accounts. `run` keeps the connection; the rest uses it."""

    url: str
    keys: OperatorKeys
    asset_replicas: int
    on_report: OnReport
    wall: Callable[[], float] = time.time
    is_killed: Callable[[], bool] = lambda: False
    authority: Path | None = None
    _provisioner: Provisioner | None = None
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _provisioned: dict[Key, tuple[AccountLimits, int]] = field(default_factory=dict)
    _controls: dict[Key, AccountControl] = field(default_factory=dict)
    _written: set[Key] = field(default_factory=set)

    async def run(self) -> None:
        """Stay connected until cancelled. Being cut off is not fatal: the accounts trade on without us."""
        while True:
            try:
                await self._serve()
            except BusError as error:
                _log.warning("NATS is not reachable", error=str(error))
                await asyncio.sleep(_RETRY_S)

    async def follow(self, on_connected: Callable[[], None]) -> None:
        """Call whenever the servers are reached again: they may have lost everything meanwhile."""
        before = False
        while True:
            now = self.connected
            if now and not before:
                on_connected()
            before = now
            await asyncio.sleep(_FOLLOW_S)

    def pair(self, identity: AccountIdentity, replicas: int, rotation: Rotation = NEVER) -> AccountPair:
        """The accounts and credentials as they should be now; the credentials are equal all period long,
        unless they are renewed out of turn."""
        limits = AccountLimits(pods=replicas, copies=self.asset_replicas)
        return build_accounts(self.keys, identity, limits, now=self.wall(), rotation=rotation)

    @property
    def gateway_key(self) -> str:
        """From which the accounts' passwords for the egress gateways follow."""
        return build_gateway_key(self.keys.master)

    def open_mark(self, identity: AccountIdentity, mark: str) -> str:
        """What the account's mark of an exchange account stands for; never shown to anybody."""
        return open_mark(self.keys.master, identity.key, mark)

    async def provision(self, identity: AccountIdentity, replicas: int, rotation: Rotation = NEVER) -> bool:
        """Bring the pair and the account's assets into NATS; False when that had been done already."""
        key, limits = _key(identity), AccountLimits(pods=replicas, copies=self.asset_replicas)
        if self._provisioned.get(key) == (limits, rotation.revoked_s):
            return False
        # Signed anew: a server does not revive a deleted account for the very token that it knew it by.
        pair = self.pair(identity, replicas, rotation)
        async with self._turn():
            sent = await self._required.push(pair)
            await self._required.ensure_assets(identity, self.asset_replicas, limits=limits)
        self._provisioned[key] = limits, rotation.revoked_s
        if sent:
            _log.info("NATS accounts pushed", account=identity.key)
        return sent

    async def write_control(self, identity: AccountIdentity, control: AccountControl) -> bool:
        """Make `control` the account's last value, with the word of the platform's kill switch; False when it
        is already what was written last."""
        key, control = _key(identity), msgspec.structs.replace(control, kill=self.is_killed())
        stored = self._controls.get(key)
        known = stored is not None and msgspec.structs.replace(stored, written_ms=0) == control
        if known and key in self._written:
            return False
        # The very same bytes again, where nothing has changed: readers then see no new value.
        stamped = stored if known and stored else _stamp(control)
        async with self._turn():
            await self._required.write_control(identity, stamped)
        self._controls[key] = stamped
        self._written.add(key)
        return True

    def control_of(self, key: Key) -> AccountControl | None:
        """What was written last."""
        return self._controls.get(key)

    async def remove(self, identity: AccountIdentity) -> None:
        """Take both accounts and all they stored out of NATS."""
        async with self._turn():
            await self._required.delete(identity)
        self.drop(_key(identity))

    def read_authority(self) -> str:
        """The certificate that pods verify the servers by, as it is now; empty without TLS."""
        try:
            return self.authority.read_text() if self.authority else ""
        except OSError as error:
            raise ConfigurationError(f"cannot read the NATS servers' authority: {error}") from error

    async def reload_servers(self) -> None:
        """Let the servers read their certificate again."""
        async with self._turn():
            await self._required.reload()

    async def unknown_accounts(self, expected: Iterable[AccountIdentity]) -> frozenset[str]:
        """Public keys of what the servers have stored besides the expected accounts and our own."""
        own = {self.keys.account(name).public for name in (PLATFORM, SYSTEM)}
        known = own | {
            public
            for identity in expected
            for public in (core_key(self.keys, identity).public, strategy_key(self.keys, identity).public)
        }
        async with self._turn():
            return frozenset(await self._required.stored_accounts()) - known

    def forget(self, key: Key) -> None:
        """Take nothing for granted about this account any more."""
        self._provisioned.pop(key, None)
        self._written.discard(key)

    def drop(self, key: Key) -> None:
        """The account is gone."""
        self.forget(key)
        self._controls.pop(key, None)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One of a bounded number of conversations with NATS; every failure of it is a BusError."""
        async with self._slots:
            try:
                yield
            except NatsError as error:
                raise BusError(f"NATS at {self.url}: {error or type(error).__name__}") from error

    @property
    def connected(self) -> bool:
        return self._provisioner is not None and self._provisioner.connected

    @property
    def _required(self) -> Provisioner:
        if self._provisioner is None or not self._provisioner.connected:
            raise BusError(f"not connected to NATS at {self.url}: is it running, and is the URL right?")
        return self._provisioner

    async def _serve(self) -> None:
        """One connection, until it closes."""
        closed = asyncio.Event()
        provisioner = Provisioner(self.url, self.keys, authority=self.authority, on_closed=_setter(closed))
        try:
            await provisioner.connect()
            await provisioner.serve_reports(self.on_report)
            self._provisioner = provisioner
            _log.info("connected to NATS", url=self.url)
            await closed.wait()
        finally:
            self._provisioner = None
            await provisioner.close()


def _setter(event: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def set_it() -> None:
        event.set()

    return set_it


def _stamp(control: AccountControl) -> AccountControl:
    return msgspec.structs.replace(control, written_ms=int(time.time() * 1000))


def _key(identity: AccountIdentity) -> Key:
    return Key(identity.namespace, identity.name)


_log = structlog.get_logger()
