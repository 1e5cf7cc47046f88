"""Trades from websocket frames to the strategy's handler, through NATS: none lost, how many, how late.

One account with twenty markets: real nats-server, monitoring and evaluation as processes, REST by the
simulated exchange, frames by a server that sends as fast as they are taken. The references read the same
frames from the same server with nothing behind them: a websocket client and msgspec, and ccxt.pro's loop.
Time runs from the moment that the first frame is made to the last trade in the handler, so a backlog anywhere
between them counts. On two cores, server, bus, monitoring and evaluation share what a reference shares with
the server alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop

from benchmarks._account import load_note, percentile, spawn
from cluster import binaries
from smarttrade.bus.accounts import AccountLimits, build_accounts
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.identity import AccountIdentity
from smarttrade.messages import AccountControl
from smarttrade.simulator.testing import Simulator, manual_config

SYMBOLS = [f"C{number:02d}USDT" for number in range(20)]
MARKETS = tuple(f"{symbol[:-4]}/USDT" for symbol in SYMBOLS)
EACH = 5_000
SLOW_EACH = 1_000
RATED_S = 6
SHARE = 0.7
IDENTITY = AccountIdentity("bench", "bench", "ingest")
_POD = "ingest-0"
_PATIENCE_S = 240

_STRATEGY = '''
import json
import time
from pathlib import Path

from smarttrade import Parameter, Strategy


class Counter(Strategy):
    """Counts trades, checks that ids grow by one, notes how late they are, and writes what it saw."""

    folder = Parameter("")

    def start(self):
        self.newest, self.lost, self.lags, self.first, self.rounds = {}, 0, [], 0, 0

    def on_trade(self, trade):
        number = int(trade.id)
        self.lost += number - self.newest.get(trade.market, number - 1) - 1
        self.newest[trade.market] = number
        self.first = self.first or trade.time_ms
        self.lags.append(time.time() * 1000 - trade.time_ms)
        target = Path(self.folder) / "wanted"
        if len(self.lags) % 1000 == 0 and len(self.lags) >= int(target.read_text()):
            seen = {"seconds": time.time() - self.first / 1000, "lost": self.lost, "lags": self.lags}
            Path(self.folder, f"seen-{self.rounds}.tmp").write_text(json.dumps(seen))
            Path(self.folder, f"seen-{self.rounds}.tmp").rename(Path(self.folder, f"seen-{self.rounds}"))
            self.lags, self.first, self.lost, self.rounds = [], 0, 0, self.rounds + 1
'''


def run() -> list[dict[str, Any]]:
    return uvloop.run(_measure())


async def _measure() -> list[dict[str, Any]]:
    raw = {kind: await _read(kind, EACH) for kind in ("aiohttp", "picows")}
    raw["ccxt"] = await _read("ccxt", SLOW_EACH)
    with tempfile.TemporaryDirectory() as folder:
        flood, rated, rate = await _through(Path(folder))
    ours = len(flood["lags"]) / flood["seconds"]
    lost = flood["lost"] + rated["lost"]
    where = f"{len(SYMBOLS)} markets, {load_note()}"
    return [
        _row(f"trades to the handler ({where})", ours, raw["aiohttp"], "aiohttp and msgspec", 0.4),
        _row("the same", ours, raw["picows"], "picows and msgspec", None),
        _row("the same", ours, raw["ccxt"], "ccxt.pro's loop", 3.0),
        {
            "metric": f"p99 lag at {rate:,.0f} trades/s, {SHARE:.0%} of that rate",
            "unit": "ms",
            "ours": percentile(rated["lags"], 0.99),
            "reference": None,
            "reference_name": f"p50 {percentile(rated['lags'], 0.5):.1f} ms",
            "ratio": None,
            "target": "reported",
            "met": None,
        },
        {
            "metric": f"lost of {len(flood['lags']) + len(rated['lags'])} trades",
            "unit": "trades",
            "ours": lost,
            "reference": None,
            "reference_name": "",
            "ratio": None,
            "target": "0",
            "met": lost == 0,
        },
    ]


def _row(metric: str, ours: float, reference: float, name: str, target: float | None) -> dict[str, Any]:
    ratio = ours / reference
    return {
        "metric": metric,
        "unit": "1/s",
        "ours": ours,
        "reference": reference,
        "reference_name": name,
        "ratio": ratio,
        "target": f">= {target}x" if target else "reported",
        "met": ratio >= target if target else None,
    }


class _Source:
    """The server of frames, as a process."""

    async def __aenter__(self) -> _Source:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks._frames",
            ",".join(SYMBOLS),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self.url = f"ws://127.0.0.1:{int(await self._line())}/ws"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await self._process.wait()

    async def send(self, each: int, rate: float = 0) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{each} {rate}\n".encode())
        await self._line()

    async def _line(self) -> str:
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode()


async def _read(kind: str, each: int) -> float:
    """Trades a second that a reader with nothing behind it takes."""
    async with _Source() as source:
        wanted = each * len(SYMBOLS)
        reader = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchmarks._reader", kind, source.url, ",".join(SYMBOLS), str(wanted)),
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(_PATIENCE_S):
            await source.send(each)
            said, _ = await reader.communicate()
        return wanted / float(said)


async def _through(folder: Path) -> tuple[dict[str, Any], dict[str, Any], float]:
    """What the handler saw of a flood, and of trades at a share of the flood's rate."""
    (folder / "counter.py").write_text(_STRATEGY)
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(_Source())
        exchange = await stack.enter_async_context(Simulator(manual_config(symbols=MARKETS)))
        for market in MARKETS:
            # The history; its one trade has the id before the first frame's.
            exchange.set_price(market, "60000")
        await _start_pod(stack, folder, exchange, source)
        flood = await _round(folder, 0, source, EACH, 0)
        rate = SHARE * len(flood["lags"]) / flood["seconds"]
        rated = await _round(folder, 1, source, int(rate * RATED_S / len(SYMBOLS) / 50) * 50, rate)
        return flood, rated, rate


