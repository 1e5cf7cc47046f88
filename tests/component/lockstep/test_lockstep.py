"""The same as live: the account as it runs, and a backtest on the same market, agree order by order."""

from __future__ import annotations

import asyncio
import math
import random
from decimal import Decimal
from pathlib import Path

import msgspec

from smarttrade.backtest.agreement import Done, build_done, compare_fills
from smarttrade.backtest.history import History
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.result import Recorded
from smarttrade.backtest.run import Backtest
from smarttrade.backtest.trades import build_journal_history, build_trade_history
from tests.component.lockstep.running import MARKET, SECOND_MS, Running, build_account, run_account
from tests.component.monitoring.pod import IDENTITY, Bus

START = Decimal(60_000)
WARM_UP = 4
PATH = [START + step for step in (60, 90, -20, -90, -30, 70, 110)]


def replay(history: History) -> Recorded:
    """A backtest in which an order arrives a millisecond after its decision, at no other cost."""
    assumed = Assumptions(spread=Decimal(0), slippage=Decimal(0), latency_ms=1)
    return Backtest(build_account(), history, assumed, identity=IDENTITY).run()


async def settle(running: Running) -> int:
    """Let every second trade at the same price until the account decides; the second it decided on."""
    while not running.outcomes:
        running.move(START)
        await running.second(after_ms=50)
    return await running.second(after_ms=50)


async def test_in_lock_step_every_order_and_fill_is_that_of_the_backtest(bus: Bus, tmp_path: Path) -> None:
    async with run_account(bus, tmp_path, START) as running:
        begins_ms = await settle(running)
        for price in PATH:
            await running.decided(begins_ms - SECOND_MS)
            running.move(price)
            begins_ms = await running.second(after_ms=20)
        await running.decided(begins_ms - SECOND_MS)
        running.move(PATH[-1])
        accepted = len(list(running.exchange.journal.entries("alice", kind="NEW")))
    recorded = replay(build_trade_history({MARKET: running.moves()}))
    backtest = build_done(recorded.fills)
    assert len(backtest) >= 3
    assert accepted == recorded.orders == len(recorded.fills)
    assert [_essence(done) for done in running.done] == [_essence(done) for done in backtest]
    reached = {outcome.id: outcome.outcome for outcome in recorded.outcomes}
    told = {key: outcome.outcome for key, outcome in running.outcomes.items() if key in reached}
    assert len(told) >= len(PATH)
    assert told == {key: reached[key] for key in told}


async def test_free_running_the_journal_replays_to_the_same_decisions_and_orders(
    bus: Bus, tmp_path: Path
) -> None:
    draw = random.Random(7)
    async with run_account(bus, tmp_path, START) as running:
        await settle(running)
        for number in range(75):
            running.move(START + round(150 * math.sin(number / 8)) + draw.randint(-10, 10))
            await asyncio.sleep(draw.uniform(0.05, 0.15))
        await running.second(after_ms=600)
        account, journal = running.done, build_journal_history(running.journal)
    recorded = replay(journal)
    replayed = {decision.id: decision for decision in recorded.decisions}
    decided = [decision for decision in running.decisions if decision.id in replayed]
    assert len(decided) >= len(running.decisions) - WARM_UP > 5
    # A backtest restarts nothing, so its decisions carry no memory.
    assert [msgspec.structs.replace(decision, memory="") for decision in decided] == [
        replayed[decision.id] for decision in decided
    ]
    backtest = build_done(recorded.fills)
    assert len(account) >= 2
    assert [(d.side, d.quantity) for d in account] == [(d.side, d.quantity) for d in backtest][: len(account)]
    for each in compare_fills(account, backtest):
        told = f"{each.later_ms:+} ms, {each.dearer * 10_000:+.2f} basis points dearer in the backtest"
        print(f"{each.account.side} by {each.account.decision_id}: {told}")


def _essence(done: Done) -> tuple[object, ...]:
    return done.decision_id, done.market, done.side, done.quantity, done.spent, done.fees
