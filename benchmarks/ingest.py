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
import json
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop

from benchmarks._account import load_note, percentile
from benchmarks._pod import PATIENCE_S, Pod
from benchmarks._rows import alone
from benchmarks._source import Source
from smarttrade.simulator.testing import Simulator, manual_config

SYMBOLS = [f"C{number:02d}USDT" for number in range(20)]
MARKETS = tuple(f"{symbol[:-4]}/USDT" for symbol in SYMBOLS)
EACH = 5_000
SLOW_EACH = 1_000
RATED_S = 6
SHARE = 0.7

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
        alone(f"lost of {len(flood['lags']) + len(rated['lags'])} trades", "trades", lost, "0", lost == 0),
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


async def _read(kind: str, each: int) -> float:
    """Trades a second that a reader with nothing behind it takes."""
    async with Source(SYMBOLS) as source:
        wanted = each * len(SYMBOLS)
        reader = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchmarks._reader", kind, source.url, ",".join(SYMBOLS), str(wanted)),
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE_S):
            await source.send(each)
            said, _ = await reader.communicate()
        return wanted / float(said)


async def _through(folder: Path) -> tuple[dict[str, Any], dict[str, Any], float]:
    """What the handler saw of a flood, and of trades at a share of the flood's rate."""
    (folder / "counter.py").write_text(_STRATEGY)
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(Source(SYMBOLS))
        exchange = await stack.enter_async_context(Simulator(manual_config(symbols=MARKETS)))
        for market in MARKETS:
            # The history; its one trade has the id before the first frame's.
            exchange.set_price(market, "60000")
        pod = await stack.enter_async_context(
            Pod(folder, exchange, source.url, _spec(folder), roles=("monitoring", "evaluation"))
        )
        await pod.ready()
        flood = await _round(folder, 0, source, EACH, 0)
        rate = SHARE * len(flood["lags"]) / flood["seconds"]
        rated = await _round(folder, 1, source, int(rate * RATED_S / len(SYMBOLS) / 50) * 50, rate)
        return flood, rated, rate


async def _round(folder: Path, number: int, source: Source, each: int, rate: float) -> dict[str, Any]:
    (folder / "wanted").write_text(str(each * len(SYMBOLS)))
    seen = folder / f"seen-{number}"
    async with asyncio.timeout(PATIENCE_S):
        await source.send(each, rate)
        while not seen.exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.05)
    told: dict[str, Any] = json.loads(seen.read_text())
    return told


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
