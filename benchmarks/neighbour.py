"""Ten accounts at work beside a hostile one that floods the bus they share.

Each of the ten makes the whole way of a trade over a real nats-server: a price, a decision, a synced record
in the log, a fill heard. Measured without the flood, with a flood held to the bandwidth that an object gives
its pods by default, and with the same flood let loose, which shows what the limit is for; in short turns, one
after the other, of which the median counts: a disk that stalls once is longer than anything a flood does, and
would hit whichever is measured then. A lost round or a wrong answer ends the benchmark with an error.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from benchmarks._account import load_note, percentile
from cluster import binaries
from smarttrade.api.operation import Resources
from smarttrade.bus.accounts import AccountLimits, AccountPair, build_accounts
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.identity import AccountIdentity
from tests.attacks.bus.victim import CONTROL, Victim

VICTIMS = 10
SECONDS = 5.0
TURNS = 9
WORST = 1.5
PAUSE_S = 0.1
STARTED_S = 0.5
"""In which a process of the flood begins, and what it left behind is over."""
LIMITS = AccountLimits(log_bytes=32 * 1024 * 1024)
_MILLION = 1_000_000


@dataclass(slots=True)
class Turns:
    """What one kind of neighbour does to the ten: a figure a turn in milliseconds, and the bytes it sent."""

    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    sent: int = 0


def run() -> list[dict[str, Any]]:
    limit = _default_bits()
    alone, limited, loose = uvloop.run(_measure(limit))
    rate = loose.sent * 8 / SECONDS / TURNS / _MILLION
    beside = f"tick to order beside a flood of {limit // _MILLION} Mbit/s"
    return [
        _row(f"{beside}, p99 ({load_note()})", "p99", limited.p99, alone.p99)
        | _target(f"<= {WORST}x, none lost", median(limited.p99) <= WORST * median(alone.p99)),
        _row(f"{beside}, p50", "p50", limited.p50, alone.p50),
        _row(f"the same flood let loose ({rate:.0f} Mbit/s), p99", "p99", loose.p99, alone.p99)
        | _target(f"> {WORST}x: the limit is needed", median(loose.p99) > WORST * median(alone.p99)),
        _row("the same flood let loose, p50", "p50", loose.p50, alone.p50),
    ]


def _row(metric: str, figure: str, ours: list[float], alone: list[float]) -> dict[str, Any]:
    """The medians of the turns, and how far the turns of those that are alone lie apart."""
    return {
        "metric": metric,
        "unit": "ms",
        "ours": median(ours),
        "reference": median(alone),
        "reference_name": (
            f"{VICTIMS} accounts alone, {figure}, median of {TURNS} turns ({min(alone):.1f}-{max(alone):.1f})"
        ),
        "ratio": median(ours) / median(alone),
        "target": "",
        "met": None,
    }


def _target(target: str, met: bool) -> dict[str, Any]:
    return {"target": target, "met": met}


def _default_bits() -> int:
    """Of `spec.resources.egressBandwidth`."""
    number = re.fullmatch(r"(\d+)M", Resources().egress_bandwidth)
    assert number
    return int(number[1]) * _MILLION


async def _measure(limit: int) -> tuple[Turns, Turns, Turns]:
    alone, limited, loose = Turns(), Turns(), Turns()
    keys = OperatorKeys.generate()
    with tempfile.TemporaryDirectory() as folder:
        async with LocalServer(keys, Path(folder) / "nats", binary=binaries.ensure("nats-server")) as server:
            provisioner = Provisioner(server.url, keys)
            await provisioner.connect()
            hostile = await _provision(provisioner, keys, "mallory")
            stolen = Path(folder) / "evaluation.creds"
            stolen.write_text(hostile.credentials["evaluation"])
            pairs = [await _provision(provisioner, keys, f"victim-{n}") for n in range(VICTIMS)]
            victims = [Victim(server.url, pair, pause_s=PAUSE_S) for pair in pairs]
            await asyncio.gather(*(victim.start() for victim in victims))
            try:
                await asyncio.sleep(SECONDS)  # connections, files and pages that are used for the first time
                for _ in range(TURNS):
                    await _observe(alone, victims)
                    await _observe(limited, victims, server.port, stolen, limit)
                    await _observe(loose, victims, server.port, stolen, 0)
                await asyncio.gather(*(victim.is_whole() for victim in victims))
            finally:
                for victim in victims:
                    await victim.close()
                await provisioner.close()
    return alone, limited, loose


async def _provision(provisioner: Provisioner, keys: OperatorKeys, name: str) -> AccountPair:
    identity = AccountIdentity("benchmark", name, name)
    pair = build_accounts(keys, identity, LIMITS)
    await provisioner.push(pair)
    await provisioner.ensure_assets(identity, limits=LIMITS)
    await provisioner.write_control(identity, CONTROL)
    return pair


async def _observe(turns: Turns, victims: list[Victim], *flood: object) -> None:
    """One turn, of all rounds of the victims that end in it."""
    words = [sys.executable, "-m", "benchmarks._flood", *map(str, flood), str(SECONDS)]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE) if flood else None
    await asyncio.sleep(STARTED_S)
    for victim in victims:
        victim.rounds_s.clear()
    await asyncio.sleep(SECONDS - 2 * STARTED_S)
    rounds = [seconds for victim in victims for seconds in victim.rounds_s]
    turns.p50.append(percentile(rounds, 0.5) * 1000)
    turns.p99.append(percentile(rounds, 0.99) * 1000)
    if process:
        told, _ = await process.communicate()
        turns.sent += int(told)
    await asyncio.sleep(STARTED_S)
