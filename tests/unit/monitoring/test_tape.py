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
        self.peer: list[Trade] = []
        self.peer_answers = asyncio.Event()
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
            self.copy,
        )

    async def copy(self, market: str, first: int, last: int) -> list[Trade]:
        """The peer's answer, given when the test says so."""
        await self.peer_answers.wait()
        return self.peer

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {"market": "BTC/USDT", **labels})

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
    scene.peer_answers.set()  # with nothing: it missed them too
    await scene.tape.deliver([trade(1)])
    await asyncio.wait_for(scene.tape.deliver([trade(4)]), 10)
    assert scene.ids == ["1", "4"]
    assert scene.metric("smarttrade_trades_lost_total") == 2
    await scene.tape.deliver([trade(2), trade(5)])
    assert scene.ids == ["1", "4", "5"]


async def test_a_peers_copy_fills_a_gap_while_rest_does_not_answer() -> None:
    scene = Scene()
    await scene.tape.deliver([trade(1)])
    scene.peer = [trade(2), trade(3)]
    delivering = asyncio.create_task(scene.tape.deliver([trade(4)]))
    await scene.rest.asked.wait()
    assert scene.ids == ["1"]
    scene.peer_answers.set()
    await asyncio.wait_for(delivering, 10)
    assert scene.ids == ["1", "2", "3", "4"]
    assert scene.metric("smarttrade_trades_filled_total", source="peer") == 2
    assert scene.watch.judge(0).verdict is Verdict.FRESH


async def test_a_peer_is_waited_for_when_rest_knows_no_better() -> None:
    scene = Scene()
    await scene.tape.deliver([trade(1)])
    scene.rest.trades, scene.peer = [trade(1)], [trade(2)]
    scene.rest.answers.set()
    delivering = asyncio.create_task(scene.tape.deliver([trade(3)]))
    await scene.rest.asked.wait()
    assert scene.watch.judge(0).verdict is Verdict.BACKFILLING
    scene.peer_answers.set()
    await asyncio.wait_for(delivering, 10)
    assert scene.ids == ["1", "2", "3"]


async def test_a_copy_is_given_once_all_of_it_has_been_delivered() -> None:
    scene = Scene()
    await scene.tape.deliver([trade(1), trade(2)])
    copying = asyncio.create_task(scene.tape.copy(2, 3))
    await asyncio.sleep(0)
    assert not copying.done()
    await scene.tape.deliver([trade(3), trade(4)])
    assert await asyncio.wait_for(copying, 10) == [trade(2), trade(3)]
    assert await scene.tape.copy(0, 2) == []
