"""An account's place in NATS: its accounts, its assets, its control value.

What has been done is remembered, so that a reconcile which changes nothing sends nothing; `forget` makes the
next one do it again. The platform's own credentials do not expire; its connection is made anew whenever NATS
has closed it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import structlog
from nats.errors import Error as NatsError

from smarttrade.bus.accounts import (
    ARCHIVE,
    PLATFORM,
    SYSTEM,
    AccountLimits,
    AccountPair,
    account_keys,
    build_accounts,
)
from smarttrade.bus.assets import Retention
from smarttrade.bus.changes import Changes
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
    retention: Retention = field(default_factory=Retention)
    _provisioner: Provisioner | None = None
    _reached: asyncio.Event = field(default_factory=asyncio.Event)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _provisioned: dict[Key, tuple[AccountLimits, int]] = field(default_factory=dict)
    _controls: dict[Key, AccountControl] = field(default_factory=dict)
    _written: set[Key] = field(default_factory=set)
    _changing: defaultdict[Key, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

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
        while True:
            await self._reached.wait()
            self._reached.clear()
            on_connected()

    def pair(
        self, identity: AccountIdentity, limits: AccountLimits, rotation: Rotation = NEVER
    ) -> AccountPair:
        """The accounts and credentials as they should be now; the credentials are equal all period long,
        unless they are renewed out of turn."""
        return build_accounts(self.keys, identity, self._here(limits), now=self.wall(), rotation=rotation)

    def _here(self, limits: AccountLimits) -> AccountLimits:
        """With the copies that these servers keep."""
        return replace(limits, copies=self.asset_replicas)

    @property
    def gateway_key(self) -> str:
        """From which the accounts' passwords for the egress gateways follow."""
        return build_gateway_key(self.keys.master)

    def open_mark(self, identity: AccountIdentity, mark: str) -> str:
        """What the account's mark of an exchange account stands for; never shown to anybody."""
        return open_mark(self.keys.master, identity.key, mark)

    async def provision(
        self, identity: AccountIdentity, limits: AccountLimits, rotation: Rotation = NEVER
    ) -> bool:
        """Bring the pair and the account's assets into NATS; False when that had been done already."""
        key, limits = _key(identity), self._here(limits)
        if self._provisioned.get(key) == (limits, rotation.revoked_s):
            return False
        # Signed anew: a server does not revive a deleted account for the very token that it knew it by.
        pair = self.pair(identity, limits, rotation)
        async with self._turn_of(key):
            sent = await self._required.push(pair)
            await self._required.ensure_assets(
                identity, self.asset_replicas, limits=limits, retention=self.retention
            )
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

    async def recall_control(self, identity: AccountIdentity) -> AccountControl | None:
        """What was written last, by this process or by one before it."""
        key = _key(identity)
        if key not in self._controls:
            async with self._turn():
                stored = await self._required.read_control(identity)
            if stored is not None:
                self._controls[key] = stored
        return self._controls.get(key)

    def control_of(self, key: Key) -> AccountControl | None:
        """What was written last."""
        return self._controls.get(key)

    @asynccontextmanager
    async def changes(self, identity: AccountIdentity) -> AsyncIterator[Changes]:
        """The changes of the account's object within its audit trail."""
        async with self._turn(), self._required.changes(identity) as changes:
            yield changes

    async def remove(self, identity: AccountIdentity, deleted_s: int, *, if_disabled: bool = False) -> bool:
        """Shut the accounts, bring the audit trail into the archive, and take them and what they stored away.

        May be repeated from wherever it was cut off. With `if_disabled` nothing is done, and False returned,
        unless the servers themselves say that the account was deleted at that time.
        """
        limits = AccountLimits(copies=self.asset_replicas)
        async with self._turn_of(_key(identity)):
            required = self._required
            if if_disabled and not await self._is_disabled(identity, deleted_s):
                return False
            await required.disable(identity, deleted_s, limits)
            await required.prepare_archive(self.retention, self.asset_replicas)
            await required.copy_trail(identity, deleted_s)
            await required.delete(identity)
        self.drop(_key(identity))
        return True

    async def _is_disabled(self, identity: AccountIdentity, deleted_s: int) -> bool:
        """Of what is left of the two nothing lives."""
        found = [await self._required.deletion_of(public) for public in self._publics(identity)]
        return set(filter(None, found)) == {(identity, deleted_s)}

    async def disabled_among(self, publics: Iterable[str]) -> list[tuple[AccountIdentity, int]]:
        """Those that were deleted and are still there, each once, with the time of their deletion."""
        async with self._turn():
            found = [await self._required.deletion_of(public) for public in sorted(publics)]
        return sorted({each for each in found if each}, key=lambda each: (each[1], each[0].key))

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
        own = {self.keys.account(name).public for name in (PLATFORM, SYSTEM, ARCHIVE)}
        known = own | self.publics(expected)
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

    @asynccontextmanager
    async def _turn_of(self, key: Key) -> AsyncIterator[None]:
        """A turn in which nobody else makes or takes away this account."""
        async with self._changing[key], self._turn():
            yield

    def publics(self, identities: Iterable[AccountIdentity]) -> frozenset[str]:
        """The public keys of all their accounts."""
        return frozenset(public for identity in identities for public in self._publics(identity))

    def _publics(self, identity: AccountIdentity) -> tuple[str, ...]:
        return tuple(key.public for key in account_keys(self.keys, identity))

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

        async def again() -> None:
            if provisioner.connected:
                self._reached.set()

        provisioner = Provisioner(
            self.url, self.keys, authority=self.authority, on_closed=_setter(closed), on_reconnect=again
        )
        try:
            await provisioner.connect()
            await provisioner.serve_reports(self.on_report)
            self._provisioner = provisioner
            self._reached.set()
            _log.info("connected to NATS", url=self.url)
            await self._prepare_archive(provisioner)
            await closed.wait()
        finally:
            self._provisioner = None
            await provisioner.close()

    async def _prepare_archive(self, provisioner: Provisioner) -> None:
        """So that a changed retention is that of what is kept already; a deletion prepares it again."""
        try:
            await provisioner.prepare_archive(self.retention, self.asset_replicas)
        except BusError as error:
            _log.warning("the archive of deleted accounts is not ready", error=str(error))


def _setter(event: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def set_it() -> None:
        event.set()

    return set_it


def _stamp(control: AccountControl) -> AccountControl:
    return msgspec.structs.replace(control, written_ms=int(time.time() * 1000))


def _key(identity: AccountIdentity) -> Key:
    return Key(identity.namespace, identity.name)


_log = structlog.get_logger()
