"""Two versions of execution on one log, while it trades: a rollout, and the way back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.component.execution.theatre import BTC, Pod, Theatre, eventually

OLDER = "tests.component.execution.older_execution"


async def _reach(theatre: Theatre, quantity: str, **more: Any) -> None:
    decision = await theatre.target(quantity, **more)
    assert await theatre.outcome(decision) == ("Reached", "")
    assert abs(theatre.bought(BTC) - Decimal(quantity)) <= Decimal("0.01")


async def _hand_on(theatre: Theatre, leader: Pod, successor: str) -> Pod:
    """Kill the leader while a decision is offered; the other one has to lead."""
    await leader.kill()
    following = await theatre.leader(other_than=leader.name)
    assert following.name == successor
    return following


async def test_an_older_and_a_newer_version_trade_on_one_log_until_it_says_what_the_older_cannot_read(
    stage: Any,
) -> None:
    theatre: Theatre = await stage(replicas=2)
    await theatre.control()
    await theatre.start("old-1", module=OLDER)
    leader = await theatre.leader()
    await _reach(theatre, "1")
    await theatre.start("new-1")
    await _reach(theatre, "1.5")

    leader = await _hand_on(theatre, leader, "new-1")
    await _reach(theatre, "2")
    await theatre.start("old-2", module=OLDER)
    await _reach(theatre, "1.2")
    leader = await _hand_on(theatre, leader, "old-2")
    await _reach(theatre, "0.7")

    await theatre.start("new-2")
    await eventually(lambda: "new-2" in theatre.views, "the newer one follows the log")
    leader = await _hand_on(theatre, leader, "new-2")
    await _reach(theatre, "1", stop_loss=Decimal(50_000))
    await eventually(lambda: theatre.open_orders(), "the stop rests")
    aside = await theatre.start("old-3", module=OLDER)
    await eventually(lambda: "finish the rollout" in aside.output, "the older one says why it stands aside")
    await _reach(theatre, "0")
    assert theatre.open_orders() == []
    ids = theatre.orders()
    assert len(ids) == len(set(ids))
    seen = theatre.views.get("old-3")
    assert seen is None or not seen.leading
