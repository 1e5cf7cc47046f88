"""Another account's tunnel through the same gateway, over which words go to the exchange and come back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from tests.attacks.latency import ENOUGH, judge_latency
from tests.component.exchange.gateways import ISSUED, RunningGateway

USER = f"binance.Private.{ISSUED}.victim.victim"
PATIENCE_S, PAUSE_S = 30.0, 0.002


@asynccontextmanager
async def unharmed(gateway: RunningGateway, host: str) -> AsyncIterator[None]:
    """Its tunnel stays open, brings every word back and is as quick as before, whatever is done meanwhile."""
    opened = gateway.opened_by(USER)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"CONNECT {host} HTTP/1.1\r\nProxy-Authorization: {opened.authorization}\r\n\r\n".encode())
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n"), "the victim's own tunnel is opened"
    await reader.readuntil(b"hello")
    times_s: list[float] = []

    async def talk() -> None:
        for number in itertools.count():
            began, word = monotonic(), b"word %d\n" % number
            writer.write(word)
            assert await reader.readline() == word, "the victim's tunnel has ended, or its words are others"
            times_s.append(monotonic() - began)
            await asyncio.sleep(PAUSE_S)

    async def goes_on(until: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(times_s) < until and not talking.done():  # noqa: ASYNC110
                await asyncio.sleep(PAUSE_S)
        if talking.done():
            talking.result()

    talking = asyncio.create_task(talk())
    try:
        await goes_on(ENOUGH)
        before, began = times_s[-ENOUGH:], len(times_s)
        yield
        await goes_on(began + ENOUGH)
        judge_latency(before, times_s[began:])
    finally:
        talking.cancel()
        writer.close()
