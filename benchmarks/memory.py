"""Resident memory of the three containers of one account on one market, and whether it stays.

A real nats-server, a simulated exchange that lists 3,000 markets, the containers as processes, a Live account
whose built-in strategy trades. Trades come from a server of frames: first an hour's worth, as many as a busy
market has; then on to a million, which must leave memory where it was. They come as fast as evaluation
handles them: queues of a pod that is given more than that are another question, and so are trades that nobody
saw. The strategy for freqtrade has a full window of candles, and fails if it has not. freqtrade's own process
is measured after the import of what a bot consists of. A part by itself: `python -m benchmarks.memory PART`,
with `hour`, `million` (which begins with the hour), `freqtrade-style` or `freqtrade`.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from benchmarks.__main__ import build_table
from benchmarks._account import load_note
from benchmarks._pod import PATIENCE_S, Pod
from benchmarks._resident import resident, total
from benchmarks._rows import alone
from benchmarks._source import Source
from benchmarks.backtest import OTHERS, prepare
from smarttrade.api import RISK_ACKNOWLEDGEMENT
from smarttrade.simulator.testing import Simulator, build_test_user, manual_config

MARKET = "BTC/USDT"
LISTED = 3_000
HOUR = 72_000
MILLION = 1_000_000
STEP = 100_000
BURST, RATE = 10_000, 5_000.0
TARGET_MIB, TARGET_FREQTRADE_STYLE_MIB, GROWTH = 180.0, 280.0, 0.03
WINDOW = 1_000
_STYLED_RATE = 1_000.0  # so that more than a minute passes, whose candle it decides on
_SETTLE_S = 3.0
_LOOK_S = 0.2
FOR_FREQTRADE = Path(__file__).parents[1] / "tests" / "unit" / "freqtrade" / "strategies" / "trailing.py"
BUILT_IN = {"name": "ma-cross", "timeframe": "1s", "parameters": {"fast": 3, "slow": 8}}
STYLED = {
    "source": {"configMapRef": {"name": "own"}, "class": "trailing.Trailing"},
    "timeframe": "1m",
    "parameters": {},
}
[_FREQTRADE] = [peer for peer in OTHERS if peer.name == "freqtrade"]
_BOT = "import freqtrade.freqtradebot, freqtrade.resolvers, freqtrade.rpc.rpc_manager"


def run(parts: Sequence[str] = ("million", "freqtrade-style", "freqtrade")) -> list[dict[str, Any]]:
    return [row for part in parts for row in PARTS[part]()]


def _native(trades: int) -> list[dict[str, Any]]:
    return uvloop.run(_measure(build_spec(BUILT_IN), trades, TARGET_MIB, "three containers"))


def _freqtrade_style() -> list[dict[str, Any]]:
    what = f"three containers, a strategy for freqtrade on {WINDOW} candles"
    return uvloop.run(_measure(build_spec(STYLED), HOUR, TARGET_FREQTRADE_STYLE_MIB, what, _STYLED_RATE))


def _build_styled() -> str:
    """The strategy on minutes, which enters at once, and ends with an error where its window is not full."""
    text = FOR_FREQTRADE.read_text()
    begin, condition = "        bands = ", 'dataframe["close"] < dataframe["lower"]'
    check = f"        assert len(dataframe) == {WINDOW}, len(dataframe)\n"
    for before, after in (('"5m"', '"1m"'), (begin, check + begin), (condition, 'dataframe["close"] > 0')):
        assert before in text, before
        text = text.replace(before, after)
    return text


def _live_through(exchange: Simulator, minutes: int) -> None:
    """A trade a minute until now, so that there are candles of a past."""
    data, draw, price = exchange.venue.by_symbol[MARKET], random.Random(1), 60_000.0
    begin_ms = exchange.clock.now_ms() - minutes * 60_000
    for minute in range(minutes):
        price *= 1 + draw.gauss(0, 0.001)
        units = data.market.round_price(Decimal(f"{price:.2f}"))
        data.candles.add_trade(begin_ms + minute * 60_000, units, data.market.step_units, False, minute)
    data.candles.take_closed()


async def _measure(
    spec: dict[str, Any], trades: int, target: float, what: str, rate: float = RATE
) -> list[dict[str, Any]]:
    others = [f"C{number}/USDT" for number in range(LISTED - 1)]
    user = build_test_user("alice", USDT="1000000", BTC="10")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        exchange = await stack.enter_async_context(
            Simulator(manual_config(user, symbols=(MARKET, *others), seed=1))
        )
        _live_through(exchange, WINDOW + 100)
        exchange.set_price(MARKET, "60000", size="90000")
        frames = await stack.enter_async_context(Source([MARKET.replace("/", "")], quotes=True))
        (folder / "trailing.py").write_text(_build_styled())
        pod = await stack.enter_async_context(Pod(folder, exchange, frames.url, spec))
        await pod.ready()
        await _feed(frames, pod, HOUR, rate)
        hour = {role: resident(pid) for role, pid in pod.pids.items()}
        pids = list(pod.pids.values())
        after = [total(pids, "Rss")]
        for _ in range(-(-(trades - HOUR) // STEP)):
            await _feed(frames, pod, STEP, rate)
            after.append(total(pids, "Rss"))
        orders = len(exchange.journal.entries("alice", kind="NEW"))
        done = f"{orders} orders, {await pod.counted('decisions')} decisions in all"
    rows = _after_an_hour(hour, done, target, what)
    return [*rows, _flat(after)] if len(after) > 1 else rows


async def _feed(frames: Source, pod: Pod, trades: int, rate: float) -> None:
    """As fast as the pod takes them, so that what is measured is no queue."""
    wanted = await pod.counted("events")
    for _ in range(0, trades, BURST):
        burst = min(BURST, trades)
        trades, wanted = trades - burst, wanted + burst
        await frames.send(burst, rate)
        async with asyncio.timeout(PATIENCE_S):
            while await pod.counted("events") < wanted:  # noqa: ASYNC110 - another process
                await asyncio.sleep(_LOOK_S)
    await asyncio.sleep(_SETTLE_S)


def _after_an_hour(
    sizes: dict[str, dict[str, float]], done: str, target: float, what: str
) -> list[dict[str, Any]]:
    rss, pss = (sum(each[kind] for each in sizes.values()) for kind in ("Rss", "Pss"))
    each = ", ".join(f"{role} {size['Rss']:.0f}" for role, size in sizes.items())
    told = f"{what} after {HOUR} trades: {each} ({done}, {load_note()})"
    return [
        _row(told, rss, f"<= {target:.0f}", rss <= target),
        _row("the same, shared pages shared out (PSS)", pss, "reported", None),
    ]


def _flat(after: list[float]) -> dict[str, Any]:
    growth = max(after[1:]) / after[0] - 1
    what = f"growth from {HOUR} to {MILLION} trades; MiB: {' '.join(f'{size:.0f}' for size in after)}"
    return _row(what, growth * 100, f"<= {GROWTH:.0%}", growth <= GROWTH, unit="%")


def _freqtrade() -> list[dict[str, Any]]:
    show = "print([line.split()[1] for line in open('/proc/self/status') if 'VmRSS' in line][0])"
    command = [str(prepare(_FREQTRADE)), "-c", f"{_BOT}; {show}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    kib = int(done.stdout.splitlines()[-1])
    return [_row("freqtrade's process after the import of a bot", kib / 1024, "reported", None)]


def _row(metric: str, mib: float, target: str, met: bool | None, unit: str = "MiB") -> dict[str, Any]:
    return alone(metric, unit, mib, target, met)


def build_spec(strategy: dict[str, Any]) -> dict[str, Any]:
    return {
        "mode": "Live",
        "riskAcknowledgement": RISK_ACKNOWLEDGEMENT,
        "exchange": {
            "name": "binance",
            "environment": "Simulator",
            "credentialsSecretRef": {"name": "alice-binance"},
        },
        "markets": [{"symbol": MARKET}],
        "strategy": strategy,
        "capital": {"currency": "USDT", "allocation": "10000"},
        "risk": {
            "maxOrderNotional": "10000",
            "maxPositionNotional": "10000",
            "maxDailyLoss": "5000",
            "maxDrawdown": "0.9",
            "maxOrdersPerMinute": 600,
        },
    }


PARTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "hour": lambda: _native(HOUR),
    "million": lambda: _native(MILLION),
    "freqtrade-style": _freqtrade_style,
    "freqtrade": _freqtrade,
}

if __name__ == "__main__":
    Console(width=200).print(build_table("memory", run(sys.argv[1:] or tuple(PARTS))))
