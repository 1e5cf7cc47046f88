"""Bars a second of CPU time for a two-EMA crossover with orders, beside its peers on the same candles.

The candles are those of the CSV file that SMARTTRADE_BENCH_CANDLES names (timestamp, open, high, low, close),
else a seeded month of one-minute candles; a long run repeats them ten times. Runs of 100,000 and a million
bars, and of ten million where SMARTTRADE_BENCH_BARS=10000000 asks for them (about ten minutes of CPU time),
tell whether the cost of a bar stays. Each package runs in a process of its own, the peers in environments in
the cache. The rule, the packages' scripts and the comparison of trades are in `_crossover`.
"""

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks._crossover.candles import MONTH, Row, draw_rows, read_rows, repeat_rows, write_rows
from benchmarks._crossover.compare import compare_trades

ROUNDS = 2
SHORTEST = 100_000
TARGET, TARGET_WITHOUT, TARGET_MEMORY, TARGET_FLAT = 3.0, 1.0, 0.5, 1.2
SELDOM = "500,1000"
SCRIPTS = Path(__file__).resolve().parent / "_crossover"
ROOT = SCRIPTS.parent.parent
Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Peer:
    """`package` is pinned; some need a source distribution of a dependency."""

    name: str
    package: str
    script: str

    @property
    def python(self) -> Path:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "smarttrade" / f"bench-{self.name}" / "venv" / "bin" / "python"


NAUTILUS = Peer("nautilus", "nautilus_trader==1.221.0", "nautilus.py")  # the newest one for Python 3.11
OTHERS = (
    Peer("backtrader", "backtrader==1.9.78.123", "backtrader_cross.py"),
    Peer("backtesting", "backtesting==0.6.6", "backtesting_cross.py"),
    Peer("freqtrade", "freqtrade==2026.9", "freqtrade_cross.py"),
)


def run() -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        rows = read_candles()
        month = write_rows(Path(folder) / "month.csv", rows)
        long = write_rows(Path(folder) / "long.csv", repeat_rows(rows, 10))
        found = [*with_orders(month), *seldom(month), *ten_times(long)]
        return [*found, *flat(rows, Path(folder))]


def read_candles() -> list[Row]:
    named = os.environ.get("SMARTTRADE_BENCH_CANDLES")
    return read_rows(Path(named)) if named else draw_rows(MONTH)


def with_orders(file: Path) -> list[Result]:
    """Speed, memory and trades over the month; every peer."""
    mine, theirs = best(lambda: ours(file, "--trades")), best(lambda: ask(NAUTILUS, file, "--trades"))
    what = f"{mine['bars']} one-minute bars, EMA 10/20 with orders ({mine['orders']})"
    rows = [
        speed(f"{what}; {compare_trades(mine['trades'], theirs['trades'])}", mine, theirs, NAUTILUS, TARGET),
        build_row(
            f"{what}, peak memory",
            "MiB",
            mine["peak_mib"],
            theirs["peak_mib"],
            NAUTILUS.package,
            f"ratio <= {TARGET_MEMORY}",
            mine["peak_mib"] <= TARGET_MEMORY * theirs["peak_mib"],
        ),
    ]
    for peer in OTHERS:
        result = ask(peer, file, "--trades")
        rows.append(
            speed(f"{what}; {compare_trades(mine['trades'], result['trades'])}", mine, result, peer, None)
        )
    return rows


def seldom(file: Path) -> list[Result]:
    mine, theirs = (
        best(lambda: ours(file, "--periods", SELDOM)),
        best(lambda: ask(NAUTILUS, file, "--periods", SELDOM)),
    )
    what = f"{mine['bars']} one-minute bars, EMA 500/1000, hardly an order ({mine['orders']})"
    return [speed(what, mine, theirs, NAUTILUS, TARGET_WITHOUT)]


def ten_times(file: Path) -> list[Result]:
    mine, theirs = ours(file), ask(NAUTILUS, file)
    what = f"{mine['bars']} one-minute bars, EMA 10/20 with orders ({mine['orders']})"
    return [
        speed(what, mine, theirs, NAUTILUS, TARGET),
        build_row(
            f"{what}, peak memory",
            "MiB",
            mine["peak_mib"],
            theirs["peak_mib"],
            NAUTILUS.package,
            f"ratio <= {TARGET_MEMORY}",
            mine["peak_mib"] <= TARGET_MEMORY * theirs["peak_mib"],
        ),
    ]


def flat(rows: list[Row], folder: Path) -> list[Result]:
    """Whether a bar costs as much in a long run as in a short one, and how much memory it takes."""
    most = int(os.environ.get("SMARTTRADE_BENCH_BARS", SHORTEST * 10))
    decades = [SHORTEST * 10**power for power in range(10) if SHORTEST * 10**power <= most]
    short, *longer = [of_length(rows, bars, folder / "bars.csv") for bars in decades]
    return [
        build_row(
            f"{long['bars']} bars at {cost(long):.1f} us, {long['peak_mib']:.0f} MiB, and {short['bars']} "
            f"at {cost(short):.1f} us, {short['peak_mib']:.0f} MiB",
            "bars/s",
            rate(long),
            rate(short),
            "smarttrade, the shorter run",
            f"ratio >= {1 / TARGET_FLAT:.2f}",
            rate(long) * TARGET_FLAT >= rate(short),
        )
        for long in longer
    ]


def of_length(rows: list[Row], bars: int, file: Path) -> Result:
    """The candles again and again, as many as asked for."""
    result = ours(write_rows(file, islice(repeat_rows(rows, -(-bars // len(rows))), bars)))
    file.unlink()
    return result


def cost(result: Result) -> float:
    """Microseconds of CPU time a bar."""
    return 1e6 / rate(result)


def speed(what: str, mine: Result, theirs: Result, peer: Peer, target: float | None) -> Result:
    ratio = rate(mine) / rate(theirs)
    met = None if target is None else ratio >= target
    told = None if target is None else f"ratio >= {target}"
    return build_row(what, "bars/s", rate(mine), rate(theirs), peer.package, told, met)


def build_row(
    metric: str, unit: str, mine: float, theirs: float, name: str, target: str | None, met: bool | None
) -> Result:
    return {
        "metric": metric,
        "unit": unit,
        "ours": mine,
        "reference": theirs,
        "reference_name": name,
        "ratio": mine / theirs,
        "target": target,
        "met": met,
    }


def rate(result: Result) -> float:
    return float(result["bars"] / result["seconds"])


def best(measure: Any) -> Result:
    return max((measure() for _ in range(ROUNDS)), key=rate)


def ours(file: Path, *options: str) -> Result:
    return execute([sys.executable, "-m", "benchmarks._crossover.ours", str(file), *options])


def ask(peer: Peer, file: Path, *options: str) -> Result:
    return execute([str(prepare(peer)), str(SCRIPTS / peer.script), str(file), *options])


def execute(command: Sequence[str]) -> Result:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def prepare(peer: Peer) -> Path:
    """The peer's interpreter, installed once for each version."""
    python, mark = peer.python, peer.python.parent.parent / "installed"
    if not mark.exists() or mark.read_text() != peer.package:
        venv.create(python.parent.parent, with_pip=True, clear=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "--prefer-binary", peer.package], check=True
        )
        mark.write_text(peer.package)
    return python
