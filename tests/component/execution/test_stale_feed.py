"""From a broken stream to a refused order: real monitoring judges, real execution blocks by its verdict."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nats.errors import Error as NatsError

from smarttrade import messages
from smarttrade.api.catalogue import Endpoint
from smarttrade.bus import subjects
from smarttrade.monitoring.service import MonitoringService
from smarttrade.process.probes import Probes
from smarttrade.process.settings import Settings
from tests.component.execution.conftest import Stage
from tests.component.execution.theatre import BTC, Theatre, eventually
from tests.component.monitoring.pod import Running

POD = "a"


class Line:
    """The way of monitoring's streams to the exchange, which can be cut; REST goes another one."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self.whole = True

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.whole:
            writer.close()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._open |= {writer, there_writer}
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))

    def cut(self) -> None:
        self.whole = False
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while received := await reader.read(65_536):
            writer.write(received)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def monitoring(theatre: Theatre, directory: Path, websocket: str) -> AsyncIterator[Running]:
    """The pod's real monitoring, and a heartbeat of its evaluation."""
    credentials = directory / "monitoring.creds"
    credentials.write_text(theatre._pair.credentials["monitoring"])
    endpoint = Endpoint(rest=theatre.exchange.rest_url, websocket=websocket, websocket_api=websocket)
    settings = Settings(
        role="monitoring",
        identity=theatre.identity,
        pod=POD,
        nats_url=theatre.bus_url,
        nats_credentials=credentials,
        endpoint=endpoint.model_dump_json(),
        exchange_credentials=directory,
        port=0,
        host="127.0.0.1",
        replicas=1,
        log_level="info",
    )
    probes = Probes(0, "127.0.0.1")
    running = Running(MonitoringService(settings, probes), probes)
    beating = asyncio.create_task(beat(theatre))
    try:
        yield running
    finally:
        beating.cancel()
        await running.stop()


async def beat(theatre: Theatre) -> None:
    status = messages.EvaluationStatus(
        pod=POD, generation=1, ready=True, leading=True, decisions=0, divergences=0
    )
    while True:
        with contextlib.suppress(NatsError, TimeoutError):
            await theatre.evaluation.request(subjects.history(POD), messages.encode(status), timeout=1)
        await asyncio.sleep(0.3)


async def _listen(theatre: Theatre) -> list[bool]:
    """Whether the market's quotes are fresh, as execution is told on change and once a second."""
    told: list[bool] = []

    async def heard(message: Any) -> None:
        events = messages.decode(message.data, messages.MarketBatch).events
        statuses = [each for each in events if isinstance(each, messages.StreamStatus)]
        told.extend(
            each.verdict is messages.Verdict.FRESH
            for each in statuses
            if (each.market, each.stream) == (BTC, "quote")
        )

    await theatre.evaluation.subscribe(subjects.market(POD, "status"), cb=heard)
    return told


async def test_a_broken_stream_blocks_what_opens_and_not_what_reduces(stage: Stage, tmp_path: Path) -> None:
    theatre: Theatre = await stage(replicas=1)
    theatre.blind.add(POD)  # its quotes come from monitoring alone
    line = Line(int(theatre.exchange.ws_url.rpartition(":")[2]))
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await theatre.control()
    await theatre.start(POD)
    told = await _listen(theatre)
    async with monitoring(theatre, tmp_path, f"ws://127.0.0.1:{port}") as running:
        await theatre.leader()
        theatre.price(BTC, "60010")  # execution began to listen after the quote before
        assert (await theatre.outcome(await theatre.target("1")))[0] == "Reached"
        line.cut()
        fresh = {"market": BTC, "stream": "quote"}
        # Told twice, execution has taken in the first.
        await eventually(lambda: told[-2:] == [False, False], "monitoring's verdict is told")
        assert running.metric("smarttrade_stream_fresh", **fresh) == 0
        assert await theatre.outcome(await theatre.target("2")) == ("Denied", "StaleData")
        assert (await theatre.outcome(await theatre.target("0.4")))[0] == "Reached"
        line.whole = True
        await eventually(lambda: told[-2:] == [True, True], "the stream is fresh again")
        assert running.metric("smarttrade_stream_fresh", **fresh) == 1
        theatre.price(BTC, "60020")
        assert (await theatre.outcome(await theatre.target("1.5")))[0] == "Reached"
    line.cut()
    server.close()
