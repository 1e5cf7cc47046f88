"""States, deletion, hand-over and paper trading of real containers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from smarttrade.messages import Check, OrderStyle
from tests.chaos.proxy import Proxy
from tests.component.execution.theatre import BTC, ETH, Theatre, eventually


def check(theatre: Theatre, kind: str) -> Check | None:
    leading = [report for report in theatre.reports if report.leading]
    return next((c for c in leading[-1].checks if c.type == kind), None) if leading else None


async def trading(stage: Any, **options: Any) -> Theatre:
    theatre: Theatre = await stage(**{"replicas": 1, **options})
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    return theatre


async def test_flatten_sells_what_the_ledger_holds_and_leaves_the_rest_of_the_wallet(stage: Any) -> None:
    theatre = await trading(stage)
    await theatre.outcome(await theatre.target("1", BTC))
    await theatre.outcome(await theatre.target("2", ETH))
    await theatre.control(state="Flatten")
    await eventually(lambda: theatre.bought(BTC) < Decimal("0.002"), "BTC sold")
    await eventually(lambda: theatre.bought(ETH) < Decimal("0.002"), "ETH sold")
    free, locked = theatre.exchange.balance("alice", "BTC")
    assert Decimal(10) <= free + locked < Decimal("10.002")


async def test_halted_cancels_the_own_orders_and_foreign_ones_stay(stage: Any) -> None:
    """How soon is shown on virtual time: `tests/simulation/test_halt.py`."""
    theatre = await trading(stage)
    foreign = await theatre.place_by_hand(BTC, "50000", "0.1")
    await theatre.target("1", style=OrderStyle.PASSIVE)
    await eventually(lambda: len(theatre.open_orders()) == 2, "the bid rests")
    await theatre.control(state="Halted")
    await eventually(lambda: theatre.open_orders() == [foreign], "own order cancelled")


@pytest.mark.parametrize(("policy", "left"), [("CancelOrders", "1"), ("Flatten", "0")])
async def test_deletion_settles_and_says_so(stage: Any, policy: str, left: str) -> None:
    theatre = await trading(stage)
    await theatre.outcome(await theatre.target("1"))
    await theatre.control(deleting=True, deletionPolicy=policy)
    await eventually(lambda: (c := check(theatre, "Settled")) and c.ok, "settled")
    assert abs(theatre.bought() - Decimal(left)) < Decimal("0.002")


async def test_a_terminated_leader_hands_over_and_nothing_is_lost(stage: Any) -> None:
    theatre = await stage(replicas=2)
    await theatre.control()
    for name in ("a", "b"):
        await theatre.start(name)
    leader = await theatre.leader()
    await theatre.outcome(await theatre.target("1"))
    epoch = theatre.views[leader.name].epoch
    assert await leader.terminate() == 0
    successor = await theatre.leader(other_than=leader.name)
    await theatre.outcome(await theatre.target("2"))
    assert abs(theatre.bought() - 2) < Decimal("0.02")
    assert theatre.views[successor.name].epoch > epoch


async def test_an_account_with_wrong_keys_says_so_and_does_not_trade(stage: Any) -> None:
    theatre = await stage(replicas=1)
    theatre.secret = "not-the-secret"
    await theatre.control()
    await theatre.start("a")
    await eventually(
        lambda: (c := check(theatre, "CredentialsValid")) and c.reason == "Refused", "the refusal"
    )
    assert theatre.orders() == []


async def test_paper_trades_without_keys_and_touches_no_exchange_account(stage: Any) -> None:
    theatre = await trading(stage, mode="Paper")
    decision = await theatre.target("1")
    assert await theatre.outcome(decision) == ("Reached", "")
    await eventually(
        lambda: [p.quantity for p in theatre.views["a"].positions] == [Decimal("0.999")], "the position"
    )
    assert theatre.orders() == []


async def test_paper_goes_on_from_the_log_after_a_crash(stage: Any) -> None:
    theatre = await trading(stage, mode="Paper")
    await theatre.outcome(await theatre.target("1"))
    await theatre.pods["a"].kill()
    theatre.views.clear()
    await theatre.start("a")
    await theatre.leader()
    assert await theatre.outcome(await theatre.target("0")) == ("Reached", "")
    await eventually(lambda: theatre.views["a"].positions[0].quantity < Decimal("0.002"), "sold")


async def test_a_resting_paper_order_survives_a_crash_and_fills(stage: Any) -> None:
    theatre = await trading(stage, mode="Paper")
    await theatre.target("1", style=OrderStyle.PASSIVE, limit=Decimal(59_000))
    await eventually(lambda: theatre.reports and theatre.reports[-1].open_orders == 1, "the bid rests")
    await theatre.pods["a"].kill()
    theatre.views.clear()
    await theatre.start("a")
    await theatre.leader()
    theatre.price(BTC, "58000")
    await eventually(
        lambda: [p for p in theatre.views["a"].positions if p.quantity > Decimal("0.99")], "the fill"
    )
    [position] = theatre.views["a"].positions
    assert position.average_price <= Decimal(59_100)


async def test_a_leader_that_alone_cannot_reach_the_exchange_gives_the_lead_to_the_other(stage: Any) -> None:
    theatre = await stage(replicas=2)
    await theatre.control()
    async with Proxy(theatre.exchange_port) as way_a, Proxy(theatre.exchange_port) as way_b:
        ways = {"a": way_a, "b": way_b}
        for name, way in ways.items():
            theatre.detours[name] = way.port
            await theatre.start(name)
        leader = await theatre.leader()
        await theatre.outcome(await theatre.target("1"))
        ways[leader.name].silence()
        other = await theatre.leader(other_than=leader.name)
        await theatre.outcome(await theatre.target("2"))
        assert theatre.views[other.name].leading
        assert leader.process.returncode is None
        await eventually(lambda: not theatre.views[leader.name].leading, "the other knows that it stands by")
        ways[leader.name].restore()
        await theatre.outcome(await theatre.target("1"))
    assert abs(theatre.bought() - 1) < Decimal("0.01")
    assert len(theatre.orders()) == len(set(theatre.orders())) == 3


@pytest.mark.parametrize("sick", ["hung", "blind"], ids=["evaluation hangs", "monitoring is silent"])
async def test_a_leader_whose_own_pod_is_sick_gives_the_lead_to_the_other(stage: Any, sick: str) -> None:
    theatre = await stage(replicas=2)
    await theatre.control()
    for name in ("a", "b"):
        await theatre.start(name)
    leader = await theatre.leader()
    await theatre.outcome(await theatre.target("1"))
    getattr(theatre, sick).add(leader.name)
    other = await theatre.leader(other_than=leader.name)
    await theatre.outcome(await theatre.target("2"))
    assert theatre.views[other.name].leading


@pytest.mark.parametrize("mode", ["Live", "Paper"])
async def test_a_market_taken_out_of_the_specification_is_flattened_too(stage: Any, mode: str) -> None:
    """Monitoring follows it no more, so execution has to ask for its price."""
    theatre = await trading(stage, mode=mode)
    await theatre.outcome(await theatre.target("2", ETH))
    del theatre._prices[ETH]
    listed = [{"symbol": BTC}]
    await theatre.control(markets=listed)
    await eventually(lambda: (c := check(theatre, "ConfigApplied")) and ETH in c.message, "it is told")
    await theatre.control(markets=listed, state="Flatten")

    def held() -> Decimal:
        positions = theatre.views["a"].positions
        return sum((p.quantity for p in positions if p.market == ETH), Decimal(0))

    await eventually(lambda: held() < Decimal("0.01"), "what was held there is sold")
