"""Events a second of CPU time through a strategy with five incremental indicators, beside NautilusTrader's
backtest engine with the same five on the same candles.

NautilusTrader runs without its risk engine and without matching bars against orders, since nothing is traded.
The strategy counts candles by what all five say; both must count the same. See `_indicators`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._account import load_note
from benchmarks._crossover.candles import repeat_rows, write_rows
from benchmarks.backtest import NAUTILUS, execute, prepare, read_candles

ROUNDS = 3
TIMES = 3
SCRIPT = Path(__file__).resolve().parent / "_indicators" / "nautilus.py"


def run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        file = write_rows(Path(folder) / "candles.csv", repeat_rows(read_candles(), TIMES))
        ours = [
            execute([sys.executable, "-m", "benchmarks._indicators.ours", str(file)]) for _ in range(ROUNDS)
        ]
        theirs = [execute([str(prepare(NAUTILUS)), str(SCRIPT), str(file)]) for _ in range(ROUNDS)]
    counts = {result["count"] for result in (*ours, *theirs)}
    if len(counts) != 1:
        raise AssertionError(f"the two do not count the same candles: {sorted(counts)}")
    events, reference = ours[0]["events"], min(result["seconds"] for result in theirs)
    what = f"{events} candles through five indicators, {counts.pop()} counted by both ({load_note()})"
    return [
        _row(what, events, min(result["seconds"] for result in ours), reference, target=1.0),
        _row(
            "the same, decoded from the bus one by one",
            events,
            min(result["from_the_bus_seconds"] for result in ours),
            reference,
            target=None,
        ),
    ]


def _row(metric: str, events: int, seconds: float, reference: float, target: float | None) -> dict[str, Any]:
    ratio = reference / seconds
    return {
        "metric": metric,
        "unit": "events/s",
        "ours": events / seconds,
        "reference": events / reference,
        "reference_name": NAUTILUS.package,
        "ratio": ratio,
        "target": f"ratio >= {target}" if target else "reported",
        "met": ratio >= target if target else None,
    }
