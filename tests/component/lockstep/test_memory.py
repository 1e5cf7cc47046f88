"""What a strategy remembers is the same after a restart and a fail-over: real processes, real orders."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from tests.component.lockstep.running import POD, Running, build_account, run_account
from tests.component.monitoring.pod import Bus

START, LATER = Decimal(60_000), Decimal(60_300)
STANDBY = "alice-1"
RESUMED = "going on with what the strategy remembered"
GRID = {"name": "grid", "timeframe": "1s", "parameters": {"levels": 3, "step": "0.005", "fraction": "0.5"}}


def prices(running: Running) -> set[Decimal]:
    """Of all orders that were ever placed: a set of two seconds' validity ends while the lead moves."""
    return {Decimal(order.price) for order in running.exchange.journal.entries("alice", kind="NEW")}


async def trading(running: Running, price: Decimal, until: Callable[[], bool], what: str) -> None:
    """Let every second trade at this price until something holds."""

    async def trade() -> None:
        while True:
            running.move(price)
            await running.second(after_ms=50)

    trades = asyncio.create_task(trade())
    try:
        await running.until(until, what)
    finally:
        trades.cancel()


async def decides_on(running: Running) -> None:
    enough = len(running.decisions) + 2
    await trading(running, LATER, lambda: len(running.decisions) >= enough, "two more decisions")


async def test_a_grid_rests_around_its_anchor_after_a_restart_and_a_fail_over(
    bus: Bus, tmp_path: Path
) -> None:
    """Whatever starts after the price has moved would by itself begin with another anchor."""
    async with run_account(bus, tmp_path, START, build_account(GRID, replicas=2)) as running:
        await trading(running, START, lambda: len(prices(running)) == 3, "the grid rests")
        rests = prices(running)
        await decides_on(running)

        await running.kill(POD, "evaluation")
        await running.spawn(POD, "evaluation")
        await running.until(lambda: RESUMED in running.log(POD, "evaluation").read_text(), "it has resumed")
        await decides_on(running)

        await running.start_pod(STANDBY)
        await running.until(
            lambda: "specification applied" in running.log(STANDBY, "evaluation").read_text(),
            "a warm standby",
        )
        await running.kill(POD)
        await running.until(
            lambda: RESUMED in running.log(STANDBY, "evaluation").read_text(), "the lead moves"
        )
        await decides_on(running)

        assert {Decimal(decision.reason.removeprefix("anchor ")) for decision in running.decisions} == {START}
        assert prices(running) == rests
