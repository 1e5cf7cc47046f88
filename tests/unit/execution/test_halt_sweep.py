"""A halt looks for orders at the exchange itself, for as long as one may still surface there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, cast

import pytest

from smarttrade.exchange.reports import OrderReport, VenueStatus
from smarttrade.execution import commands_desk
from smarttrade.execution import commands_wire as wire
from smarttrade.execution import effects as fx
from smarttrade.execution.commands_desk import CommandDesk
from smarttrade.execution.commands_wire import Answer, Result
from smarttrade.messages import Side
from tests.unit.execution.desk import BTC, IDS


class Shelf:
    """An exchange that lists what was put on it, until it is cancelled."""

    def __init__(self) -> None:
        self.orders: dict[str, OrderReport] = {}
        self.cancelled = asyncio.Event()
        self.looks = 0

    def put(self, name: str) -> str:
        cid = IDS.build(name, 1, 1)
        self.orders[cid] = OrderReport(
            client_order_id=cid,
            order_id=f"x-{name}",
            market=BTC,
            side=Side.BUY,
            status=VenueStatus.OPEN,
            price=Decimal(90),
            quantity=Decimal(1),
            filled=Decimal(0),
            time_ms=1,
        )
        return cid

    async def read_account(self, since_ms: int) -> tuple[Any, ...]:
        self.looks += 1
        return tuple(self.orders.values()), (), ()

    async def cancel(self, cid: str, market: str, order_id: str) -> OrderReport:
        self.cancelled.set()
        return self.orders.pop(cid)


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[CommandDesk, Shelf, list[bool]]]:
    monkeypatch.setattr(commands_desk, "_LATECOMERS_S", 0.0)
    monkeypatch.setattr(commands_desk, "_WATCH_EVERY_S", 0.001)
    shelf, halted = Shelf(), [True]

    def feed(event: fx.Input) -> None:
        assert isinstance(event, fx.CommandReceived)
        answer = Answer(pod="a", leading=False, state="Halted", result=Result.DONE)
        desk.answered(fx.CommandAnswered(token=event.token, answer=answer))

    desk = CommandDesk(
        IDS.is_own,
        "a",
        feed,
        lambda: cast(Any, shelf),
        lambda spec: cast(Any, shelf),
        lambda: False,
        lambda: 30.0,
        lambda: halted[0],
    )
    yield desk, shelf, halted
    await desk.close()


async def test_what_surfaces_after_the_answer_is_cancelled_too(
    scene: tuple[CommandDesk, Shelf, list[bool]],
) -> None:
    desk, shelf, _ = scene
    answer = await desk.handle(wire.Halt(generation=2))
    assert answer.result is Result.DONE
    shelf.put("late")
    await asyncio.wait_for(shelf.cancelled.wait(), 5)
    assert shelf.orders == {}


async def test_who_may_trade_again_keeps_its_orders(scene: tuple[CommandDesk, Shelf, list[bool]]) -> None:
    desk, shelf, halted = scene
    await desk.handle(wire.Halt(generation=2))
    halted[0] = False
    shelf.put("wanted")
    await asyncio.wait_for(asyncio.gather(*desk._watches), 5)
    assert not shelf.cancelled.is_set()
