"""A thousand accounts brought into NATS and taken out again, as the operator does it, beside the bare calls.

Ours is `Provisioner`: it derives the keys, signs, looks at what the servers hold, pushes, waits for every
server, makes log, lease bucket and trail, and at the end disables, looks for a trail to keep, purges and
deletes. The reference makes the same requests with tokens that were signed beforehand and looks at nothing.
As many at once as the operator has at work.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop
from nats.aio.client import Client

from benchmarks._account import load_note
from cluster import binaries
from smarttrade.bus import accounts, assets, jwt, subjects
from smarttrade.bus.accounts import AccountLimits, AccountPair, build_accounts, build_disabled
from smarttrade.bus.connection import connect
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.identity import AccountIdentity

ACCOUNTS = 1_000
AT_ONCE = 16
WORST = 2.0
# The sum of what they may store is what a server counts, so it is kept small.
LIMITS = AccountLimits(log_bytes=16 * 1024 * 1024)
DELETED_S = 1_800_000_000

Work = Callable[[AccountIdentity], Awaitable[None]]


def run() -> list[dict[str, Any]]:
    ours, bare = uvloop.run(_measure())
    return [_row(what, ours[what], bare[what]) for what in ("provision", "delete")]


def _row(what: str, ours: float, reference: float) -> dict[str, Any]:
    return {
        "metric": f"{what} {ACCOUNTS:,} accounts, {AT_ONCE} at once ({load_note()})",
        "unit": "s",
        "ours": ours,
        "reference": reference,
        "reference_name": "the same requests, bare",
        "ratio": ours / reference,
        "target": f"<= {WORST:g}x",
        "met": ours <= WORST * reference,
    }


async def _measure() -> tuple[dict[str, float], dict[str, float]]:
    """Each on a server of its own, which has never seen an account."""
    keys = OperatorKeys.generate()
    binary = binaries.ensure("nats-server")
    with tempfile.TemporaryDirectory() as folder:
        async with LocalServer(keys, Path(folder) / "ours", binary=binary) as server:
            ours = await _measure_ours(server, keys)
        async with LocalServer(keys, Path(folder) / "bare", binary=binary) as server:
            bare = await _measure_bare(server, keys)
    return ours, bare


async def _measure_ours(server: LocalServer, keys: OperatorKeys) -> dict[str, float]:
    provisioner = Provisioner(server.url, keys, timeout_s=30)
    await provisioner.connect()

    async def provision(identity: AccountIdentity) -> None:
        await provisioner.push(build_accounts(keys, identity, LIMITS))
        await provisioner.ensure_assets(identity, limits=LIMITS)

    async def delete(identity: AccountIdentity) -> None:
        await provisioner.disable(identity, DELETED_S, LIMITS)
        await provisioner.copy_trail(identity, DELETED_S)
        await provisioner.delete(identity)

    await provisioner.prepare_archive(assets.Retention())
    try:
        return {"provision": await _time(provision), "delete": await _time(delete)}
    finally:
        await provisioner.close()


async def _measure_bare(server: LocalServer, keys: OperatorKeys) -> dict[str, float]:
    bare = _Bare(server.url, keys)
    await bare.connect()
    try:
        return {"provision": await _time(bare.provision), "delete": await _time(bare.delete)}
    finally:
        await bare.system.close()


class _Bare:
    """The requests alone. All that can be made beforehand is."""

    def __init__(self, url: str, keys: OperatorKeys) -> None:
        self._url, self._keys = url, keys
        self._pairs: dict[AccountIdentity, AccountPair] = {
            identity: build_accounts(keys, identity, LIMITS) for identity in _identities()
        }
        self._disabled = {
            identity: build_disabled(keys, identity, LIMITS, DELETED_S) for identity in _identities()
        }

    async def connect(self) -> None:
        self.system = await self._enter(accounts.platform_credentials(self._keys, accounts.SYSTEM))

    async def provision(self, identity: AccountIdentity) -> None:
        for token in self._pairs[identity].jwts.values():
            await self.system.request("$SYS.REQ.CLAIMS.UPDATE", token.encode(), timeout=30)
        nc = await self._enter(accounts.operator_credentials(self._keys, identity))
        for config in (assets.build_stream_config(LIMITS.log_bytes), assets.build_lease_config()):
            subject = f"$JS.API.STREAM.CREATE.{config['name']}"
            answer = await nc.request(subject, json.dumps(config).encode(), timeout=30)
            assert b'"created"' in answer.data, answer.data
        await nc.close()
        nc = await self._enter(accounts.trail_credentials(self._keys, identity))
        config = assets.build_trail_config(LIMITS.trail_bytes, assets.Retention())
        subject = f"$JS.API.STREAM.CREATE.{config['name']}"
        answer = await nc.request(subject, json.dumps(config).encode(), timeout=30)
        assert b'"created"' in answer.data, answer.data
        await nc.close()

    async def delete(self, identity: AccountIdentity) -> None:
        pair = self._pairs[identity]
        for token in self._disabled[identity].values():
            await self.system.request("$SYS.REQ.CLAIMS.UPDATE", token.encode(), timeout=30)
        nc = await self._enter(accounts.archivist_credentials(self._keys, identity))
        await nc.request(f"$JS.API.STREAM.INFO.{subjects.STREAM}", timeout=30)
        for question in ({"last_by_subj": subjects.LOG}, {"seq": 1, "next_by_subj": subjects.LOG}):
            await nc.request(subjects.TRAIL_READ, json.dumps(question).encode(), timeout=30)
        body = {"seq": 1, "batch": 1000, "next_by_subj": subjects.LOG}
        await nc.request(f"$JS.API.DIRECT.GET.{subjects.STREAM}", json.dumps(body).encode(), timeout=30)
        await nc.close()
        for public in (pair.core_public, pair.trail_public):
            await self.system.request(f"$JS.API.ACCOUNT.PURGE.{public}", timeout=30)
        signing = self._keys.signing
        claims = jwt.build_delete_claims(list(pair.jwts))
        token = jwt.encode(signing, signing.public, "delete", claims, int(time.time()))
        await self.system.request("$SYS.REQ.CLAIMS.DELETE", token.encode(), timeout=30)

    async def _enter(self, credentials: str) -> Client:
        async def closed() -> None:
            return None

        return await connect(
            self._url, name="bare", role="operator", credentials=credentials, on_closed=closed, timeout_s=30
        )


def _identities() -> list[AccountIdentity]:
    return [AccountIdentity("benchmark", f"user-{n}", f"user-{n}") for n in range(ACCOUNTS)]


async def _time(work: Work) -> float:
    """Seconds for all accounts."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(identity: AccountIdentity) -> None:
        async with slots:
            await work(identity)

    started = time.perf_counter()
    await asyncio.gather(*(one(identity) for identity in _identities()))
    return time.perf_counter() - started
