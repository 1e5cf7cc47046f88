"""From a trade published on the bus to the HTTP request of the order that it caused, at the exchange.

In between: a real evaluation process with a strategy that trades on every trade, a real execution process
with its checks, and the order's intent in the log, synced. The reference makes the same hops in as many
processes with nats-py, one synced append and one HTTP POST, and nothing else. Both are measured alternately,
one at a time, so what the machine does else strikes both alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

from benchmarks import _bare_hop
from benchmarks._account import MARKET, PRICE, Account, load_note, percentile
from smarttrade import messages
from smarttrade.bus.accounts import build_accounts
from smarttrade.bus.connection import Connection, connect
from smarttrade.errors import BusError
from smarttrade.identity import AccountIdentity
from smarttrade.source import pack, read_folder
from tests.component.execution.theatre import eventually

TICKS, WARM_UP = 1_000, 100
WORST_P50, WORST_P99 = 3.0, 2.0
POD = "a"
_LONGEST_S = 10.0
_STRATEGY = '''"""Trades on every trade."""

from decimal import Decimal

from smarttrade import Strategy, Trade


class EveryTrade(Strategy):
    def start(self):
        self.high = False

    def on_trade(self, trade: Trade):
        self.high = not self.high
        return self.target(trade.market, Decimal(2 if self.high else 1))
'''


def run() -> list[dict[str, Any]]:
    ours, bare = uvloop.run(_measure())
    return [_row(0.5, WORST_P50, ours, bare), _row(0.99, WORST_P99, ours, bare)]


def _row(share: float, worst: float, ours: list[float], bare: list[float]) -> dict[str, Any]:
    mine, theirs = percentile(ours, share), percentile(bare, share)
    return {
        "metric": f"tick to order request, p{share * 100:.0f} of {TICKS} ({load_note()})",
        "unit": "ms",
        "ours": mine,
        "reference": theirs,
        "reference_name": "bare nats-py hops, one synced append, one POST",
        "ratio": mine / theirs,
        "target": f"ratio <= {worst}",
        "met": mine / theirs <= worst,
    }


async def _measure() -> tuple[list[float], list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            Account(Path(folder)) as account,
            _evaluation(account, Path(folder)),
            Bare(account) as bare,
        ):
            ours_way = Ours(account)
            await eventually(ours_way.trades, "the strategy's first order", 60)
            for _ in range(WARM_UP):
                await ours_way.once()
                await bare.once()
            return await _alternate(ours_way, bare)


async def _alternate(ours_way: Ours, bare: Bare) -> tuple[list[float], list[float]]:
    ours, theirs = [], []
    for _ in range(TICKS):
        ours.append(await ours_way.once())
        theirs.append(await bare.once())
    return ours, theirs


class Ours:
    """Publishes a trade and times the order request; waits for the outcome, so that nothing overlaps."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._trade = 0
        self._arrived: asyncio.Future[float] | None = None
        self._run = account.exchange.dispatcher.run
        account.exchange.dispatcher.run = self._requested  # type: ignore[method-assign]

    async def once(self) -> float:
        """Milliseconds."""
        self._arrived = asyncio.get_running_loop().create_future()
        account, started = self._account, time.perf_counter()
        outcomes = account.outcome_count
        await account.tell(POD, "trade", self._next())
        arrived = await asyncio.wait_for(self._arrived, _LONGEST_S)
        while account.outcome_count == outcomes:  # noqa: ASYNC110 - a callback counts
            await asyncio.sleep(0.001)
        return (arrived - started) * 1000

    async def trades(self) -> bool:
        """Whether evaluation and execution are up: a trade causes an order."""
        with contextlib.suppress(TimeoutError):
            self._arrived = asyncio.get_running_loop().create_future()
            await self._account.tell(POD, "trade", self._next())
            await asyncio.wait_for(self._arrived, 1.0)
            await asyncio.sleep(0.5)
            return True
        return False

    def _next(self) -> messages.Trade:
        self._trade += 1
        return messages.Trade(
            market=MARKET,
            id=str(self._trade),
            price=PRICE,
            quantity=Decimal("0.01"),
            side=messages.Side.BUY,
            time_ms=self._account.exchange.clock.now_ms(),
        )

    async def _requested(self, operation: Any, call: Any) -> Any:
        if call.endpoint == "POST /api/v3/order" and self._arrived and not self._arrived.done():
            self._arrived.set_result(time.perf_counter())
        return await self._run(operation, call)


class Bare:
    """The same way without us."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._arrived: asyncio.Future[float] | None = None
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Bare:
        url = await self._listen()
        identity = AccountIdentity("tests", "bare", "bare")
        pair = build_accounts(self._account._keys, identity)
        await self._account._provisioner.push(pair)
        await self._account._provisioner.ensure_assets(identity)
        for role in ("evaluation", "execution"):
            await self._start(role, pair.credentials[role], url)
        self._nc: Connection = await connect(
            self._account.bus_url,
            name="bare",
            role="monitoring",
            credentials=pair.credentials["monitoring"],
            on_closed=_closed,
        )
        self._stack.push_async_callback(self._nc.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def once(self) -> float:
        """Milliseconds."""
        self._arrived = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        await self._nc.publish(_bare_hop.MARKET, b"t" * 300)
        return (await asyncio.wait_for(self._arrived, _LONGEST_S) - started) * 1000

    async def _listen(self) -> str:
        app = web.Application()
        app.router.add_post("/order", self._order)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/order"

    async def _order(self, request: web.Request) -> web.Response:
        if self._arrived and not self._arrived.done():
            self._arrived.set_result(time.perf_counter())
        await request.read()
        return web.Response(text="{}")

    async def _start(self, role: str, credentials: str, url: str) -> None:
        path = self._account.directory / f"bare-{role}.creds"
        path.write_text(credentials)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _bare_hop.__name__,
            role,
            self._account.bus_url,
            str(path),
            url,
            stdout=asyncio.subprocess.PIPE,
        )
        self._stack.push_async_callback(_kill, process)
        assert process.stdout is not None
        await process.stdout.readline()


@contextlib.asynccontextmanager
async def _evaluation(account: Account, folder: Path) -> AsyncIterator[None]:
    """The account's pod: execution, and evaluation with a strategy of its own."""
    sources = folder / "strategy"
    sources.mkdir()
    (sources / "every_trade.py").write_text(_STRATEGY)
    source = {"configMapRef": {"name": "bench"}, "class": "every_trade.EveryTrade"}
    account.strategy = pack("bench", read_folder(sources))
    await account.open(strategy={"source": source, "timeframe": "1m"})
    await account.serve_history(POD)
    await account.start(POD)
    await account.leader()
    credentials = folder / "evaluation.creds"
    credentials.write_text(account._pair.credentials["evaluation"])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "smarttrade.evaluation",
        env={
            **os.environ,
            **account.pod_environment(POD),
            "SMARTTRADE_NATS_CREDENTIALS": str(credentials),
        },
        stdout=(folder / "evaluation.log").open("wb"),
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield
    finally:
        await _kill(process)


async def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def _closed() -> None:
    raise BusError("the bare connection was closed for good")
