"""Bring accounts into the servers, give them their stream and lease, write control, and take them out again.

What bites: a push is answered by every server of a cluster for itself, and a 200 does not mean that JetStream
was granted, so `ensure_assets` is the probe; deleting an account leaves its streams on disk unless JetStream
was purged before; a server whose resolver directory is gone goes on serving the accounts it has in memory.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nats.aio.client import ServerVersion
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from smarttrade import messages
from smarttrade.bus import accounts, archive, assets, jetstream, jwt, subjects
from smarttrade.bus.accounts import AccountLimits, AccountPair
from smarttrade.bus.assets import Retention
from smarttrade.bus.changes import Changes
from smarttrade.bus.connection import Callback, Connection, connect
from smarttrade.bus.control import ControlReader
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.trail import Trail
from smarttrade.errors import BusError
from smarttrade.identity import AccountIdentity
from smarttrade.rates import Buckets

logger = logging.getLogger(__name__)

OLDEST_SERVER = (2, 14)
_COUNT_EVERY_S = 1.0
# Of one kind of container of an account: it reports every five seconds, and at once when something changes.
_REPORTS_PER_S = 20.0
_REPORTS = 100.0

ReportCallback = Callable[[str, str, messages.Report], Awaitable[None]]
"""Called with the account's token, the role and the report."""


async def _ignore() -> None:
    return None


