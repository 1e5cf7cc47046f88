"""Keeps the whole log of the account, of which the stream itself drops what lies behind a snapshot.

The stream republishes what it has stored; whatever was missed while the server was away is read afterwards,
as often as it takes: a replica that lags answers with less than there is. A record that was compacted away in
between would be missing here, which is said and judged a failure of the run, not of execution.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import datetime
from typing import Any

from nats.aio.msg import Msg

from smarttrade.bus import assets, jetstream, jwt, subjects
from smarttrade.bus.accounts import AccountLimits, core_key
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.log import AccountLog
from smarttrade.errors import BusError
from smarttrade.execution.book import Book
from smarttrade.execution.records import DecisionAccepted, DecisionClosed, OrderIntended, decode_batch
from smarttrade.identity import AccountIdentity
from tests.chaos.evidence import Logged

_HEARD = "chaos.log"
_ROLE = "chaos"
_LIFETIME_S = 86_400
_REACHED_S, _AGAIN_S = 60.0, 0.1


class MissedError(Exception):
    """The log was compacted before it could be recorded: nothing can be said about this run."""


class Recorder:
    """`log` in its order, stamped by the server that stored it, and the book as a leader would fold it."""

    def __init__(self, log: list[Logged]) -> None:
        self.log = log
        self.intents: dict[str, OrderIntended] = {}
        self.book = Book()
        self.accepted: dict[str, DecisionAccepted] = {}
        self.closed: dict[str, DecisionClosed] = {}
        self.epochs = 0
        self.missed = ""
        self._last = 0
        self._lock = asyncio.Lock()
        self._nc: Connection | None = None
        self._log: AccountLog | None = None

    async def start(self, url: str, keys: OperatorKeys, identity: AccountIdentity, copies: int) -> None:
        """Turn republishing on and follow it."""
        credentials = _credentials(keys, identity)
        self._nc = await connect(url, name=_ROLE, role=_ROLE, credentials=credentials, on_closed=_closed)
        config = assets.build_stream_config(AccountLimits().log_bytes, copies)
        config["republish"] = {"src": subjects.LOG, "dest": _HEARD}
        await jetstream.api(self._nc, f"STREAM.UPDATE.{subjects.STREAM}", config, timeout_s=5.0)
        self._log = AccountLog(self._nc)
        await self._nc.subscribe(_HEARD, cb=self._received)
        self._nc.on_reconnect.append(self.catch_up)
        await self._nc.flush()

    async def close(self) -> None:
        if self._nc is not None:
            with contextlib.suppress(OSError):  # the server may be away
                await self._nc.close()

    async def catch_up(self) -> None:
        """Read what was not heard."""
        assert self._log is not None
        async with self._lock:
            with contextlib.suppress(BusError):
                async for sequence, payload, time_ms in self._log.read(self._last + 1):
                    self._add(sequence, Logged(decode_batch(payload), time_ms))

    async def stream_leader(self) -> str:
        """The name of the server that leads the account's stream; empty without a cluster."""
        assert self._nc is not None
        answer = await jetstream.api(self._nc, f"STREAM.INFO.{subjects.STREAM}")
        return str((answer.get("cluster") or {}).get("leader") or "")

    async def _received(self, message: Msg) -> None:
        headers: dict[str, Any] = message.headers or {}
        sequence, batch = int(headers["Nats-Sequence"]), decode_batch(message.data)
        stored = datetime.fromisoformat(headers["Nats-Time-Stamp"])
        if batch.after > self._last:
            await self._reach(batch.after)
        async with self._lock:
            self._add(sequence, Logged(batch, stored.timestamp() * 1000))

    async def _reach(self, sequence: int) -> None:
        """Read until the record with this sequence is here, or surely will not come."""
        until = time.monotonic() + _REACHED_S
        while self._last < sequence and time.monotonic() < until:
            await self.catch_up()
            if self._last < sequence:
                await asyncio.sleep(_AGAIN_S)

    def _add(self, sequence: int, logged: Logged) -> None:
        batch = logged.batch
        if sequence <= self._last:
            return
        if batch.after not in (-1, self._last):
            self.missed = self.missed or f"between {self._last} and {batch.after}"
        self._last = sequence
        self.log.append(logged)
        for record in batch.records:
            self.book.apply(record)
            if isinstance(record, DecisionAccepted):
                self.accepted[record.decision.id] = record
            elif isinstance(record, DecisionClosed):
                self.closed[record.id] = record
            elif isinstance(record, OrderIntended):
                self.intents[record.cid] = record
        self.epochs = max(self.epochs, batch.epoch)


async def _closed() -> None:
    raise BusError("the recorder's connection was closed for good")


def _credentials(keys: OperatorKeys, identity: AccountIdentity) -> str:
    core = core_key(keys, identity)
    published = [
        *(f"$JS.API.STREAM.{verb}.{subjects.STREAM}" for verb in ("UPDATE", "INFO", "MSG.GET")),
        f"$JS.API.DIRECT.GET.{subjects.STREAM}",
    ]
    claims = jwt.build_user_claims(core.public, published, [_HEARD, f"_INBOX.{_ROLE}.>"])
    user, signer = keys.user(_ROLE, identity.key), keys.account_signing("core", identity.key)
    issued = int(time.time()) - 60
    token = jwt.encode(signer, user.public, _ROLE, claims, issued, issued + _LIFETIME_S)
    return jwt.format_credentials(token, user.seed)
