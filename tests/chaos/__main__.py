"""`python -m tests.chaos`: trading with real processes under real faults, judged by the exchange's journal.

python -m tests.chaos                      the full programme: FULL below
python -m tests.chaos --quick              a short run
python -m tests.chaos --seed 7 --faults 50 --servers 3 --hold-ms 10000
python -m tests.chaos --replay FOLDER/schedule.json
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from pathlib import Path

from cluster import binaries
from tests.chaos.run import Result, run
from tests.chaos.schedule import Schedule, build_schedule, read_schedule

DECISIONS, FAULTS = 2_000, 300
BINANCE_HOLD_MS = 10_000


def full_programme(seed: int) -> list[Schedule]:
    """Rounds of one account each: a single server, a cluster of three, and Binance's own hold."""
    single = [build_schedule(seed + n, 60, decisions=350) for n in range(4)]
    cluster = [build_schedule(seed + n, 50, servers=3, decisions=350) for n in (10, 11)]
    patient = [build_schedule(seed + 20, 55, hold_ms=BINANCE_HOLD_MS, decisions=200)]
    return [*single, *cluster, *patient]


def main(arguments: list[str]) -> int:
    """0 when every invariant held and the programme was large enough, else 1."""
    options = _parse(arguments)
    schedules = _schedules(options)
    folder = options.output / time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    binary = binaries.ensure("nats-server")
    results: list[Result] = []
    for number, schedule in enumerate(schedules, 1):
        say(f"round {number} of {len(schedules)}: {_title(schedule)}")
        result = asyncio.run(run(schedule, binary, folder / f"round-{number}", say))
        results.append(result)
        say(_report(result))
        if result.violation:
            say(f"VIOLATED: {result.violation}")
            say(f"replay with: python -m tests.chaos --replay {result.evidence}/schedule.json")
    return _sum_up(results, full=not options.replay and not options.quick and options.faults is None)


def say(line: str) -> None:
    print(line, flush=True)


def _parse(arguments: list[str]) -> argparse.Namespace:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, help="one round of this many faults in place of the programme")
    parser.add_argument("--servers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--hold-ms", type=int, default=2_000)
    parser.add_argument("--quick", action="store_true", help="one round of ten faults")
    parser.add_argument("--replay", type=Path, help="the schedule of a run that failed")
    parser.add_argument("--output", type=Path, default=cache / "smarttrade" / "chaos")
    return parser.parse_args(arguments)


def _schedules(options: argparse.Namespace) -> list[Schedule]:
    if options.replay:
        return [read_schedule(options.replay)]
    if options.faults is None and not options.quick:
        return full_programme(options.seed)
    faults = options.faults or 10
    return [build_schedule(options.seed, faults, servers=options.servers, hold_ms=options.hold_ms)]


def _title(schedule: Schedule) -> str:
    return (
        f"seed {schedule.seed}, {len(schedule.faults)} faults, {schedule.servers} server(s), "
        f"hold {schedule.hold_ms} ms"
    )


def _report(result: Result) -> str:
    return (
        f"  {result.decisions} decisions, {result.struck} faults struck, {result.orders} orders, "
        f"{result.fills} fills, {result.epochs} epochs, {result.seconds:.0f} s: "
        f"{'FAILED' if result.violation else 'all invariants held'}"
    )


def _sum_up(results: list[Result], *, full: bool) -> int:
    decisions, struck = sum(r.decisions for r in results), sum(r.struck for r in results)
    kinds: Counter[str] = sum((r.faults for r in results), Counter())
    failed = [r for r in results if r.violation]
    say(f"{decisions} decisions under {struck} faults, {len(failed)} of {len(results)} rounds failed")
    say("faults: " + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()) if count))
    coverage: Counter[str] = sum((r.coverage for r in results), Counter())
    say("seen: " + ", ".join(f"{what} {count}" for what, count in sorted(coverage.items())))
    short = full and (decisions < DECISIONS or struck < FAULTS)
    if short:
        say(f"too little: {DECISIONS} decisions under {FAULTS} faults are wanted")
    return 1 if failed or short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
