"""The bus fails under trading: it stops, it is killed, it comes back."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from typing import Any

import pytest

from smarttrade.messages import OrderStyle
from tests.component.execution.theatre import BTC, eventually


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
async def test_trading_goes_on_after_the_nats_server_came_back(stage: Any, kill: bool) -> None:
    theatre = await stage(replicas=2)
    await theatre.control()
    for name in ("a", "b"):
        await theatre.start(name)
    leader = await theatre.leader()
    await theatre.outcome(await theatre.target("1"))
    assert await leader.probe("readyz") == 200
    await theatre.server.stop(kill=kill)
    await asyncio.sleep(2.0)
    assert [await leader.probe("readyz"), await leader.probe("livez")] == [503, 200]
    await theatre.server.start()
    decision = await theatre.target("2")
    assert await theatre.outcome(decision) == ("Reached", "")
    assert abs(theatre.bought() - 2) <= Decimal("0.02")


async def test_a_leader_cut_off_from_the_bus_cancels_its_resting_orders_in_time(stage: Any) -> None:
    theatre = await stage(replicas=1)
    await theatre.control(onBusLoss={"after": "2s", "do": "CancelResting"})
    await theatre.start("a")
    await theatre.leader()
    await theatre.target("1", style=OrderStyle.PASSIVE)
    await eventually(lambda: len(theatre.open_orders()) == 1, "the bid rests")
    cut_off = time.monotonic()
    await theatre.server.stop(kill=True)
    await eventually(lambda: theatre.open_orders() == [], "the bid is cancelled")
    assert time.monotonic() - cut_off >= 2.0
    await theatre.server.start()


async def test_a_fill_that_came_while_the_bus_was_away_is_in_the_ledger_afterwards(stage: Any) -> None:
    theatre = await stage(replicas=1)
    await theatre.control(onBusLoss={"after": "60s", "do": "Keep"})
    await theatre.start("a")
    await theatre.leader()
    await theatre.target("1", style=OrderStyle.PASSIVE)
    await eventually(lambda: len(theatre.open_orders()) == 1, "the bid rests")
    await theatre.server.stop(kill=True)
    theatre.price(BTC, "59000")
    await eventually(lambda: theatre.bought() > Decimal("0.99"), "the fill")
    await theatre.server.start()
    theatre.views.clear()
    await eventually(
        lambda: "a" in theatre.views and [p for p in theatre.views["a"].positions if p.quantity > 0],
        "the position",
    )


async def test_a_fill_of_a_resting_order_is_told_at_once_by_the_user_stream(stage: Any) -> None:
    theatre = await stage(replicas=1)
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    decision = await theatre.target("1", style=OrderStyle.PASSIVE)
    await eventually(lambda: len(theatre.open_orders()) == 1, "the bid rests")
    theatre.exchange.faults.inject("server-error", endpoint="GET /api/v3/*")  # asking would not help
    theatre.price(BTC, "59000")
    assert await theatre.outcome(decision) == ("Reached", "")
