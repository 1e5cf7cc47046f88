"""An execution container trades on the simulated exchange, and its standby takes over."""

from __future__ import annotations

import signal
from decimal import Decimal
from typing import Any

from smarttrade.matching.units import to_decimal
from smarttrade.messages import Side
from tests.component.execution.theatre import BTC, eventually


async def test_a_decision_becomes_a_filled_order_and_reaches_its_target(stage: Any) -> None:
    theatre = await stage(replicas=1)
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    decision = await theatre.target("1")
    assert await theatre.outcome(decision) == ("Reached", "")
    assert theatre.bought(BTC) == Decimal("0.999")
    assert len(theatre.orders()) == 1


async def test_a_resting_order_that_is_wanted_smaller_keeps_its_place(stage: Any) -> None:
    theatre = await stage(replicas=1)
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    await theatre.outcome(await theatre.rest("bid", Side.BUY, "59000", "1"))
    [order] = theatre.exchange.account("alice").open_orders.values()
    placed = order.client_order_id, order.id
    assert await theatre.outcome(await theatre.rest("bid", Side.BUY, "59000", "0.4")) == ("Reached", "")
    [lowered] = theatre.exchange.account("alice").open_orders.values()
    assert (lowered.client_order_id, lowered.id) == placed
    assert to_decimal(lowered.quantity) == Decimal("0.4")
    assert theatre.exchange.journal.cancels("alice") == []
    assert len(theatre.orders()) == 1


async def test_the_standby_takes_over_from_a_killed_leader(stage: Any) -> None:
    theatre = await stage(replicas=2)
    await theatre.control()
    for name in ("a", "b"):
        await theatre.start(name)
    leader = await theatre.leader()
    await theatre.outcome(await theatre.target("1"))
    leader.signal(signal.SIGKILL)
    decision = await theatre.target("2")
    assert await theatre.outcome(decision) == ("Reached", "")
    assert theatre.bought(BTC) >= Decimal("1.99")
    assert theatre.bought(BTC) <= Decimal("2.01")
    await eventually(lambda: len(theatre.reports) > 0, "a report")
