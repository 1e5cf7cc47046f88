"""What the exchange does to its markets: suspension, new rules, maintenance. Trading stops, and goes on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.component.execution.theatre import BTC, ETH, Theatre, eventually


async def trading(stage: Any) -> Theatre:
    theatre: Theatre = await stage(replicas=1)
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    await theatre.outcome(await theatre.target("0.5", BTC))
    return theatre


async def test_a_suspended_market_takes_no_more_orders_and_opens_again_by_itself(stage: Any) -> None:
    theatre = await trading(stage)
    theatre.exchange.suspend(BTC)
    assert await theatre.outcome(await theatre.target("1", BTC)) == ("Rejected", "MarketClosed")

    async def denied() -> bool:
        return await theatre.outcome(await theatre.target("1", BTC)) == ("Denied", "StateReduceOnly")

    await eventually(denied, "the market is ReduceOnly")
    assert await theatre.outcome(await theatre.target("1", ETH)) == ("Reached", "")
    theatre.exchange.suspend(BTC, suspended=False)

    async def reached() -> bool:
        return await theatre.outcome(await theatre.target("1", BTC)) == ("Reached", "")

    await eventually(reached, "the market is open again")
    assert abs(theatre.bought(BTC) - 1) < Decimal("0.02")


async def test_changed_rules_are_read_again_when_they_refuse_an_order(stage: Any) -> None:
    theatre = await trading(stage)
    theatre.exchange.change_rules(BTC, step_size=Decimal("0.1"), min_quantity=Decimal("0.1"))

    async def reached() -> bool:
        return await theatre.outcome(await theatre.target("1.25", BTC)) == ("Reached", "")

    await eventually(reached, "orders by the new rules")
    assert Decimal("1.1") < theatre.bought(BTC) <= Decimal("1.25")


async def test_a_pod_that_starts_during_maintenance_trades_when_it_is_over(stage: Any) -> None:
    theatre: Theatre = await stage(replicas=1)
    theatre.exchange.faults.inject("maintenance")
    await theatre.control()
    await theatre.start("a")
    await eventually(lambda: "the markets were not read" in theatre.pods["a"].output, "a failed start")

    async def is_ready() -> bool:
        return await theatre.pods["a"].probe("readyz") == 200

    await eventually(is_ready, "readiness, which is not the exchange's health")
    assert await theatre.pods["a"].probe("livez") == 200
    theatre.exchange.faults.clear()
    await theatre.leader()
    assert await theatre.outcome(await theatre.target("1", BTC)) == ("Reached", "")