class Provisioner:
    """The operator's side of NATS. One instance a process; safe for concurrent use after `connect`."""

    def __init__(
        self,
        url: str,
        keys: OperatorKeys,
        *,
        authority: Path | None = None,
        on_closed: Callback = _ignore,
        on_reconnect: Callback = _ignore,
        timeout_s: float = 3.0,
    ) -> None:
        self._url = url
        self._keys = keys
        self._authority = authority
        self._on_closed = on_closed
        self._on_reconnect = on_reconnect
        self._timeout_s = timeout_s
        self._system: Connection | None = None
        self._platform: Connection | None = None
        self._archive: Connection | None = None
        self._servers, self._counted_at = 1, -_COUNT_EVERY_S

    async def connect(self) -> None:
        self._system = await self._connect_as(accounts.SYSTEM)
        _refuse_old(self._system.connected_server_version)
        self._platform = await self._connect_as(accounts.PLATFORM)
        for connection in (self._system, self._platform):
            connection.on_reconnect.append(self._on_reconnect)

    async def close(self) -> None:
        for connection in (self._system, self._platform, self._archive):
            if connection:
                await connection.close()
        self._system = self._platform = self._archive = None

    @property
    def connected(self) -> bool:
        """Both connections are up at this moment."""
        return bool(
            self._system and self._system.is_connected and self._platform and self._platform.is_connected
        )

    async def push(self, pair: AccountPair) -> bool:
        """Make every server hold the accounts as they are in `pair`; False when nothing had to be sent."""
        return await self._push(pair.jwts)

    async def prepare_archive(self, retention: Retention, replicas: int = 1) -> None:
        """Make the place for the logs of deleted accounts, or adapt it."""
        public, token = accounts.build_archive_account(self._keys, retention.max_bytes, replicas)
        await self._push({public: token})
        if self._archive is None or self._archive.is_closed:
            self._archive = await self._connect_as(accounts.ARCHIVE, _ignore)
        await _ensure_stream(self._archive, assets.build_archive_config(retention, replicas))

    async def deletion_of(self, public: str) -> tuple[AccountIdentity, int] | None:
        """Whose account it is and when they were deleted, if it is disabled."""
        token = await self.lookup(public)
        return accounts.read_deletion(self._keys, token) if token else None

    async def disable(
        self, identity: AccountIdentity, deleted_s: int, limits: AccountLimits | None = None
    ) -> None:
        """Refuse all users of an account, whose connections drop; what it has stored stays. Idempotent."""
        disabled = accounts.build_disabled(self._keys, identity, limits or AccountLimits(), deleted_s)
        known = [public for public in disabled if await self.lookup(public)]
        await self._push({public: disabled[public] for public in known})

    async def copy_trail(self, identity: AccountIdentity, deleted_s: int) -> None:
        """Bring the audit trail of a disabled account into the archive, as far as it is not there yet."""
        if self._archive is None:
            raise BusError("Provisioner.prepare_archive has not been called")
        if await self.lookup(accounts.core_key(self._keys, identity).public) is None:
            return
        async with self._inside(accounts.archivist_credentials(self._keys, identity)) as nc:
            try:
                await jetstream.api(nc, f"STREAM.INFO.{subjects.STREAM}", timeout_s=5.0)
            except jetstream.ApiError as error:
                if error.code == jetstream.STREAM_NOT_FOUND:
                    return
                raise
            subject = subjects.archived(identity.token, deleted_s)
            await archive.copy_trail(Trail(nc), self._archive, subject)

    async def _push(self, jwts: dict[str, str]) -> bool:
        stored = await asyncio.gather(*(self.lookup(public) for public in jwts))
        stale = [token for token, known in zip(jwts.values(), stored, strict=True) if not _same(known, token)]
        for token in stale:
            await self._claims("UPDATE", token)
        return bool(stale)

    async def lookup(self, public: str) -> str | None:
        """The JWT that the servers have stored for an account; None when they have none."""
        subject = f"$SYS.REQ.ACCOUNT.{public}.CLAIMS.LOOKUP"
        message = await jetstream.request(self._required, subject, timeout_s=self._timeout_s)
        return message.data.decode() or None

    async def reload(self) -> None:
        """Let every server read its configuration and its certificate again; no connection ends."""
        for answer in await self._gather("$SYS.REQ.SERVER.PING", b""):
            subject = f"$SYS.REQ.SERVER.{answer['server']['id']}.RELOAD"
            reply = await jetstream.request(self._required, subject, timeout_s=self._timeout_s)
            refusal = json.loads(reply.data).get("error")
            if refusal:
                raise BusError(f"NATS server {answer['server']['name']} does not reload: {refusal}")

    async def stored_accounts(self) -> set[str]:
        """The public keys of all accounts that the servers have stored."""
        answers = await self._gather("$SYS.REQ.CLAIMS.LIST", b"")
        return {public for answer in answers for public in answer.get("data") or []}

    async def delete(self, identity: AccountIdentity) -> None:
        """Remove the accounts with all they stored; their connections drop. Idempotent."""
        core, trail = (key(self._keys, identity).public for key in (accounts.core_key, accounts.trail_key))
        publics = [key.public for key in accounts.account_keys(self._keys, identity)]
        present = [public for public in publics if await self.lookup(public)]
        for public in {core, trail}.intersection(present):
            await self._purge_jetstream(public)
        if present:
            issued = int(time.time())
            claims = jwt.build_delete_claims(present)
            signing = self._keys.signing
            await self._claims("DELETE", jwt.encode(signing, signing.public, "delete", claims, issued))

    async def ensure_assets(
        self,
        identity: AccountIdentity,
        replicas: int = 1,
        *,
        limits: AccountLimits | None = None,
        retention: Retention | None = None,
    ) -> None:
        """Create or adapt the account's log, lease bucket and trail (`replicas` is NATS's); probes
        JetStream."""
        limits = limits or AccountLimits()
        trail = assets.build_trail_config(limits.trail_bytes, retention or Retention(), replicas)
        async with self._inside(accounts.operator_credentials(self._keys, identity)) as nc:
            await _ensure_stream(nc, assets.build_stream_config(limits.log_bytes, replicas))
            await _ensure_stream(nc, assets.build_lease_config(replicas))
        async with self._inside(accounts.trail_credentials(self._keys, identity)) as nc:
            await _ensure_stream(nc, trail)

    @asynccontextmanager
    async def changes(self, identity: AccountIdentity) -> AsyncIterator[Changes]:
        """The changes of the account's object within its audit trail, to read the newest and to write.

        BusError at once where the account is not there or is shut: dialling would take all the time there is.
        """
        token = await self.lookup(accounts.trail_key(self._keys, identity).public)
        if token is None or accounts.read_deletion(self._keys, token):
            raise BusError(f"{identity.key} has no NATS account for a trail, or it is shut")
        async with self._inside(accounts.trail_credentials(self._keys, identity)) as nc:
            yield Changes(nc)

    async def write_control(self, identity: AccountIdentity, control: messages.AccountControl) -> None:
        """Replace the account's control value; returns when it is stored."""
        async with self._inside(accounts.operator_credentials(self._keys, identity)) as nc:
            await jetstream.publish(nc, subjects.CONTROL, messages.encode(control), {"Nats-Rollup": "sub"})

    async def read_control(self, identity: AccountIdentity) -> messages.AccountControl | None:
        """The account's control value; None if there is none, or none that this version reads."""
        async with self._inside(accounts.operator_credentials(self._keys, identity)) as nc:
            try:
                return await ControlReader(nc).current()
            except messages.UnknownVersionError as error:
                logger.warning("the control value of %s is not read: %s", identity.key, error)
                return None

    async def serve_reports(self, callback: ReportCallback) -> None:
        """Hand every account's reports to the callback until `close`; malformed ones are logged.

        No report is answered: its sender chooses where an answer goes, its account's control value included.
        What one sends beyond its rate is dropped unread, and counted now and then: it is told by the next.
        """
        if self._platform is None:
            raise BusError("Provisioner.connect has not been called")

        rates: Buckets[tuple[str, str]] = Buckets(_REPORTS_PER_S, _REPORTS)
        dropped: Counter[tuple[str, str]] = Counter()

        async def received(message: Msg) -> None:
            _, token, role = message.subject.split(".")
            if not rates.of((token, role), time.monotonic()).take(time.monotonic()):
                dropped[token, role] += 1
                return
            if many := dropped.pop((token, role), 0):
                logger.warning(
                    "%d reports of %s/%s dropped: more than %s a second", many, token, role, _REPORTS_PER_S
                )
            try:
                report: messages.Report = messages.decode(message.data, messages.Report)
                await callback(token, role, report)
            except BusError as error:
                logger.warning("report of %s/%s dropped: %s", token, role, error)

        try:
            await self._platform.subscribe(subjects.platform_report("*", "*"), cb=received)
            await self._platform.flush()
        except NatsError as error:
            raise BusError(f"cannot listen to reports: {error or type(error).__name__}") from error

    @asynccontextmanager
    async def _inside(self, credentials: str) -> AsyncIterator[Connection]:
        nc = await connect(
            self._url,
            name="operator",
            role="operator",
            credentials=credentials,
            on_closed=_ignore,
            authority=self._authority,
            timeout_s=self._timeout_s,
        )
        try:
            yield nc
        finally:
            await nc.close()

    async def _connect_as(self, account: str, on_closed: Callback | None = None) -> Connection:
        credentials = accounts.platform_credentials(self._keys, account)
        return await connect(
            self._url,
            name=f"operator-{account}",
            role="operator",
            credentials=credentials,
            on_closed=on_closed or self._on_closed,
            authority=self._authority,
        )

    @property
    def _required(self) -> Connection:
        if self._system is None:
            raise BusError("Provisioner.connect has not been called")
        return self._system

    async def _purge_jetstream(self, public: str) -> None:
        answer = await jetstream.request(
            self._required, f"$JS.API.ACCOUNT.PURGE.{public}", timeout_s=self._timeout_s
        )
        jetstream.read_answer(answer)

    async def _claims(self, verb: str, token: str) -> None:
        answers = await self._gather(f"$SYS.REQ.CLAIMS.{verb}", token.encode())
        refused = [
            answer for answer in answers if answer.get("error") or answer.get("data", {}).get("code") != 200
        ]
        if refused:
            raise BusError(f"a NATS server refuses the account ({verb.lower()}): {json.dumps(refused[0])}")

    async def _gather(self, subject: str, payload: bytes) -> list[dict[str, Any]]:
        """One answer of every server that is up; BusError when one of them does not answer."""
        system = self._required
        expected = await self._count_servers()
        if expected == 1:
            answer = await jetstream.request(system, subject, payload, timeout_s=self._timeout_s)
            return [json.loads(answer.data)]
        inbox = system.new_inbox()
        answers: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(self._timeout_s), _listening(system, inbox) as subscription:
                await system.publish(subject, payload, reply=inbox)
                while len(answers) < expected:
                    answers.append(json.loads((await subscription.next_msg(timeout=self._timeout_s)).data))
        except (NatsError, OSError) as error:
            said = error or type(error).__name__
            raise BusError(f"{len(answers)} of {expected} NATS servers answered {subject}: {said}") from error
        return answers

    async def _count_servers(self) -> int:
        """How many there are, asked now and then: an account that is pushed asks several times over."""
        now = time.monotonic()
        if now - self._counted_at > _COUNT_EVERY_S:
            answer = await jetstream.request(
                self._required, "$SYS.REQ.SERVER.PING", timeout_s=self._timeout_s
            )
            self._servers = max(1, json.loads(answer.data)["statsz"].get("active_servers", 1))
            self._counted_at = now
        return self._servers


