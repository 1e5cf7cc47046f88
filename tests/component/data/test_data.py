"""`smarttrade data` against the simulated exchange, through real ccxt, killed and started again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from smarttrade.data.coverage import Span, find_gaps
from smarttrade.data.series import Series
from smarttrade.data.store import SeriesStore
from smarttrade.simulator.config import SimulatorConfig
from smarttrade.simulator.faults import FaultKind, FaultSpec
from smarttrade.simulator.simulator import Simulator

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARKETS = ("BTC/USDT", "ETH/USDT")
MINUTES = 2_300
MINUTE_MS = 60_000


@dataclass
class Ended:
    code: int
    output: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exchange() -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorConfig(symbols=list(MARKETS), history_s=MINUTES * 60.0)) as running:
        yield running


class Desk:
    """A folder for the candles, a catalogue that knows the simulator, and the program."""

    def __init__(self, folder: Path, exchange: Simulator) -> None:
        self.root = folder / "candles"
        self.catalogue = folder / "catalogue.yaml"
        self.catalogue.write_text(
            yaml.safe_dump(
                {"binance": {"Simulator": {"rest": exchange.rest_url, "websocket": exchange.ws_url}}}
            )
        )
        self.begin_ms = (exchange.clock.now_ms() // MINUTE_MS - (MINUTES - 100)) * MINUTE_MS

    def store(self, market: str) -> SeriesStore:
        return SeriesStore(self.root, Series("binance", "Simulator", market, "1m"))

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "smarttrade.cli.main", "data", *arguments, "--data", str(self.root)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def download(self, *markets: str, until_ms: int | None = None) -> asyncio.subprocess.Process:
        begin = datetime.fromtimestamp(self.begin_ms / 1000, UTC).isoformat()
        end = ["--to", datetime.fromtimestamp(until_ms / 1000, UTC).isoformat()] if until_ms else []
        options = ["--environment", "Simulator", "--catalogue", str(self.catalogue), "--from", begin, *end]
        return await self.start("download", "binance", *markets, *options)


async def end_of(process: asyncio.subprocess.Process) -> Ended:
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return Ended(process.returncode, output.decode())


@pytest.fixture
def desk(tmp_path: Path, exchange: Simulator) -> Desk:
    return Desk(tmp_path, exchange)


async def test_a_killed_download_goes_on_where_it_was(desk: Desk, exchange: Simulator) -> None:
    slow = FaultSpec(kind=FaultKind.LATENCY, endpoint="GET /api/v3/klines", delay_ms=1_100)
    exchange.faults.add(slow)
    killed = await desk.download("BTC/USDT")
    async with asyncio.timeout(60):
        while not desk.store("BTC/USDT").covered:  # noqa: ASYNC110 - another process writes the file
            await asyncio.sleep(0.02)
    killed.kill()
    await end_of(killed)
    part = desk.store("BTC/USDT").read()
    assert 0 < len(part) < MINUTES - 110

    exchange.faults.remove(slow.id)
    exchange.faults.add(
        FaultSpec(kind=FaultKind.SERVER_ERROR, endpoint="GET /api/v3/klines", status=502, times=1)
    )
    ended = await end_of(await desk.download(*MARKETS))
    assert ended.code == 0, ended.output
    assert "again in 1 s" in ended.output
    for market in MARKETS:
        store = desk.store(market)
        times = [candle.open_ms for candle in store.read()]
        assert times[0] == desk.begin_ms
        assert times == list(range(times[0], times[-1] + 1, MINUTE_MS))
        assert len(times) >= MINUTES - 100
        assert find_gaps(store.read_present(), store.covered) == []
        assert f"binance Simulator {market} 1m: {len(times):,} candles" in ended.output
    assert desk.store("BTC/USDT").read()[: len(part)] == part

    checked = await end_of(await desk.start("check"))
    assert checked.code == 0, checked.output
    listed = await end_of(await desk.start("list"))
    assert "BTC/USDT" in listed.output
    assert listed.code == 0


async def test_what_was_left_out_between_two_downloads_is_found_and_filled(desk: Desk) -> None:
    first = await end_of(await desk.download("BTC/USDT", until_ms=desk.begin_ms + 50 * MINUTE_MS))
    assert first.code == 0, first.output
    early_ms, desk.begin_ms = desk.begin_ms, desk.begin_ms + 70 * MINUTE_MS
    second = await end_of(await desk.download("BTC/USDT", until_ms=desk.begin_ms + 30 * MINUTE_MS))
    assert second.code == 0, second.output
    checked = await end_of(await desk.start("check"))
    assert checked.code == 1
    assert "download this span again" in checked.output
    desk.begin_ms = early_ms
    third = await end_of(await desk.download("BTC/USDT", until_ms=early_ms + 100 * MINUTE_MS))
    assert third.code == 0, third.output
    assert desk.store("BTC/USDT").missing(Span(early_ms, early_ms + 100 * MINUTE_MS)) == []
    assert len(desk.store("BTC/USDT").read()) == 100


async def test_what_cannot_be_downloaded_is_said(desk: Desk) -> None:
    ended = await end_of(await desk.download("NOPE/USDT"))
    assert (ended.code, ended.output.count("\n")) == (2, 1)
    assert "binance has no spot market NOPE/USDT" in ended.output
