"""Real ccxt clients against a simulator in the test's own loop; only their URLs are changed."""

import asyncio
from collections.abc import AsyncIterator

import ccxt.pro
import pytest

from smarttrade.simulator.testing import (
    Simulator,
    build_test_user,
    ccxt_config,
    manual_config,
    point_ccxt,
)

SYMBOL = "BTC/USDT"


@pytest.fixture
async def exchange() -> AsyncIterator[Simulator]:
    """Two users, a market that moves by hand, at 60,000."""
    users = [build_test_user(name, USDT="100000", BTC="1") for name in ("alice", "bob")]
    async with Simulator(manual_config(*users, symbols=(SYMBOL, "ETH/USDT"))) as simulator:
        simulator.set_price(SYMBOL, "60000")
        simulator.set_price("ETH/USDT", "3000")
        yield simulator


@pytest.fixture
async def connect(exchange):
    """connect("alice"): a ccxt.pro client of that user; connect(): an anonymous one."""
    clients = []

    def build(name: str = "", simulator: Simulator | None = None, **config):
        client = ccxt.pro.binance({**ccxt_config(name), **config})
        clients.append(client)
        return point_ccxt(client, simulator or exchange)

    yield build
    for client in clients:
        await client.close()


@pytest.fixture
async def alice(connect):
    return connect("alice")


async def until(condition, timeout_s: float = 10.0) -> None:
    """Wait until `condition()` holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def subscribed(exchange: Simulator, count: int = 1) -> None:
    """Wait until `count` user data streams are subscribed."""
    await until(lambda: len(exchange.api_socket.streams) >= count)


async def streaming(exchange: Simulator, *names: str) -> None:
    await until(lambda: all(exchange.streams.has(name) for name in names))
