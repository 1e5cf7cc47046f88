"""A reader with nothing behind it, for the benchmark `ingest`: `python -m benchmarks._reader KIND URL SYMBOLS
COUNT` connects, subscribes to every market's trades, and prints the seconds from the first to the last."""

from __future__ import annotations

import asyncio
import sys
import time
from decimal import Decimal
from typing import Any

import msgspec
import uvloop


class Trade(msgspec.Struct):
    t: int
    p: Decimal
    q: Decimal
    T: int
    m: bool


_decode = msgspec.json.Decoder(Trade).decode


class Count:
    """Ends when all are there."""

    def __init__(self, wanted: int) -> None:
        self.left = wanted
        self.first = 0.0
        self.done = asyncio.Event()

    def add(self, number: int) -> None:
        self.first = self.first or time.perf_counter()
        self.left -= number
        if self.left <= 0:
            self.done.set()


async def by_aiohttp(url: str, symbols: list[str], count: Count) -> None:
    """One connection a market, each frame decoded into a struct."""
    import aiohttp

    async def read(session: aiohttp.ClientSession, symbol: str) -> None:
        async with session.ws_connect(url) as socket:
            await socket.send_json({"method": "SUBSCRIBE", "params": [f"{symbol.lower()}@trade"], "id": 1})
            await socket.receive()
            async for message in socket:
                _decode(message.data)
                count.add(1)

    async with aiohttp.ClientSession() as session:
        tasks = [asyncio.create_task(read(session, symbol)) for symbol in symbols]
        await count.done.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def by_picows(url: str, symbols: list[str], count: Count) -> None:
    """The same with the library that monitoring uses."""
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

    class Listener(WSListener):
        acknowledged = False

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if self.acknowledged:
                _decode(frame.get_payload_as_bytes())
                count.add(1)
            self.acknowledged = True

    transports = []
    for symbol in symbols:
        transport, _ = await ws_connect(Listener, url)
        request = {"method": "SUBSCRIBE", "params": [f"{symbol.lower()}@trade"], "id": 1}
        transport.send(WSMsgType.TEXT, msgspec.json.encode(request))
        transports.append(transport)
    await count.done.wait()
    for transport in transports:
        transport.disconnect()


async def by_ccxt(url: str, symbols: list[str], count: Count) -> None:
    """ccxt.pro's own loop; trades are counted by id, since it gives some twice."""
    from smarttrade.exchange.loading import load_exchange_class

    exchange: Any = load_exchange_class("binance")({"enableRateLimit": False, "newUpdates": True})
    exchange.urls["api"]["ws"]["spot"] = url
    exchange.set_markets([_market(exchange, symbol) for symbol in symbols])

    async def read(symbol: str) -> None:
        newest = 0
        while True:
            trades = await exchange.watch_trades(f"{symbol[:-4]}/USDT")
            ids = [int(trade["id"]) for trade in trades]
            count.add(sum(number > newest for number in ids))
            newest = max(newest, *ids)

    tasks = [asyncio.create_task(read(symbol)) for symbol in symbols]
    await count.done.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await exchange.close()


def _market(exchange: Any, symbol: str) -> Any:
    return exchange.safe_market_structure(
        {
            "id": symbol,
            "lowercaseId": symbol.lower(),
            "symbol": f"{symbol[:-4]}/USDT",
            "base": symbol[:-4],
            "quote": "USDT",
            "baseId": symbol[:-4],
            "quoteId": "USDT",
            "type": "spot",
            "spot": True,
            "active": True,
        }
    )


async def main(kind: str, url: str, symbols: list[str], wanted: int) -> None:
    count = Count(wanted)
    await {"aiohttp": by_aiohttp, "picows": by_picows, "ccxt": by_ccxt}[kind](url, symbols, count)
    print(time.perf_counter() - count.first, flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3].split(","), int(sys.argv[4])))
