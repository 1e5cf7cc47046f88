"""Replay of an account's log against a bare read of the same messages: what a new leader waits for."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from cluster import binaries
from smarttrade.bus import subjects
from smarttrade.bus.accounts import build_accounts
from smarttrade.bus.connection import connect
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.log import AccountLog
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.identity import AccountIdentity

RECORDS = 100_000
RECORD_BYTES = 300
ROUNDS = 3
WORST_RATIO = 2.5
_BATCH = 10_000


def run() -> list[dict[str, Any]]:
    ours, bare = asyncio.run(_measure())
    ratio = ours / bare
    return [
        {
            "metric": f"replay of {RECORDS} records of {RECORD_BYTES} bytes",
            "unit": "s",
            "ours": ours,
            "reference": bare,
            "reference_name": "nats-py, messages counted and dropped",
            "ratio": ratio,
            "target": f"ratio <= {WORST_RATIO}",
            "met": ratio <= WORST_RATIO,
        }
    ]


async def _measure() -> tuple[float, float]:
    keys, identity = OperatorKeys.generate(), AccountIdentity("bench", "bench", "bench")
    with tempfile.TemporaryDirectory() as folder:
        async with LocalServer(keys, Path(folder), binary=binaries.ensure("nats-server")) as server:
            provisioner = Provisioner(server.url, keys)
            await provisioner.connect()
            pair = build_accounts(keys, identity)
            await provisioner.push(pair)
            await provisioner.ensure_assets(identity)
            text = pair.credentials["execution"]
            nc = await connect(
                server.url, name="bench", role="execution", credentials=text, on_closed=_closed
            )
            await _fill(nc)
            times = [(await _replay(nc), await _read_bare(nc)) for _ in range(ROUNDS)]
            await nc.close()
            await provisioner.close()
    return min(ours for ours, _ in times), min(bare for _, bare in times)


async def _closed() -> None:
    raise RuntimeError("NATS closed the connection")


async def _fill(nc: Client) -> None:
    log, record = AccountLog(nc), b"r" * RECORD_BYTES
    stream = nc.jetstream(publish_async_max_pending=2000)
    for _ in range(RECORDS):
        await stream.publish_async(subjects.LOG, record)
    await stream.publish_async_completed()
    while await log.last_sequence() < RECORDS:  # noqa: ASYNC110 - the server does not tell
        await asyncio.sleep(0.2)


async def _replay(nc: Client) -> float:
    started, count = time.perf_counter(), 0
    async for _ in AccountLog(nc).read():
        count += 1
    if count != RECORDS:
        raise RuntimeError(f"{count} records were read, {RECORDS} written")
    return time.perf_counter() - started


async def _read_bare(nc: Client) -> float:
    started, following = time.perf_counter(), 1
    while following <= RECORDS:
        following += await _read_bare_batch(nc, following)
    return time.perf_counter() - started


async def _read_bare_batch(nc: Client, start: int) -> int:
    count, end = 0, asyncio.get_running_loop().create_future()

    async def received(message: Msg) -> None:
        nonlocal count
        if message.data:
            count += 1
        elif not end.done():
            end.set_result(None)

    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox, cb=received)
    body = json.dumps({"seq": start, "batch": _BATCH, "next_by_subj": subjects.LOG})
    await nc.publish(f"$JS.API.DIRECT.GET.{subjects.STREAM}", body.encode(), reply=inbox)
    await asyncio.wait_for(end, 60)
    await subscription.unsubscribe()
    return count
