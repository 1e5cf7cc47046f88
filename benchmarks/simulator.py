"""Frames a second that one core of the simulated exchange sends, and how late they arrive.

A thousand websocket subscribers each follow one of ten markets at 100 trades a second, so 100,000 frames a
second leave the exchange while 1,000 are encoded. The exchange runs in a process of its own on one core and
makes the trades itself; another process reads all sockets with epoll and does nothing but count frames and
compare some of their event times with the clock. The reference is as bare as a server can be: the same event
loop writes the same bytes to a thousand plain sockets in the same rhythm, with no exchange behind it.
Both run one after the other, several times, and the medians are reported. CPU time is the process's own; lag
includes what the readers' process waits for the machine's other work.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, cast

SUBSCRIBERS = 1_000
MARKETS = 10
RATE = 100
WARM_UP_S, SECONDS = 2.0, 8.0
ROUNDS = 3
TARGET = MARKETS * RATE * (SUBSCRIBERS // MARKETS)
ENOUGH = 0.99  # of the frames that are due: a round ends in the middle of one
_SAMPLED = 64  # one in so many reads has its frames' lag taken


def symbols() -> tuple[str, ...]:
    return tuple(f"S{number}/USDT" for number in range(MARKETS))


# --- senders ----------------------------------------------------------------------------------------


async def serve_exchange() -> None:
    """The simulated exchange with markets that trade in turn, RATE times a second each."""
    from smarttrade.simulator.testing import Simulator, manual_config

    async with Simulator(manual_config(symbols=symbols())) as exchange:
        for symbol in symbols():
            exchange.set_price(symbol, "100")
        subscriptions = exchange.streams.subscriptions
        tell({"port": int(exchange.ws_url.rpartition(":")[2])})
        await until_told(lambda: len(exchange.streams.connections) == SUBSCRIBERS)
        encoded, sent = subscriptions.frames_encoded, subscriptions.frames_sent
        usage = await drive(lambda market: exchange.trade(symbols()[market], "100", "1"))
        encoded, sent = subscriptions.frames_encoded - encoded, subscriptions.frames_sent - sent
        tell({**usage, "encoded": encoded, "sent": sent})
        await asyncio.to_thread(sys.stdin.readline)


class _Plain(asyncio.Protocol):
    """A socket that only takes what is written to it."""

    def __init__(self, audience: list[asyncio.Transport]) -> None:
        self._audience = audience

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain = cast(asyncio.Transport, transport)
        self._audience.append(plain)
        plain.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")


async def serve_bare() -> None:
    """The same frames in the same rhythm from a server that knows nothing else."""
    audience: list[asyncio.Transport] = []
    server = await asyncio.get_running_loop().create_server(lambda: _Plain(audience), "127.0.0.1", 0)
    tell({"port": server.sockets[0].getsockname()[1]})
    await until_told(lambda: len(audience) == SUBSCRIBERS)

    def trade(market: int) -> None:
        ready = bare_frame(market)
        for transport in audience[market::MARKETS]:
            transport.write(ready)

    usage = await drive(trade)
    tell({**usage, "encoded": 0, "sent": 0})
    await asyncio.to_thread(sys.stdin.readline)


def bare_frame(market: int) -> bytes:
    """As long as the exchange's own trade message."""
    now_ms = time.time_ns() // 1_000_000
    text = (
        f'{{"e":"trade","E":{now_ms},"s":"S{market}USDT","t":1000000,"p":"100.00000000","q":"1.00000000",'
        f'"T":{now_ms},"m":true,"M":true}}'
    ).encode()
    return bytes((0x81, 126)) + len(text).to_bytes(2, "big") + text


