"""Questions over HTTP against servers that misbehave the way hosts do."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from smarttrade.errors import VenueError
from smarttrade.exchange.rest_client import RestClient

Answering = Callable[[int, str], bytes]


def ok(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@asynccontextmanager
async def served(
    answer: Answering, *, per_connection: int = 1_000_000
) -> AsyncIterator[tuple[RestClient, list[int]]]:
    """A client of a server that answers `per_connection` questions, then hangs up unannounced. The list grows
    by one number, of the answers so far, with every connection."""
    connections: list[int] = []
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        connections.append(asked)
        for _ in range(per_connection):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            asked += 1
            writer.write(answer(asked, head.split()[1].decode()))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = RestClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v3", timeout_s=10)
    try:
        yield client, connections
    finally:
        client.close()
        server.close()


async def test_a_connection_is_kept_for_the_next_question() -> None:
    async with served(lambda number, target: ok(f"{number} {target}".encode())) as (client, connections):
        first = await client.get("/time", {})
        second = await client.get("/trades", {"symbol": "BTCUSDT", "limit": 5})
        assert (first.body, second.body) == (b"1 /api/v3/time", b"2 /api/v3/trades?symbol=BTCUSDT&limit=5")
        assert connections == [0]


async def test_a_question_on_a_connection_that_the_host_closed_is_asked_on_another() -> None:
    async with served(lambda number, _: ok(str(number).encode()), per_connection=1) as (client, connections):
        answers = [(await client.get("/time", {})).body for _ in range(3)]
        assert answers == [b"1", b"2", b"3"]
        assert connections == [0, 1, 2]


async def test_a_compressed_answer_is_read() -> None:
    body = gzip.compress(b"[1]")
    async with served(lambda *_: ok(body, "Content-Encoding: gzip")) as (client, _):
        assert (await client.get("/time", {})).body == b"[1]"


@pytest.mark.parametrize(
    "broken", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"]
)
async def test_half_an_answer_is_a_venue_error(broken: bytes) -> None:
    async with served(lambda *_: broken, per_connection=1) as (client, _):
        with pytest.raises(VenueError, match=r"127\.0\.0\.1 did not answer"):
            await client.get("/time", {})


async def test_closing_wakes_a_question_that_is_not_answered() -> None:
    arrived = asyncio.Event()

    def silent(*_: object) -> bytes:
        arrived.set()
        return b""

    async with served(silent) as (client, _):
        asking = asyncio.create_task(client.get("/time", {}))
        await asyncio.wait_for(arrived.wait(), 10)
        client.close()
        with pytest.raises(VenueError):
            await asyncio.wait_for(asking, 5)