async def _round(folder: Path, number: int, source: _Source, each: int, rate: float) -> dict[str, Any]:
    (folder / "wanted").write_text(str(each * len(SYMBOLS)))
    seen = folder / f"seen-{number}"
    async with asyncio.timeout(_PATIENCE_S):
        await source.send(each, rate)
        while not seen.exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.05)
    told: dict[str, Any] = json.loads(seen.read_text())
    return told


async def _start_pod(stack: AsyncExitStack, folder: Path, exchange: Simulator, source: _Source) -> None:
    keys = OperatorKeys.generate()
    server = LocalServer(keys, folder / "nats", binary=binaries.ensure("nats-server"))
    await stack.enter_async_context(server)
    provisioner = Provisioner(server.url, keys)
    await provisioner.connect()
    stack.push_async_callback(provisioner.close)
    pair = build_accounts(keys, IDENTITY, AccountLimits(pods=1))
    await provisioner.push(pair)
    await provisioner.ensure_assets(IDENTITY)
    control = AccountControl(generation=1, spec=_spec(folder), written_ms=int(time.time() * 1000))
    await provisioner.write_control(IDENTITY, control)
    endpoint = {"rest": exchange.rest_url, "websocket": source.url, "websocketApi": source.url}
    ports = {role: _free_port() for role in ("monitoring", "evaluation")}
    for role, port in ports.items():
        credentials = folder / f"{role}.creds"
        credentials.write_text(pair.credentials[role])
        process = await spawn(
            f"smarttrade.{role}",
            SMARTTRADE_INSTALLATION=IDENTITY.installation,
            SMARTTRADE_NAMESPACE=IDENTITY.namespace,
            SMARTTRADE_ACCOUNT=IDENTITY.name,
            SMARTTRADE_POD=_POD,
            SMARTTRADE_NATS_URL=server.url,
            SMARTTRADE_NATS_CREDENTIALS=str(credentials),
            SMARTTRADE_ENDPOINT=json.dumps(endpoint) if role == "monitoring" else "{}",
            SMARTTRADE_PORT=str(port),
            SMARTTRADE_HOST="127.0.0.1",
            SMARTTRADE_LOG_LEVEL="warning",
            SMARTTRADE_STRATEGY_SOURCE=str(folder),
        )
        stack.push_async_callback(process.wait)
        stack.callback(process.terminate)
    await _ready(ports["evaluation"])


async def _ready(port: int) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /readyz HTTP/1.1\r\n\r\n")
                ready = b" 200 " in await reader.readuntil(b"\r\n")
                writer.close()
                if ready:
                    return
            await asyncio.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _spec(folder: Path) -> dict[str, Any]:
    source = {"configMapRef": {"name": "counter"}, "class": "counter.Counter"}
    return {
        "mode": "Paper",
        "exchange": {"name": "binance", "environment": "Simulator"},
        "markets": [{"symbol": market} for market in MARKETS],
        "strategy": {"source": source, "timeframe": "1s", "parameters": {"folder": str(folder)}},
        "capital": {"currency": "USDT", "allocation": "10000", "maxOpenPositions": len(MARKETS)},
        "risk": {
            "maxOrderNotional": "1000",
            "maxPositionNotional": "10000",
            "maxDailyLoss": "1000",
            "maxDrawdown": "0.5",
            "staleDataSeconds": 600,
        },
    }
