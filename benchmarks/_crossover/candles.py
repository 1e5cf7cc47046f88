"""The candles of the benchmark: a recording, or a seeded random walk of a month where there is none."""

import csv
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

FEE = "0.001"
MONTH = 44_600
SEED, START_MS, MINUTE_MS = 20_220_101, 1_640_995_200_000, 60_000

Row = tuple[int, str, str, str, str]
"""Open time in ms; open, high, low and close as text."""


def draw_rows(count: int = MONTH) -> list[Row]:
    """A random walk with two decimals."""
    draw, price, rows = random.Random(SEED), 46_319.0, []
    for number in range(count):
        path = [price]
        for _ in range(4):
            path.append(path[-1] * (1 + draw.gauss(0, 0.0004)))
        opened, high, low, close = (f"{each:.2f}" for each in (path[0], max(path), min(path), path[-1]))
        rows.append((START_MS + number * MINUTE_MS, opened, high, low, close))
        price = path[-1]
    return rows


def read_rows(path: Path) -> list[Row]:
    """Rows of a CSV file with open, high, low, close; gaps are closed up, so all see the same."""
    with path.open(newline="", encoding="utf-8") as file:
        told = [(row["open"], row["high"], row["low"], row["close"]) for row in csv.DictReader(file)]
    return [(START_MS + number * MINUTE_MS, *prices) for number, prices in enumerate(told)]


def repeat_rows(rows: list[Row], times: int) -> Iterator[Row]:
    """The rows several times, one after the other in time."""
    length = len(rows)
    return (
        (START_MS + (copy * length + number) * MINUTE_MS, *row[1:])
        for copy in range(times)
        for number, row in enumerate(rows)
    )


def write_rows(path: Path, rows: Iterable[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("timestamp", "open", "high", "low", "close", "volume"))
        writer.writerows((*row, 1) for row in rows)
    return path