@asynccontextmanager
async def _listening(nc: Connection, subject: str) -> AsyncIterator[Subscription]:
    subscription = await nc.subscribe(subject)
    try:
        yield subscription
    finally:
        await subscription.unsubscribe()


def _refuse_old(version: ServerVersion) -> None:
    """An older server lets a tenant purge another's streams."""
    if (version.major, version.minor) < OLDEST_SERVER:
        oldest = ".".join(str(part) for part in OLDEST_SERVER)
        found = f"{version.major}.{version.minor}.{version.patch}"
        raise BusError(f"nats-server {found} cannot keep accounts apart: use {oldest} or newer")


def _same(stored: str | None, wanted: str) -> bool:
    if stored is None:
        return False
    first, second = (jwt.decode(token) for token in (stored, wanted))
    tags = [claims["nats"].get("tags") or [""] for claims in (first, second)]
    return bool(first["iss"] == second["iss"] and tags[0][0] == tags[1][0])


async def _ensure_stream(nc: Connection, config: dict[str, Any]) -> None:
    try:
        await jetstream.api(nc, f"STREAM.CREATE.{config['name']}", config, timeout_s=5.0)
    except jetstream.ApiError as error:
        if error.code != jetstream.STREAM_EXISTS:
            raise
        await _update_stream(nc, config)


async def _update_stream(nc: Connection, wanted: dict[str, Any]) -> None:
    """Where it differs; what it began with stays."""
    name = wanted["name"]
    found = (await jetstream.api(nc, f"STREAM.INFO.{name}", {}, timeout_s=5.0))["config"]
    config = wanted | {"first_seq": found.get("first_seq", 0)}
    if any(found.get(field, 0) != value for field, value in config.items()):
        await jetstream.api(nc, f"STREAM.UPDATE.{name}", config, timeout_s=5.0)
