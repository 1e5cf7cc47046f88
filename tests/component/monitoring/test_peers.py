"""Two monitorings of one account: what one's connection did not bring, the other's did."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from smarttrade.messages import Trade
from smarttrade.monitoring.service import MonitoringService
from smarttrade.simulator.connections import Connection
from smarttrade.simulator.simulator import Simulator
from smarttrade.simulator.testing import manual_config
from tests.component.monitoring.pod import Bus, Listener, Running, build_spec, endpoint_of, eventually, start

MARKET = "BTC/USDT"


class Watcher:
    """One pod's monitoring, its connection to the exchange, and an ear at its feed."""

    def __init__(self, running: Running, listener: Listener, connection: Connection) -> None:
        self.running, self.listener, self.connection = running, listener, connection

    @property
    def ids(self) -> list[int]:
        return [int(trade.id) for trade in self.listener.of(Trade)]

    def filled(self, source: str) -> float:
        return self.running.metric("smarttrade_trades_filled_total", market=MARKET, source=source)

    async def heard(self, number: int) -> None:
        await eventually(lambda: bool(self.ids) and self.ids[-1] == number, f"trade {number}")


@pytest_asyncio.fixture
async def exchange() -> AsyncIterator[Simulator]:
    async with Simulator(manual_config()) as exchange:
        exchange.set_price(MARKET, "60000")
        yield exchange


@pytest_asyncio.fixture
async def pair(bus: Bus, exchange: Simulator, tmp_path: Path) -> AsyncIterator[tuple[Watcher, Watcher]]:
    await bus.control(1, build_spec())
    watchers: list[Watcher] = []
    for pod in ("alice-0", "alice-1"):
        listener = await Listener().listen(await bus.connect("evaluation"), pod)
        settings = bus.settings("monitoring", pod, tmp_path, endpoint_of(exchange))
        running = start(MonitoringService, settings)
        await running.ready()
        others = {watcher.connection for watcher in watchers}
        await eventually(lambda known=others: bool(set(exchange.websockets()) - known), f"{pod} is connected")
        (connection,) = set(exchange.websockets()) - others
        watchers.append(Watcher(running, listener, connection))
    one, other = watchers
    await eventually(lambda: one.connection.streams == other.connection.streams != set(), "the streams")
    await both_hear(exchange, one, other)
    yield one, other
    for watcher in watchers:
        await watcher.running.stop()


def trade(exchange: Simulator) -> int:
    exchange.trade(MARKET, "60001", "0.01")
    return exchange.venue.by_symbol[MARKET].trades[-1].id


async def both_hear(exchange: Simulator, *watchers: Watcher) -> None:
    for watcher in watchers:
        async with asyncio.timeout(30):
            while not watcher.ids:  # what came before it was connected is no gap
                trade(exchange)
                await asyncio.sleep(0.05)
    last = trade(exchange)
    for watcher in watchers:
        await watcher.heard(last)


async def test_frames_that_one_connection_drops_come_from_the_other_pod(
    exchange: Simulator, pair: tuple[Watcher, Watcher]
) -> None:
    one, other = pair
    exchange.faults.inject("server-error", endpoint="GET /api/v3/trades")
    one.connection.silent = True
    for _ in range(3):
        trade(exchange)
    one.connection.silent = False
    last = trade(exchange)
    await one.heard(last)
    await other.heard(last)
    assert one.ids == list(range(one.ids[0], last + 1))
    assert (one.filled("peer"), one.filled("rest"), other.filled("peer")) == (3, 0, 0)
    assert not one.running.metric("smarttrade_trades_lost_total", market=MARKET)
    assert not one.running.metric("smarttrade_feed_reconnects_total", market=MARKET)


async def test_what_neither_pod_heard_is_had_by_rest(
    exchange: Simulator, pair: tuple[Watcher, Watcher]
) -> None:
    exchange.silence_websockets()
    trade(exchange)
    exchange.silence_websockets(silent=False)
    last = trade(exchange)
    for watcher in pair:
        await watcher.heard(last)
        assert watcher.ids == list(range(watcher.ids[0], last + 1))
    assert sum(watcher.filled("rest") for watcher in pair) >= 1


async def test_without_peer_and_rest_later_trades_wait_no_longer_than_the_bound(
    exchange: Simulator, pair: tuple[Watcher, Watcher]
) -> None:
    one, other = pair
    exchange.faults.inject("latency", endpoint="GET /api/v3/trades", delay_ms=60_000)
    exchange.silence_websockets()
    lost = trade(exchange)
    exchange.silence_websockets(silent=False)
    last = trade(exchange)
    for watcher in (one, other):
        await watcher.heard(last)
        assert lost not in watcher.ids
        assert watcher.running.metric("smarttrade_trades_lost_total", market=MARKET) == 1
