"""A websocket server that sends trades of many markets as fast as they are taken, or at a given rate.

Run as a process of its own: `python -m benchmarks._frames SYMBOLS [--quotes]`. It prints its port, sends to
whoever subscribed to `<symbol>@trade` (with `--quotes` a quote after every 20 trades as well), and obeys
lines on standard input: `COUNT RATE` sends COUNT trades of every market, RATE a second in all (0: as fast as
the readers take them), then prints `sent`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

_FIRST_ID = 2
_BURST = 40
_BUFFER = 1_000_000
_TRADES_A_QUOTE = 20


class Source:
    """Who listens to which market, and the next trade id of each."""

    def __init__(self, symbols: list[str], quotes: bool) -> None:
        self._quotes = quotes
        self.listeners: dict[str, WSTransport] = {}
        self.next_id = dict.fromkeys(symbols, _FIRST_ID)

    async def send(self, count: int, rate: float) -> None:
        while self.listeners.keys() < self.next_id.keys():  # noqa: ASYNC110 - readers connect by themselves
            await asyncio.sleep(0.01)
        started = time.perf_counter()
        for sent, symbol in enumerate(self._turns(count), start=1):
            self._send_one(symbol)
            if sent % _BURST == 0:
                ahead = sent / rate - (time.perf_counter() - started) if rate else 0.0
                await asyncio.sleep(max(0.0, ahead))
                await self._drain()

    def _turns(self, count: int) -> Iterator[str]:
        for _ in range(count):
            yield from self.next_id

    def _send_one(self, symbol: str) -> None:
        number = self.next_id[symbol]
        self.next_id[symbol] = number + 1
        now = int(time.time() * 1000)
        side = "true" if number % 2 else "false"
        price, quantity = f"{60_000 + number % 100}.{number % 90 + 10}", f"0.0{number % 9 + 1}230"
        frame = (
            f'{{"e":"trade","E":{now},"s":"{symbol}","t":{number},"p":"{price}","q":"{quantity}",'
            f'"T":{now},"m":{side},"M":true}}'
        )
        listener = self.listeners.get(symbol)
        if listener is None:
            return  # lost, as on a real exchange
        listener.send(WSMsgType.TEXT, frame.encode())
        if self._quotes and number % _TRADES_A_QUOTE == 0:
            quote = f'{{"u":{number},"s":"{symbol}","b":"59999.99","B":"9.0","a":"60000.01","A":"9.0"}}'
            listener.send(WSMsgType.TEXT, quote.encode())

    async def _drain(self) -> None:
        while any(  # noqa: ASYNC110 - the transport tells nobody
            each.underlying_transport.get_write_buffer_size() > _BUFFER
            for each in set(self.listeners.values())
        ):
            await asyncio.sleep(0.001)


class _Reader(WSListener):
    def __init__(self, source: Source) -> None:
        self._source = source

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        request = msgspec.json.decode(frame.get_payload_as_bytes())
        answer = msgspec.json.encode({"result": None, "id": request["id"]})
        transport.send(WSMsgType.TEXT, answer)
        for stream in request["params"]:
            symbol, _, kind = stream.partition("@")
            if kind == "trade":
                self._source.listeners[symbol.upper()] = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        mine = [symbol for symbol, each in self._source.listeners.items() if each is transport]
        for symbol in mine:
            del self._source.listeners[symbol]


async def main(symbols: list[str], quotes: bool) -> None:
    source = Source(symbols, quotes)
    server = await ws_create_server(lambda _: _Reader(source), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        count, rate = line.split()
        await source.send(int(count), float(rate))
        print("sent", flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1].split(","), "--quotes" in sys.argv))
