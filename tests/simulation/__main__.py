"""`make simulate`: many histories with every safeguard on, then each one off until something is violated.

    python -m tests.simulation                       100,000 histories, then the safeguards
    python -m tests.simulation --histories 2000      fewer
    python -m tests.simulation --seed 42             one history, with everything that happened in it
    python -m tests.simulation --store               find one violating seed per safeguard again

A violation is shrunk and printed as a plan; `--plan FILE` runs such a plan. Exit code 1 says that a history
violated an invariant, that a safeguard was not missed, or that the histories covered too little.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

import msgspec

from tests.simulation.coverage import Coverage
from tests.simulation.history import run
from tests.simulation.plan import Plan, build_plan
from tests.simulation.safeguards import SWITCHED_OFF, Safeguards
from tests.simulation.shrink import shrink

SEEDS = Path(__file__).with_name("seeds.json")
HISTORIES, SEARCHED, PROCESSES, PROGRESS = 100_000, 20_000, 2, 5_000


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    if options.seed is not None or options.plan:
        return _show(_plan(options), options.without)
    if options.store:
        return _store()
    failed = _search(options.histories, options.first, options.processes)
    return _safeguards(options.searched, options.processes) or failed


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--histories", type=int, default=HISTORIES)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--searched", type=int, default=SEARCHED, help="histories at most per safeguard")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--seed", type=int, help="show this history")
    parser.add_argument("--plan", type=Path, help="show the history of this plan")
    parser.add_argument("--without", choices=sorted(SWITCHED_OFF), help="with this safeguard off")
    parser.add_argument("--store", action="store_true", help="write one violating seed per safeguard")
    return parser.parse_args(arguments)


def _plan(options: argparse.Namespace) -> Plan:
    if options.plan:
        return msgspec.json.decode(options.plan.read_bytes(), type=Plan)
    return build_plan(options.seed)


def _show(plan: Plan, without: str | None) -> int:
    verdict = run(plan, _safeguard(without), trace=True)
    print(*verdict.trace, sep="\n")
    print(msgspec.json.encode(plan).decode())
    print(f"violated: {verdict.invariant}: {verdict.detail}" if verdict.invariant else "everything held")
    return 1 if verdict.invariant else 0


def _search(histories: int, first: int, processes: int) -> int:
    """Every safeguard on: nothing may be violated."""
    coverage, started, violated = Coverage(), time.monotonic(), 0
    seeds = range(first, first + histories)
    with Pool(processes, _collect_seldom) as pool:
        for seed, invariant, detail, counts in pool.imap_unordered(_one, seeds, chunksize=50):
            coverage.add(counts)
            if coverage.histories % PROGRESS == 0:
                print(f"{coverage.histories} histories, {time.monotonic() - started:.0f} s", flush=True)
            if invariant:
                violated += 1
                print(f"seed {seed} violates: {invariant}: {detail}", flush=True)
                if violated <= 3:
                    _print_shrunk(seed, invariant)
    print(*coverage.lines(), sep="\n")
    shortfalls = list(coverage.shortfalls())
    print(*(f"too little: {each}" for each in shortfalls), sep="\n")
    print(f"{violated} violations in {histories} histories, {time.monotonic() - started:.0f} s", flush=True)
    return 1 if violated or shortfalls else 0


def _collect_seldom() -> None:
    """A history makes little that only the collector of cycles can free, and it took a tenth of the time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _one(seed: int) -> tuple[int, str, str, Counter[str]]:
    verdict = run(build_plan(seed))
    return seed, verdict.invariant, verdict.detail, verdict.coverage


def _print_shrunk(seed: int, invariant: str) -> None:
    small = shrink(build_plan(seed), invariant, Safeguards)
    print(f"  shrunk to {len(small.faults)} faults and {len(small.wishes)} decisions; run it with --plan:")
    print(f"  {msgspec.json.encode(small).decode()}", flush=True)


def _safeguards(searched: int, processes: int) -> int:
    """Each safeguard off in turn: something must be violated."""
    missing = []
    with Pool(processes, _collect_seldom) as pool:
        for name, found in pool.imap(_first_violation, [(name, searched) for name in SWITCHED_OFF]):
            print(f"without {name}: {_told(found)}", flush=True)
            if found is None:
                missing.append(name)
    print(
        *(f"nothing is violated without {name}: the simulation cannot see it" for name in missing), sep="\n"
    )
    return 1 if missing else 0


Found = tuple[int, str] | None


def _first_violation(asked: tuple[str, int]) -> tuple[str, Found]:
    name, searched = asked
    return name, next(_violations(name, searched), None)


def _violations(name: str, searched: int) -> Iterator[tuple[int, str]]:
    for seed in range(searched):
        verdict = run(build_plan(seed), SWITCHED_OFF[name]())
        if verdict.is_missed:
            yield seed, verdict.invariant


def _told(found: Found) -> str:
    return f"seed {found[0]} violates: {found[1]}" if found else "no violation"


def _store() -> int:
    stored = {}
    for name in SWITCHED_OFF:
        _, found = _first_violation((name, SEARCHED))
        if found is None:
            print(f"nothing is violated without {name}", file=sys.stderr)
            return 1
        stored[name] = {"seed": found[0], "invariant": found[1]}
        print(f"{name}: {_told(found)}", flush=True)
    SEEDS.write_text(json.dumps(stored, indent=2) + "\n")
    return 0


def _safeguard(name: str | None) -> Safeguards:
    return SWITCHED_OFF[name]() if name else Safeguards()


if __name__ == "__main__":
    sys.exit(main())
