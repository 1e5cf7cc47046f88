"""Fetches an account's audit trail from one of its pods, page by page, and writes it to a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from smarttrade.errors import ConfigurationError, SmartTradeError

Row = dict[str, Any]
Fetch = Callable[[int, int], str]
"""From a sequence on, so many batches: lines of JSON."""

PAGE = 2_000
_SUFFIXES = (".jsonl", ".parquet")


def check_target(path: Path) -> None:
    """ConfigurationError before anything is fetched that could then not be written."""
    if path.suffix not in _SUFFIXES:
        raise ConfigurationError(f"{path} must end in {' or '.join(_SUFFIXES)}")
    if path.exists():
        raise ConfigurationError(f"{path} exists: an audit trail is never overwritten")


def read_pages(fetch: Fetch, first: int = 1) -> Iterator[Row]:
    """Every record from the sequence on, in order."""
    while True:
        rows = [_read(line) for line in fetch(first, PAGE).splitlines() if line.strip()]
        yield from rows
        if len({row["sequence"] for row in rows}) < PAGE:
            return
        first = rows[-1]["sequence"] + 1


def _read(line: str) -> Row:
    try:
        row: Row = json.loads(line)
    except ValueError as error:
        raise SmartTradeError(f"the pod answered what is no audit trail: {line[:80]!r}") from error
    return row


def write_trail(rows: Iterable[Row], path: Path) -> int:
    """How many records were written: JSON lines as they are, or Parquet with the record as JSON text."""
    if path.suffix == ".parquet":
        return _write_parquet(list(rows), path)
    count = 0
    with path.open("x", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
            count += 1
    return count


def _write_parquet(rows: list[Row], path: Path) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ConfigurationError("Parquet needs pyarrow: pip install 'smarttrade[research]'") from error
    columns = {
        "sequence": pa.array([row["sequence"] for row in rows], pa.int64()),
        "index": pa.array([row["index"] for row in rows], pa.int32()),
        "time": pa.array([row["time"] for row in rows], pa.string()),
        "epoch": pa.array([row["epoch"] for row in rows], pa.int64()),
        "kind": pa.array([row["kind"] for row in rows], pa.string()),
        "record": pa.array([json.dumps(row["record"]) for row in rows], pa.string()),
    }
    pq.write_table(pa.table(columns), path)
    return len(rows)
