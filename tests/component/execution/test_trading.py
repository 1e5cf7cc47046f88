"""An execution container trades on the simulated exchange, and its standby takes over."""

from __future__ import annotations

import json
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from smarttrade.matching.units import to_decimal
from smarttrade.messages import Side
from smarttrade.simulator.testing import Simulator, build_test_user, manual_config
from tests.component.execution.theatre import BTC, ETH, Theatre, eventually

BNB = "BNB"


async def test_a_decision_becomes_a_filled_order_and_reaches_its_target(stage: Any) -> None:
    theatre = await stage(replicas=1)
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    decision = await theatre.target("1")
    assert await theatre.outcome(decision) == ("Reached", "")
    assert theatre.bought(BTC) == Decimal("0.999")
    [order] = theatre.orders()
    lines = [json.loads(line) for line in theatre.pods["a"].output.splitlines()]
    [placed] = [line for line in lines if line["event"] == "order placed"]
    told = {name: placed[name] for name in ("account", "component", "pod", "market", "decision", "order")}
    assert told == {
        "account": "alice/alice",
        "component": "execution",
        "pod": "a",
        "market": BTC,
        "decision": decision,
        "order": order,
    }


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


class _Discounted(Theatre):
    """Alice pays her fees in BNB, which she does not trade."""

    @staticmethod
    def build_exchange() -> Simulator:
        alice = build_test_user("alice", USDT="1000000", BNB="1")
        paying = msgspec.structs.replace(alice, fee_asset=BNB)
        return Simulator(manual_config(paying, symbols=(BTC, ETH, f"{BNB}/USDT"), seed=1))


async def test_fees_in_bnb_count_at_its_price_and_a_successor_counts_the_same(
    nats_server_binary: Path, tmp_path: Path
) -> None:
    async with _Discounted(nats_server_binary, tmp_path) as theatre:
        theatre.exchange.set_price(f"{BNB}/USDT", "600")
        await theatre.start("a")
        await theatre.control()
        await theatre.leader()
        assert await theatre.outcome(await theatre.target("1")) == ("Reached", "")
        await theatre.target("0")
        await eventually(lambda: not theatre.bought(), "the sale")
        fees = [fill.commission for fill in theatre.exchange.journal.fills("alice", BTC)]
        assets = {fill.commission_asset for fill in theatre.exchange.journal.fills("alice", BTC)}
        assert assets == {BNB}
        paid = sum(map(Decimal, fees)) * 600

        def profit(pod: str) -> Decimal:
            """As it is told by a leader that holds nothing any more."""
            told = [r for r in theatre.reports if r.pod == pod and r.leading and r.fills == len(fees)]
            return told[-1].realized_pnl if told else Decimal(0)

        # Bought at the ask and sold at the bid, so a little more is lost than the fees.
        lost = await eventually(lambda: profit("a") <= -paid and -profit("a"), "the fees")
        assert lost < paid * Decimal("1.1")
        await theatre.start("b")
        # A standby knows the log alone, so what a has told is written by then.
        await eventually(
            lambda: any(r.pod == "b" and r.fills == len(fees) for r in theatre.reports), "the log"
        )
        theatre.exchange.set_price(f"{BNB}/USDT", "900")
        await theatre.pods["a"].kill()
        assert await eventually(lambda: profit("b"), "what b tells") == -lost
