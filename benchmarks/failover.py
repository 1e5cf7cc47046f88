"""From the leader's SIGKILL to the first order that the exchange accepts from its standby.

With nothing in flight: every decision had ended, then the leader is killed, and decisions come at 20/s. With
one open intent: the leader is killed when its order is on the wire, which never arrives; the standby has to
prove that before it may send again. The reference is a bare lease of nats-py in a KV bucket with the same
time to live, polled as often: from the last renewal to another's successful creation.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from typing import Any

import uvloop
from nats.aio.client import Client
from nats.errors import Error as NatsError

from benchmarks._account import MARKET, Account, load_note, opened, percentile
from smarttrade.bus import subjects
from smarttrade.bus.accounts import build_accounts
from smarttrade.errors import BusError
from smarttrade.exchange.capabilities import SIMULATOR, find_capability
from smarttrade.identity import AccountIdentity
from tests.chaos.proxy import Fate
from tests.component.execution.theatre import eventually

NAMES = ("a", "b")
TTL_S = 1.0
IDLE_KILLS, OPEN_KILLS, BARE_TAKE_OVERS = 15, 8, 10
DECISIONS_PER_S = 20
WORST_P50, WORST_P90 = 1.3, 2.0
_ORDER = b"POST /api/v3/order"


def run() -> list[dict[str, Any]]:
    idle, in_doubt, bare = uvloop.run(_measure())
    row = find_capability("binance", SIMULATOR)
    limit_s = max(TTL_S, (row.window_ms + row.hold_ms) / 1000) + 1.0
    reference = percentile(bare, 0.5)
    return [
        _row("nothing in flight, p50", percentile(idle, 0.5), reference, WORST_P50 * TTL_S),
        _row("nothing in flight, p90", percentile(idle, 0.9), reference, WORST_P90 * TTL_S),
        _row(f"an intent open (hold {row.hold_ms} ms), p90", percentile(in_doubt, 0.9), reference, limit_s),
    ]


def _row(what: str, ours: float, reference: float, limit_s: float) -> dict[str, Any]:
    return {
        "metric": f"kill to next accepted order, {what} ({load_note()})",
        "unit": "s",
        "ours": ours,
        "reference": reference,
        "reference_name": f"bare KV lease of {TTL_S:g} s: last renewal to next holder, p50",
        "ratio": ours / reference,
        "target": f"<= {limit_s:g} s",
        "met": ours <= limit_s,
    }


async def _measure() -> tuple[list[float], list[float], list[float]]:
    async with opened(NAMES, proxied=True) as account:
        trader = _Trader(account)
        idle = [await _kill_idle(account, trader) for _ in range(IDLE_KILLS)]
        in_doubt = [await _kill_in_doubt(account, trader) for _ in range(OPEN_KILLS)]
        bare = await _bare(account)
    return idle, in_doubt, bare


async def _kill_idle(account: Account, trader: _Trader) -> float:
    leader = await _ready(account, trader)
    account.pods[leader].signal(signal.SIGKILL)
    return await _until_next_order(account, trader, leader)


async def _kill_in_doubt(account: Account, trader: _Trader) -> float:
    leader = await _ready(account, trader)
    struck = asyncio.Event()

    async def strike() -> Fate:
        account.pods[leader].signal(signal.SIGKILL)
        struck.set()
        return Fate.LOST

    account.ways[leader].lay_trap(_ORDER, strike)
    deciding = asyncio.create_task(trader.decide([leader]))
    await asyncio.wait_for(struck.wait(), 10)
    deciding.cancel()
    return await _until_next_order(account, trader, leader)


async def _ready(account: Account, trader: _Trader) -> str:
    """Both replicas up, all ended; the leader."""
    for name in NAMES:
        if account.pods[name].process.returncode is not None:
            account.views.pop(name, None)
            await account.start(name)
    await eventually(lambda: len(account.views) == len(NAMES), "both replicas speak", 60)
    leader = (await account.leader()).name
    await trader.settle(leader)
    return leader


async def _until_next_order(account: Account, trader: _Trader, dead: str) -> float:
    started, before = time.perf_counter(), len(account.orders())
    account.views.pop(dead, None)
    living = [name for name in NAMES if name != dead]
    while len(account.orders()) == before:
        asked = asyncio.create_task(trader.decide(living))
        await asyncio.sleep(1 / DECISIONS_PER_S)
        trader.keep(asked)
    seconds = time.perf_counter() - started
    await account.pods[dead].kill()
    return seconds


class _Trader:
    """Wants more and less of the one market in turn."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._high = False
        self._tasks: set[asyncio.Task[str | None]] = set()

    async def decide(self, pods: list[str]) -> str | None:
        self._high = not self._high
        with contextlib.suppress(NatsError, BusError, TimeoutError):
            return await self._account.decide(pods[0], MARKET, "2" if self._high else "1")
        return None

    async def settle(self, leader: str) -> None:
        """A decision that ends: everything before it has ended too."""

        async def ended() -> bool:
            decision = await self.decide([leader])
            if decision is None:
                return False
            with contextlib.suppress(TimeoutError):
                return (await asyncio.wait_for(self._account.ended(decision), 10)).outcome == "Reached"
            return False

        await eventually(ended, "a decision is carried out", 60)

    def keep(self, task: asyncio.Task[str | None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _bare(account: Account) -> list[float]:
    """Take-overs of a key by compare-and-swap, with nats-py alone, in an account of its own."""
    identity = AccountIdentity("tests", "bare", "bare")
    pair = build_accounts(account._keys, identity)
    await account._provisioner.push(pair)
    await account._provisioner.ensure_assets(identity)
    path = account.directory / "bare.creds"
    path.write_text(pair.credentials["execution"])
    nc = Client()
    await nc.connect(
        servers=[account.bus_url],
        user_credentials=str(path),
        inbox_prefix=subjects.inbox("execution").encode(),
    )
    times = [await _take_over(nc) for _ in range(BARE_TAKE_OVERS)]
    await nc.close()
    return times


async def _take_over(nc: Client) -> float:
    """Seconds from the holder's last renewal until a follower, who saw none for the time to live, holds."""
    renewed, revision = time.perf_counter(), await _write(nc, await _revision(nc))
    seen_at, seen = 0.0, -1
    while True:
        found, now = await _revision(nc), time.perf_counter()
        if found != seen:
            seen_at, seen = now, found
        elif now - seen_at >= TTL_S:
            await _write(nc, revision)
            return time.perf_counter() - renewed
        await asyncio.sleep(TTL_S / 10)


async def _write(nc: Client, after: int) -> int:
    headers = {"Nats-Expected-Last-Subject-Sequence": str(after)}
    answer = await nc.request(subjects.LEASE_KEY, b"holder", timeout=2, headers=headers)
    return int(json.loads(answer.data)["seq"])


async def _revision(nc: Client) -> int:
    body = json.dumps({"last_by_subj": subjects.LEASE_KEY}).encode()
    answer = await nc.request(f"$JS.API.STREAM.MSG.GET.{subjects.LEASE_STREAM}", body, timeout=2)
    return int(json.loads(answer.data).get("message", {}).get("seq", 0))
