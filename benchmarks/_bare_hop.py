"""One process of the bare path that `tick_to_order` compares with: nats-py and aiohttp, and nothing of ours.

`python -m benchmarks._bare_hop evaluation|execution URL CREDENTIALS HTTP_URL`: the first passes each market
message on as a decision; the second writes it to the stream, synced and compare-and-swapped, and then
posts it. Payloads are as large as the real ones.
"""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

MARKET, DECIDE, LOG = "market.bare.trade", "decide.bare", "log"
_DECISION, _INTENT, _ORDER = b"d" * 400, b"i" * 900, b"o" * 300


async def evaluation(nc: Client, url: str) -> None:
    async def heard(message: Msg) -> None:
        await nc.publish(DECIDE, _DECISION)

    await nc.subscribe(MARKET, cb=heard)


async def execution(nc: Client, url: str) -> None:
    session, last = aiohttp.ClientSession(), 0

    async def heard(message: Msg) -> None:
        nonlocal last
        headers = {"Nats-Expected-Last-Subject-Sequence": str(last)}
        last = (await nc.jetstream().publish(LOG, _INTENT, headers=headers)).seq
        async with session.post(url, data=_ORDER) as answer:
            await answer.read()

    await nc.subscribe(DECIDE, cb=heard)


async def _main(role: str, server: str, credentials: str, url: str) -> None:
    nc = Client()
    inbox = f"_INBOX.{role}"
    await nc.connect(servers=[server], user_credentials=credentials, inbox_prefix=inbox.encode())
    await {"evaluation": evaluation, "execution": execution}[role](nc, url)
    await nc.flush()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main(*sys.argv[1:5]))
