"""Another exchange key in the mounted Secret, while the account trades."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from smarttrade.messages import Side
from smarttrade.simulator.testing import build_test_user
from smarttrade.simulator.users import build_key
from tests.component.execution.theatre import BTC, ETH, Theatre


def _issue_key(theatre: Theatre) -> None:
    """A second key of the same account, which both work until the first is withdrawn."""
    theatre.key, theatre.secret = "alice-newer-key", "alice-newer-secret"
    config = replace(build_test_user("alice"), key=theatre.key, secret=theatre.secret)
    venue = theatre.exchange.venue
    venue.users[theatre.key] = build_key(config, theatre.exchange.account("alice"))


async def test_another_key_is_taken_up_by_a_hand_over_and_no_order_is_lost_or_doubled(stage: Any) -> None:
    theatre: Theatre = await stage(replicas=2)
    await theatre.control()
    pods = [await theatre.start(name) for name in ("a", "b")]
    await theatre.leader()
    await theatre.outcome(await theatre.rest("bid", Side.BUY, "2900", "1", ETH))
    await theatre.outcome(await theatre.target("1"))
    resting = theatre.open_orders()

    _issue_key(theatre)
    theatre.mount_key()
    assert [await pod.process.wait() for pod in pods] == [0, 0]
    assert all("the exchange key is another one" in pod.output for pod in pods)
    del theatre.exchange.venue.users["alice-key"]
    for name in ("a-again", "b-again"):
        await theatre.start(name)
    decision = await theatre.target("2")
    assert await theatre.outcome(decision) == ("Reached", "")
    assert abs(theatre.bought(BTC) - 2) <= Decimal("0.01")
    assert theatre.open_orders() == resting
    assert len(theatre.orders()) == len(set(theatre.orders())) == 3
    assert not any(theatre.secret in pod.output or theatre.key in pod.output for pod in theatre.pods.values())
