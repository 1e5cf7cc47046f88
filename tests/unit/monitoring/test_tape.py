"""A gap in the ids of trades: what comes later waits for the missing ones, but not for long."""

import asyncio
from decimal import Decimal
from typing import Any

from prometheus_client import CollectorRegistry

from smarttrade.messages import MarketEvent, Side, Trade, Verdict
from smarttrade.monitoring.clock import ExchangeClock
from smarttrade.monitoring.metrics import Metrics
from smarttrade.monitoring.staleness import StreamWatch
from smarttrade.monitoring.tape import Tape


class Rest:
    """The exchange's answers about trades, given when the test says so."""

    consecutive_trade_ids = True

    def __init__(self) -> None:
        self.trades: list[Trade] = []
        self.answers = asyncio.Event()
        self.asked = asyncio.Event()

    async def fetch_trades(self, symbol: str, limit: int = 1000) -> list[Trade]:
        self.asked.set()
        await self.answers.wait()
        return self.trades


def trade(number: int) -> Trade:
    return Trade(
        market="BTC/USDT",
        id=str(number),
        price=Decimal(60_000),
        quantity=Decimal(1),
        side=Side.BUY,
        time_ms=1_760_000_000_000 + number,
    )


class Scene:
    def __init__(self) -> None:
        self.rest: Any = Rest()
        self.delivered: list[MarketEvent] = []
        self.registry = CollectorRegistry()
        self.watch = StreamWatch(0, stale_ms=10**9, probe_ms=10**9)
        self.watch.connected(0)
        self.tape = Tape(
            self.rest,
            "BTC/USDT",
            ExchangeClock(),
            self.delivered.append,
            Metrics(self.registry),
            lambda: self.watch,
        )

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.delivered if isinstance(event, Trade)]


async def test_later_trades_wait_until_the_missing_ones_are_there() -> None:
    scene = Scene()
    await scene.tape.deliver([trade(1)])
    scene.rest.trades = [trade(number) for number in range(1, 5)]
    delivering = asyncio.create_task(scene.tape.deliver([trade(5)]))
    await scene.rest.asked.wait()
    assert scene.ids == ["1"]
    assert scene.watch.judge(0).verdict is Verdict.BACKFILLING
    scene.rest.answers.set()
    await delivering
    assert scene.ids == ["1", "2", "3", "4", "5"]
    assert scene.watch.judge(0).verdict is Verdict.FRESH


async def test_what_does_not_come_in_time_is_counted_and_passed_over() -> None:
    scene = Scene()
    await scene.tape.deliver([trade(1)])
    await asyncio.wait_for(scene.tape.deliver([trade(4)]), 10)
    assert scene.ids == ["1", "4"]
    assert scene.registry.get_sample_value("smarttrade_trades_lost_total", {"market": "BTC/USDT"}) == 2
    await scene.tape.deliver([trade(2), trade(5)])
    assert scene.ids == ["1", "4", "5"]
