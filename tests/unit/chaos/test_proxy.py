"""The proxies of chaos runs do to connections what they say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.proxy import Fate, Proxy

SOON_S, NEVER_S = 5.0, 0.1


class Echo:
    """Answers every chunk with itself, and remembers what came."""

    def __init__(self) -> None:
        self.heard = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionResetError):
            while chunk := await reader.read(1024):
                self.heard += chunk
                writer.write(chunk)
        writer.close()


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest_asyncio.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]) as made:
        yield made


async def said(proxy: Proxy, text: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(text)
    return reader, writer


async def test_what_is_sent_arrives_and_is_answered(proxy: Proxy) -> None:
    reader, _ = await said(proxy, b"hello")
    assert await asyncio.wait_for(reader.read(1024), SOON_S) == b"hello"


async def test_a_cut_resets_what_is_open_and_refuses_what_is_new(proxy: Proxy) -> None:
    reader, _ = await said(proxy, b"hello")
    await reader.read(1024)
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(1024), SOON_S)
    refused, _kept = await said(proxy, b"")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(refused.read(1024), SOON_S)
    proxy.restore()
    reader, _ = await said(proxy, b"again")
    assert await asyncio.wait_for(reader.read(1024), SOON_S) == b"again"


async def test_silence_holds_everything_back_until_it_ends(proxy: Proxy, echo: Echo) -> None:
    proxy.silence()
    reader, _ = await said(proxy, b"hello")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1024), NEVER_S)
    assert echo.heard == b""
    proxy.restore()
    assert await asyncio.wait_for(reader.read(1024), SOON_S) == b"hello"


@pytest.mark.parametrize(("fate", "heard"), [(Fate.LOST, b""), (Fate.UNANSWERED, b"POST order")])
async def test_a_trapped_request_is_lost_or_unanswered(
    proxy: Proxy, echo: Echo, fate: Fate, heard: bytes
) -> None:
    async def strike() -> Fate:
        return fate

    proxy.lay_trap(b"POST", strike)
    reader, _ = await said(proxy, b"POST order")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(1024), SOON_S)
    assert echo.heard == heard
    assert not proxy.clear_trap()


async def test_a_trap_leaves_other_requests_alone(proxy: Proxy) -> None:
    async def strike() -> Fate:
        raise AssertionError("not for this request")

    proxy.lay_trap(b"POST", strike)
    reader, _ = await said(proxy, b"GET order")
    assert await asyncio.wait_for(reader.read(1024), SOON_S) == b"GET order"
    assert proxy.clear_trap()
