"""What every script of the benchmark prints. Standard library only: it runs in every peer's environment."""

import csv
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

Trade = tuple[int, float, int, float]
"""Entry in ms of UTC and price, exit likewise."""


def read(path: str) -> list[tuple[int, str, str, str, str]]:
    """Candles: open time in ms; open, high, low, close as text."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        return [(int(row[0]), row[1], row[2], row[3], row[4]) for row in rows]


def periods() -> tuple[int, int]:
    """Of the two means, fast and slow."""
    if "--periods" not in sys.argv:
        return 10, 20
    fast, slow = sys.argv[sys.argv.index("--periods") + 1].split(",")
    return int(fast), int(slow)


def main(run: Callable[[str], tuple[int, float, Sequence[Trade], int]]) -> None:
    """`run` takes the file; its bars, CPU seconds, trades and orders are printed with the peak of memory."""
    bars, seconds, trades, orders = run(sys.argv[1])
    document: dict[str, Any] = {
        "bars": bars,
        "seconds": seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "orders": orders,
        "trades": [list(trade) for trade in trades] if "--trades" in sys.argv else [],
    }
    print(json.dumps(document))


class Stopwatch:
    """CPU time of this process between entry and exit."""

    seconds = 0.0

    def __enter__(self) -> "Stopwatch":
        self._started = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.process_time() - self._started
