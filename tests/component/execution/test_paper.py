"""Paper and Live in lock-step on the same market, and a paper account that was away."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

from smarttrade import messages
from smarttrade.bus import subjects
from smarttrade.messages import OrderStyle
from tests.component.execution.theatre import BTC, Theatre, eventually

MANY = Decimal(1000)
TICK = Decimal("0.01")


async def market_moves(theatre: Theatre, price: str) -> None:
    """The same quote and trade on the simulator and, as monitoring would tell them, to the pods."""
    theatre.price(BTC, price)
    middle, now_ms = Decimal(price), theatre.exchange.clock.now_ms()
    quote = messages.Quote(
        market=BTC, bid=middle - TICK, bid_quantity=MANY, ask=middle + TICK, ask_quantity=MANY, time_ms=now_ms
    )
    await tell(theatre, "quote", quote)
    await market_trades(theatre, price, "0.00001", messages.Side.BUY, apply=False)


async def market_trades(
    theatre: Theatre, price: str, quantity: str, side: messages.Side, *, apply: bool = True
) -> None:
    if apply:
        theatre.exchange.trade(BTC, price, quantity, buyer_is_maker=side is messages.Side.SELL)
    trade = messages.Trade(
        market=BTC,
        id=str(theatre.exchange.venue.by_symbol[BTC].state.next_trade_id),
        price=Decimal(price),
        quantity=Decimal(quantity),
        side=side,
        time_ms=theatre.exchange.clock.now_ms(),
    )
    await tell(theatre, "trade", trade)


async def tell(theatre: Theatre, kind: str, event: Any) -> None:
    """Published and taken by the server, so that whatever is decided next comes after it."""
    for pod in theatre.pods:
        batch = messages.MarketBatch(feed="test", seq=0, events=[event])
        await theatre.monitoring.publish(subjects.market(pod, kind), messages.encode(batch))
    await theatre.monitoring.flush()


def fills(theatre: Theatre) -> list[tuple[Any, ...]]:
    """What execution told of its fills, each once, orders numbered as they came: an order's id names the lead
    that intended it, and the exchange's own ids are the exchange's."""
    found = {m.trade_id: m for m in theatre.heard if isinstance(m, messages.Fill)}
    orders = list(dict.fromkeys(f.client_order_id for f in found.values()))
    return [
        (
            orders.index(f.client_order_id),
            f.decision_id,
            f.market,
            f.side,
            f.price,
            f.quantity,
            f.fee,
            f.fee_asset,
            f.maker,
        )
        for f in found.values()
    ]


async def filled(theatre: Theatre, count: int) -> None:
    await eventually(lambda: len(fills(theatre)) >= count, f"{count} fills, not {fills(theatre)}")


async def resting(theatre: Theatre) -> None:
    await eventually(lambda: theatre.reports and theatre.reports[-1].open_orders == 1, "an order rests")


async def trade_through_a_day(theatre: Theatre) -> None:
    """Each step waits until the one before has been carried out."""
    await theatre.control()
    await theatre.start("a")
    await theatre.leader()
    await market_moves(theatre, "60000")
    await theatre.outcome(await theatre.target("1"))
    await market_moves(theatre, "60400")
    await theatre.outcome(await theatre.target("0.4"))
    await market_moves(theatre, "60100")
    await theatre.target("1.4", style=OrderStyle.PASSIVE, limit=Decimal(59_500))
    await resting(theatre)
    before = len(fills(theatre))
    await market_trades(theatre, "59500", "0.3", messages.Side.SELL)
    await market_trades(theatre, "59400", "5", messages.Side.SELL)
    await filled(theatre, before + 1)
    await market_moves(theatre, "59600")
    await theatre.outcome(await theatre.target("2.5"))
    await market_moves(theatre, "61000")
    await theatre.outcome(await theatre.target("0"))


async def test_in_lock_step_paper_makes_the_fills_of_the_live_account(
    nats_server_binary: Path, tmp_path: Path
) -> None:
    done = {}
    for mode in ("Live", "Paper"):
        directory = tmp_path / mode
        directory.mkdir()
        async with Theatre(nats_server_binary, directory, replicas=1, mode=mode) as theatre:
            await trade_through_a_day(theatre)
            done[mode] = fills(theatre)
            assert bool(theatre.orders()) == (mode == "Live")
    assert len(done["Live"]) >= 5
    assert {fill[-1] for fill in done["Live"]} == {True, False}
    assert done["Paper"] == done["Live"]


async def test_what_was_missed_is_matched_by_the_next_leader_before_it_trades(stage: Any) -> None:
    theatre: Theatre = await stage(replicas=2, mode="Paper")
    await theatre.control()
    for name in ("a", "b"):
        await theatre.start(name)
    leader = await theatre.leader()
    await theatre.target("1", style=OrderStyle.PASSIVE, limit=Decimal(59_000))
    await resting(theatre)
    await asyncio.sleep(1.5)  # past the order's deadline, until which nobody can say that it rested
    await leader.kill()
    theatre.exchange.trade(BTC, "58990", "0.01")
    await theatre.leader(other_than=leader.name)
    await filled(theatre, 1)
    [(_, _, market, side, price, quantity, *_, maker)] = fills(theatre)
    assert (market, side, quantity, maker) == (BTC, messages.Side.BUY, Decimal(1), True)
    assert price <= Decimal(59_000)
    assert theatre.orders() == []
