"""Faults of exchange, process and bus: every decision is executed, and none twice.

The journal of the exchange is the truth: what was bought must be what was wanted, whatever was believed
on the way.
"""

from __future__ import annotations

import asyncio
import signal
from decimal import Decimal
from typing import Any

import pytest

from tests.component.execution.theatre import BTC, ETH, Pod, Theatre, eventually

DEAD_BAND = Decimal("0.01")
"""Share of the target below which a difference counts as reached; 0.002 is below the smallest order."""


def assert_holds(theatre: Theatre, quantity: str, market: str = BTC) -> None:
    """What the exchange filled is the target, neither less nor more."""
    target, bought = Decimal(quantity), theatre.bought(market)
    assert abs(bought - target) <= max(DEAD_BAND * target, Decimal("0.002")), f"{bought} for {target}"


@pytest.mark.parametrize(
    "fault",
    [
        "timeout-before",
        "timeout-after",
        "reset-before",
        "reset-after",
        "truncated",
        "server-error",
        "unknown-executed",
        "unknown-not-executed",
        "maintenance",
    ],
)
async def test_a_fault_of_the_exchange_neither_loses_nor_doubles_an_order(stage: Any, fault: str) -> None:
    theatre = await stage(replicas=1)
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    theatre.exchange.faults.inject(fault, endpoint="POST /api/v3/order", times=1)
    decision = await theatre.target("1")
    assert await theatre.outcome(decision) == ("Reached", "")
    assert_holds(theatre, "1")
    assert theatre.exchange.faults.injected


async def test_other_markets_go_on_while_one_waits_for_the_fate_of_an_order(stage: Any) -> None:
    theatre = await stage(replicas=1)
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    theatre.exchange.faults.inject("timeout-before", endpoint="POST /api/v3/order", times=1)
    theatre.exchange.faults.inject("server-error", endpoint="GET /api/v3/order")
    held = await theatre.target("1", BTC)
    await eventually(lambda: theatre.exchange.faults.injected.get("timeout-before"), "BTC's order in doubt")
    free = await theatre.target("1", ETH)
    assert await theatre.outcome(free) == ("Reached", "")
    assert not theatre.outcomes(held)
    theatre.exchange.faults.clear()
    assert await theatre.outcome(held) == ("Reached", "")
    assert_holds(theatre, "1", BTC)


async def test_an_order_that_is_visible_late_is_not_sent_again(stage: Any) -> None:
    theatre = await stage(replicas=1)
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    theatre.exchange.faults.inject("timeout-after", endpoint="POST /api/v3/order", times=1)
    theatre.exchange.faults.inject("late-visibility", delay_ms=1_000, times=1)
    decision = await theatre.target("1")
    assert await theatre.outcome(decision) == ("Reached", "")
    assert_holds(theatre, "1")
    assert len(theatre.orders()) == 1


async def test_a_clock_that_jumps_is_measured_again_and_trading_goes_on(stage: Any) -> None:
    theatre = await stage(replicas=1)
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    await theatre.outcome(await theatre.target("1"))
    theatre.exchange.skew(5_000)
    decision = await theatre.target("2")
    assert await theatre.outcome(decision) == ("Reached", "")
    assert_holds(theatre, "2")


async def test_a_leader_stopped_between_check_and_send_cannot_double_the_order(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    theatre = await stage(replicas=2)
    await theatre.control()
    monkeypatch.setenv("PAUSE_BEFORE_ORDERS", "2")
    sleeper = await theatre.start("a", module="tests.component.execution.paused_execution")
    await theatre.leader()
    await theatre.start("b")
    await theatre.outcome(await theatre.target("1"))
    decision = await theatre.target("2")
    await eventually(lambda: _stopped(sleeper), "the leader's pause")
    assert await theatre.outcome(decision) == ("Reached", "")
    sleeper.signal(signal.SIGCONT)
    await theatre.outcome(await theatre.target("3"))
    await asyncio.sleep(1.0)
    assert_holds(theatre, "3")


async def test_a_leader_killed_with_an_order_in_flight_leaves_it_to_its_standby(stage: Any) -> None:
    theatre = await stage(replicas=2)
    await theatre.control()
    for name in ("a", "b"):
        await theatre.start(name)
    leader = await theatre.leader()
    theatre.exchange.faults.inject("latency", endpoint="POST /api/v3/order", delay_ms=300, times=1)
    decision = await theatre.target("1")
    await asyncio.sleep(0.1)
    await leader.kill()
    assert await theatre.outcome(decision) == ("Reached", "")
    assert_holds(theatre, "1")


async def test_random_kills_and_stops_under_trading_execute_every_decision_once(stage: Any) -> None:
    theatre = await stage(replicas=2)
    await theatre.control()
    for name in ("a", "b"):
        await theatre.start(name)
    await theatre.leader()
    kinds = ["timeout-after", "reset-after", "truncated", "unknown-executed", "timeout-before"]
    wanted = "0"
    for round_ in range(12):
        wanted = ("1", "0.3", "2", "0")[round_ % 4]
        if round_ % 3 == 0:
            theatre.exchange.faults.inject(
                kinds[round_ // 3 % len(kinds)], endpoint="POST /api/v3/order", times=1
            )
        decision = await theatre.target(wanted)
        if round_ % 4 == 1:
            leader = await theatre.leader()
            await leader.kill()
            await theatre.start(leader.name)
        elif round_ % 4 == 3:
            leader = await theatre.leader()
            leader.signal(signal.SIGSTOP)
            await asyncio.sleep(1.5)
            leader.signal(signal.SIGCONT)
        await theatre.outcome(decision)
    assert_holds(theatre, wanted)
    cids = theatre.orders()
    assert len(set(cids)) == len(cids)


async def test_trading_goes_on_after_the_user_stream_broke(stage: Any) -> None:
    theatre = await stage(replicas=1)
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    await theatre.outcome(await theatre.target("1"))
    theatre.exchange.drop_websockets()
    assert await theatre.outcome(await theatre.target("2")) == ("Reached", "")
    assert_holds(theatre, "2")


def _stopped(pod: Pod) -> bool:
    with open(f"/proc/{pod.process.pid}/stat") as status:
        return status.read().rsplit(")", 1)[1].split()[0] == "T"
