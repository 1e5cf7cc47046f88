"""Ten accounts at work beside a hostile one that floods the bus they share.

Each of the ten makes the whole way of a trade over a real nats-server: a price, a decision, a synced record
in the log, a fill heard. Measured without the flood, with a flood held to the bandwidth that an object gives
its pods by default, and with the same flood let loose, which shows what the limit is for. A lost round or a
wrong answer ends the benchmark with an error.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path
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
SECONDS = 12.0
WORST = 1.5
PAUSE_S = 0.1
LIMITS = AccountLimits(log_bytes=32 * 1024 * 1024)
_MILLION = 1_000_000


def run() -> list[dict[str, Any]]:
    limit = _default_bits()
    quiet, limited, loose, sent = uvloop.run(_measure(limit))
    name = f"{VICTIMS} accounts alone, p99"
    shown = {"unit": "ms", "reference": quiet, "reference_name": name}
    return [
        shown
        | {
            "metric": f"tick to order beside a flood of {limit // _MILLION} Mbit/s, p99 ({load_note()})",
            "ours": limited,
            "ratio": limited / quiet,
            "target": f"<= {WORST}x, none lost",
            "met": limited <= WORST * quiet,
        },
        shown
        | {
            "metric": f"the same flood let loose ({sent * 8 / SECONDS / _MILLION:.0f} Mbit/s), p99",
            "ours": loose,
            "ratio": loose / quiet,
            "target": f"> {WORST}x: the limit is needed",
            "met": loose > WORST * quiet,
        },
    ]


def _default_bits() -> int:
    """Of `spec.resources.egressBandwidth`."""
    number = re.fullmatch(r"(\d+)M", Resources().egress_bandwidth)
    assert number
    return int(number[1]) * _MILLION


async def _measure(limit: int) -> tuple[float, float, float, int]:
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
                quiet, _ = await _observe(victims)
                limited, _ = await _observe(victims, server.port, stolen, limit)
                loose, sent = await _observe(victims, server.port, stolen, 0)
            finally:
                for victim in victims:
                    await victim.close()
                await provisioner.close()
    return quiet, limited, loose, sent


async def _provision(provisioner: Provisioner, keys: OperatorKeys, name: str) -> AccountPair:
    identity = AccountIdentity("benchmark", name, name)
    pair = build_accounts(keys, identity, LIMITS)
    await provisioner.push(pair)
    await provisioner.ensure_assets(identity, limits=LIMITS)
    await provisioner.write_control(identity, CONTROL)
    return pair


async def _observe(victims: list[Victim], *flood: object) -> tuple[float, int]:
    """The p99 of all rounds of a while in milliseconds, and the bytes of the flood."""
    for victim in victims:
        victim.rounds_s.clear()
    words = [sys.executable, "-m", "benchmarks._flood", *map(str, flood), str(SECONDS)]
    sent = 0
    if flood:
        process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
        told, _ = await process.communicate()
        sent = int(told)
    else:
        await asyncio.sleep(SECONDS)
    rounds = [seconds for victim in victims for seconds in victim.rounds_s]
    await asyncio.gather(*(victim.is_whole() for victim in victims))
    return percentile(rounds, 0.99) * 1000, sent
