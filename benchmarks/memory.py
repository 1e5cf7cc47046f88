"""Resident memory of the three containers of one account on one market, and whether it stays.

A real nats-server, a simulated exchange that lists 3,000 markets, the containers as processes, a Live account
whose built-in strategy trades. Trades come from a server of frames: first an hour's worth, as many as a busy
market has; then on to a million, which must leave memory where it was. freqtrade's own process is measured
after the import of what a bot consists of.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop

from benchmarks._account import load_note
from benchmarks._pod import Pod
from benchmarks._resident import resident, total
from benchmarks._source import Source
from benchmarks.backtest import OTHERS, prepare
from smarttrade.api import RISK_ACKNOWLEDGEMENT
from smarttrade.simulator.testing import Simulator, build_test_user, manual_config

MARKET = "BTC/USDT"
LISTED = 3_000
HOUR = 72_000
MILLION = 1_000_000
STEP = 100_000
HOUR_RATE, RATE = 2_000.0, 10_000.0
TARGET_MIB, GROWTH = 180.0, 0.03
_SETTLE_S = 3.0
[_FREQTRADE] = [peer for peer in OTHERS if peer.name == "freqtrade"]
_BOT = "import freqtrade.freqtradebot, freqtrade.resolvers, freqtrade.rpc.rpc_manager"


def run() -> list[dict[str, Any]]:
    return [*uvloop.run(_measure()), _freqtrade()]


async def _measure() -> list[dict[str, Any]]:
    others = [f"C{number}/USDT" for number in range(LISTED - 1)]
    user = build_test_user("alice", USDT="1000000", BTC="10")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        exchange = await stack.enter_async_context(
            Simulator(manual_config(user, symbols=(MARKET, *others), seed=1))
        )
        exchange.set_price(MARKET, "60000", size="90000")
        frames = await stack.enter_async_context(Source([MARKET.replace("/", "")], quotes=True))
        pod = await stack.enter_async_context(Pod(folder, exchange, frames.url, _spec()))
        await pod.ready()
        await frames.send(HOUR, HOUR_RATE)
        await asyncio.sleep(_SETTLE_S)
        hour = {role: resident(pid) for role, pid in pod.pids.items()}
        pids = list(pod.pids.values())
        after = [total(pids, "Rss")]
        for _ in range((MILLION - HOUR) // STEP + 1):
            await frames.send(STEP, RATE)
            await asyncio.sleep(_SETTLE_S)
            after.append(total(pids, "Rss"))
        orders = len(exchange.journal.entries("alice", kind="NEW"))
    return [*_after_an_hour(hour, orders), _flat(after)]


def _after_an_hour(sizes: dict[str, dict[str, float]], orders: int) -> list[dict[str, Any]]:
    rss, pss = (sum(each[kind] for each in sizes.values()) for kind in ("Rss", "Pss"))
    each = ", ".join(f"{role} {size['Rss']:.0f}" for role, size in sizes.items())
    what = f"three containers after {HOUR} trades: {each} ({orders} orders in all, {load_note()})"
    return [
        _row(what, rss, f"<= {TARGET_MIB:.0f}", rss <= TARGET_MIB),
        _row("the same, shared pages shared out (PSS)", pss, "reported", None),
    ]


def _flat(after: list[float]) -> dict[str, Any]:
    growth = max(after[1:]) / after[0] - 1
    what = f"growth from {HOUR} to {MILLION} trades; MiB: {' '.join(f'{size:.0f}' for size in after)}"
    return _row(what, growth * 100, f"<= {GROWTH:.0%}", growth <= GROWTH, unit="%")


def _freqtrade() -> dict[str, Any]:
    show = "print([line.split()[1] for line in open('/proc/self/status') if 'VmRSS' in line][0])"
    command = [str(prepare(_FREQTRADE)), "-c", f"{_BOT}; {show}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    kib = int(done.stdout.splitlines()[-1])
    return _row("freqtrade's process after the import of a bot", kib / 1024, "reported", None)


def _row(metric: str, mib: float, target: str, met: bool | None, unit: str = "MiB") -> dict[str, Any]:
    return {
        "metric": metric,
        "unit": unit,
        "ours": mib,
        "reference": None,
        "reference_name": "",
        "ratio": None,
        "target": target,
        "met": met,
    }


def _spec() -> dict[str, Any]:
    return {
        "mode": "Live",
        "riskAcknowledgement": RISK_ACKNOWLEDGEMENT,
        "exchange": {
            "name": "binance",
            "environment": "Simulator",
            "credentialsSecretRef": {"name": "alice-binance"},
        },
        "markets": [{"symbol": MARKET}],
        "strategy": {"name": "ma-cross", "timeframe": "1s", "parameters": {"fast": 3, "slow": 8}},
        "capital": {"currency": "USDT", "allocation": "10000"},
        "risk": {
            "maxOrderNotional": "10000",
            "maxPositionNotional": "10000",
            "maxDailyLoss": "5000",
            "maxDrawdown": "0.9",
            "maxOrdersPerMinute": 600,
        },
    }
