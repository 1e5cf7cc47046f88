"""Runs benchmarks side by side with their references: `make bench [NAME=...]`.

Every module in this folder with `run() -> list[dict]` is one. A row is
{"metric", "unit", "ours", "reference", "reference_name", "ratio", "target", "met"}; `met` false is a finding,
not a failure: the exit code says only whether every benchmark ran. Results go to
`benchmarks/results/NAME.json`.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"
COLUMNS = ("metric", "unit", "ours", "reference", "reference_name", "ratio", "target", "met")

Row = dict[str, Any]


def discover(folder: Path = FOLDER) -> list[str]:
    """Names of the benchmarks, sorted."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def describe_machine() -> dict[str, Any]:
    """What the figures hold for."""
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def check_rows(name: str, rows: Any) -> list[Row]:
    """The rows as they are; TypeError names what a benchmark left out."""
    if not isinstance(rows, list) or not rows:
        raise TypeError(f"{name}.run() must return a list with at least one row")
    for row in rows:
        missing = [column for column in COLUMNS if column not in row]
        if missing:
            raise TypeError(f"{name}: row {row.get('metric', '?')!r} lacks {', '.join(missing)}")
    return rows


def run_one(name: str, results: Path = RESULTS, package: str = "benchmarks") -> list[Row]:
    """Run one benchmark and write its result."""
    started = time.monotonic()
    rows = check_rows(name, importlib.import_module(f"{package}.{name}").run())
    document = {
        "name": name,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.monotonic() - started, 1),
        "machine": describe_machine(),
        "rows": rows,
    }
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{name}.json").write_text(
        json.dumps(document, indent=2, default=str) + "\n", encoding="utf-8"
    )
    return rows


def build_table(name: str, rows: Iterable[Row]) -> Table:
    table = Table(*("metric", "ours", "reference", "", "ratio", "target", "met"), title=name)
    for row in rows:
        unit = row["unit"]
        reference = "-" if row["reference"] is None else f"{_figure(row['reference'])} {unit}"
        met = {True: "[green]yes[/green]", False: "[red]no[/red]", None: "-"}[row["met"]]
        table.add_row(
            row["metric"],
            f"{_figure(row['ours'])} {unit}",
            reference,
            str(row["reference_name"] or ""),
            _figure(row["ratio"]),
            str(row["target"] or ""),
            met,
        )
    return table


def main(names: list[str]) -> int:
    """0 when all ran, 1 when one crashed, 2 for an unknown name."""
    known = discover()
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there is: {', '.join(known) or 'none'}", file=sys.stderr)
        return 2
    console, crashed = Console(), []
    for name in names or known:
        console.print(f"running {name}")
        try:
            console.print(build_table(name, run_one(name)))
        except Exception:  # noqa: BLE001 - one that crashes must not keep the others from running
            traceback.print_exc()
            crashed.append(name)
    if crashed:
        console.print(f"[red]crashed: {', '.join(crashed)}[/red]")
    return 1 if crashed else 0


def _figure(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