async def drive(trade: Callable[[int], None]) -> dict[str, float]:
    """Let each market trade RATE times a second, evenly; CPU seconds of the measured part."""
    loop = asyncio.get_running_loop()
    started, count = loop.time(), 0
    measured: tuple[float, float] | None = None
    while (elapsed := loop.time() - started) < WARM_UP_S + SECONDS:
        if measured is None and elapsed >= WARM_UP_S:
            measured = (loop.time(), cpu_s())
        while count < elapsed * RATE * MARKETS:
            trade(count % MARKETS)
            count += 1
        await asyncio.sleep(max(0.0, started + (count + 1) / (RATE * MARKETS) - loop.time()))
    assert measured is not None
    return {"wall_s": loop.time() - measured[0], "cpu_s": cpu_s() - measured[1], "trades": count}


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def tell(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


async def until_told(is_ready: Callable[[], bool]) -> None:
    """Wait for the reader's word, and until all its connections have arrived."""
    await asyncio.to_thread(sys.stdin.readline)
    async with asyncio.timeout(60):
        while not is_ready():  # noqa: ASYNC110 - connections arrive without an event
            await asyncio.sleep(0.05)


# --- the reader -------------------------------------------------------------------------------------


def connect(port: int) -> list[socket.socket]:
    """A thousand upgraded connections, each to the trades of one market."""
    sockets = []
    for number in range(SUBSCRIBERS):
        connection = socket.create_connection(("127.0.0.1", port))
        stream = f"s{number % MARKETS}usdt@trade"
        connection.sendall(
            f"GET /ws/{stream} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(4096)
        connection.setblocking(False)
        sockets.append(connection)
    return sockets


class Reader:
    """Counts frames by the mark that each has once; takes the lag of some."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.frames = 0
        self.lags_ms: list[float] = []
        self._by_number = {connection.fileno(): connection for connection in sockets}
        self._reads = 0

    def read(self, begin: float, end: float) -> None:
        """Until `end`; what arrives before `begin` only warms up (both by the monotonic clock)."""
        poll = select.epoll()
        for number in self._by_number:
            poll.register(number, select.EPOLLIN)
        while (now := time.monotonic()) < end:
            for number, _ in poll.poll(0.2, 256):
                content = self._by_number[number].recv(65_536)
                if not content:
                    raise RuntimeError("the server closed a connection")
                if now >= begin:
                    self._take(content)
        poll.close()

    def _take(self, content: bytes) -> None:
        self.frames += content.count(b'"e":"trade"')
        self._reads += 1
        if self._reads % _SAMPLED == 0:
            now_ms = time.time_ns() / 1_000_000
            for part in content.split(b'"E":')[1:]:
                self.lags_ms.append(now_ms - int(part[:13]))


def measure(server: str) -> dict[str, float]:
    """One round against one server in a fresh process on the first core, the reader on the others."""
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, __file__, server]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores[:1]),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        os.sched_setaffinity(0, cores[1:] or cores)
        try:
            sockets = connect(json.loads(process.stdout.readline())["port"])
            reader = Reader(sockets)
            process.stdin.write("go\n")
            process.stdin.flush()
            begin = time.monotonic() + WARM_UP_S
            reader.read(begin, begin + SECONDS - 1)
            told = finish(process)
        finally:
            os.sched_setaffinity(0, cores)
        for connection in sockets:
            connection.close()
    return build_figures(reader, told)


def finish(process: subprocess.Popen[str]) -> dict[str, float]:
    """The server's own figures; it may then end."""
    assert process.stdin is not None
    assert process.stdout is not None
    told: dict[str, float] = json.loads(process.stdout.readline())
    process.stdin.write("end\n")
    process.stdin.flush()
    return told


def build_figures(reader: Reader, told: dict[str, float]) -> dict[str, float]:
    percentiles = statistics.quantiles(reader.lags_ms, n=100)
    return {
        "frames": reader.frames / (SECONDS - 1),
        "p50": percentiles[49],
        "p99": percentiles[98],
        "cores": told["cpu_s"] / told["wall_s"],
        "sent_per_encoding": told["sent"] / told["encoded"] if told["encoded"] else 0.0,
    }


def run() -> list[dict[str, Any]]:
    """Medians over rounds in which exchange and bare server take turns."""
    rounds = [(measure("exchange"), measure("bare")) for _ in range(ROUNDS)]
    ours, bare = ({k: statistics.median(r[side][k] for r in rounds) for k in rounds[0][0]} for side in (0, 1))
    return [
        build_row(
            "frames delivered", "frames/s", ours["frames"], bare["frames"], TARGET * ENOUGH, lower=False
        ),
        build_row("delivery lag p99", "ms", ours["p99"], bare["p99"], None, lower=True),
        build_row("delivery lag p50", "ms", ours["p50"], bare["p50"], None, lower=True),
        build_row("cores used", "cores", ours["cores"], bare["cores"], 1.0, lower=True),
        build_row(
            "subscribers served by one encoding",
            "frames",
            ours["sent_per_encoding"],
            None,
            SUBSCRIBERS // MARKETS,
            lower=False,
        ),
    ]


def build_row(
    metric: str, unit: str, ours: float, reference: float | None, target: float | None, *, lower: bool
) -> dict[str, Any]:
    met = None if target is None else ours <= target if lower else ours >= target
    return {
        "metric": metric,
        "unit": unit,
        "ours": round(ours, 2),
        "reference": None if reference is None else round(reference, 2),
        "reference_name": "" if reference is None else "bare sockets on the same event loop",
        "ratio": round(ours / reference, 2) if reference else None,
        "target": target,
        "met": met,
    }


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_exchange() if sys.argv[1] == "exchange" else serve_bare())
