"""How long a restarted evaluation container takes until it is ready to decide.

Its monitoring runs on and has the history; evaluation alone is killed and started again, a native strategy
that reads 300 candles, then one for freqtrade that reads 1,000 of them. From the start of the process to
`readyz`, and the CPU time that it took until then.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop

from benchmarks._account import load_note
from benchmarks._pod import Pod
from benchmarks._resident import cpu_s
from benchmarks._rows import alone
from benchmarks.memory import BUILT_IN, FOR_FREQTRADE, STYLED, build_spec
from smarttrade.simulator.testing import Simulator, SimulatorConfig, build_test_user

MARKET = "BTC/USDT"
TARGET_S = 2.0
REPEATS = 5


def run() -> list[dict[str, Any]]:
    return [
        *_rows("native strategy", uvloop.run(_measure({**BUILT_IN, "warmup": 300})), TARGET_S),
        *_rows("strategy for freqtrade", uvloop.run(_measure(STYLED)), TARGET_S),
    ]


async def _measure(strategy: dict[str, Any]) -> list[tuple[float, float]]:
    """Wall and CPU seconds of every restart."""
    config = SimulatorConfig(users=[build_test_user("alice", USDT="1000000", BTC="10")], seed=1)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "trailing.py").write_text(FOR_FREQTRADE.read_text().replace('"5m"', '"1m"'))
        exchange = await stack.enter_async_context(Simulator(config))
        roles = ("monitoring", "evaluation")
        spec = build_spec(strategy)
        pod = await stack.enter_async_context(Pod(folder, exchange, exchange.ws_url, spec, roles))
        await pod.ready()
        took = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            await pod.restart("evaluation")
            await pod.ready("evaluation")
            took.append((time.perf_counter() - began, cpu_s(pod.pids["evaluation"])))
        return took


def _rows(what: str, took: list[tuple[float, float]], target_s: float) -> list[dict[str, Any]]:
    wall, cpu = (statistics.median(each) for each in zip(*took, strict=True))
    note = f"median of {len(took)}, {load_note()}"
    rows = [
        (f"evaluation ready again, {what} ({note})", wall, f"<= {target_s:.0f}", wall <= target_s),
        (f"CPU time of that, {what}", cpu, "reported", None),
    ]
    return [alone(metric, "s", seconds, target, met) for metric, seconds, target, met in rows]
