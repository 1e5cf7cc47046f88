"""Whatever ends a request, the core hears of it: an order whose end is not told would hold its market."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from smarttrade.exchange.errors import OrderWithheldError, VenueRejectedError, VenueUncertainError
from smarttrade.exchange.reports import OrderKind
from smarttrade.execution import effects as fx
from smarttrade.execution.exchange_link import ExchangeLink, monotonic_ms
from smarttrade.messages import Side
from tests.unit.execution.desk import BTC


class Broken:
    """An exchange whose orders end in one way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def place(self, *_: Any) -> Any:
        raise self._error

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (VenueUncertainError("timeout"), fx.SendUncertain),
        (AttributeError("'NoneType' object has no attribute 'get'"), fx.SendUncertain),
        (RuntimeError("Session is closed"), fx.SendUncertain),
        (VenueRejectedError("InsufficientBalance", "refused"), fx.SendRejected),
        (OrderWithheldError("did not leave"), fx.SendWithheld),
    ],
)
async def test_every_end_of_an_order_is_told(error: Exception, told: type) -> None:
    heard: asyncio.Queue[fx.Input] = asyncio.Queue()
    link = ExchangeLink(Broken(error), heard.put_nowait, lambda: True)  # type: ignore[arg-type]
    link.perform(
        fx.Send(
            cid="sTabcdefghijkl2345",
            market=BTC,
            side=Side.BUY,
            kind=OrderKind.LIMIT_IOC,
            price=Decimal(100),
            quantity=Decimal(1),
            deadline_ms=0,
            window_ms=800,
            leave_by_ms=monotonic_ms() + 800,
        )
    )
    event = await asyncio.wait_for(heard.get(), 5)
    assert isinstance(event, told)
    await link.close()


class Mute(Broken):
    """An exchange whose user stream breaks at once, a few times."""

    def __init__(self, breaks: int) -> None:
        super().__init__(VenueUncertainError("no stream"))
        self.left = breaks

    async def watch_orders(self) -> AsyncIterator[Any]:
        self.left -= 1
        if self.left <= 0:
            await asyncio.Event().wait()
        raise self._error
        yield

    async def watch_trades(self) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield


async def test_a_user_stream_that_breaks_at_once_is_tried_again_later_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each break has the account compared: a stream that cannot be had must not use up the allowance."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("smarttrade.execution.exchange_link.asyncio.sleep", pause)
    heard: asyncio.Queue[fx.Input] = asyncio.Queue()
    link = ExchangeLink(Mute(7), heard.put_nowait, lambda: True)  # type: ignore[arg-type]
    link.start()
    for _ in range(6):
        assert isinstance(await asyncio.wait_for(heard.get(), 5), fx.StreamBroke)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    await link.close()
