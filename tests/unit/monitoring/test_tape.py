"""A gap in the ids of trades: what comes later waits for the missing ones, but not for long.

On virtual time, where a bound of 200 ms is one whatever else the machine does.
"""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from smarttrade.messages import MarketEvent, Side, Trade, Verdict
from smarttrade.monitoring.clock import ExchangeClock
from smarttrade.monitoring.metrics import Metrics
from smarttrade.monitoring.peers import Peers
from smarttrade.monitoring.staleness import StreamWatch
from smarttrade.monitoring.tape import Tape
from tests.unit.monitoring.virtual_time import on_virtual_time

PAGE = 1_000
BOUND_S = 0.2


class Rest:
    """The exchange's answers about trades, given when the test says so."""

    consecutive_trade_ids = True

    def __init__(self) -> None:
        self.trades: list[Trade] = []
        self.answers = asyncio.Event()
        self.asked = asyncio.Event()

    async def fetch_trades(self, symbol: str, after: Trade | None = None) -> list[Trade]:
        self.asked.set()
        await self.answers.wait()
        if after is None:
            return self.trades[-PAGE:]
        if self.consecutive_trade_ids:
            return [each for each in self.trades if int(each.id) > int(after.id)][:PAGE]
        return [each for each in self.trades if each.time_ms >= after.time_ms][:PAGE]


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
    def __init__(self, *, ids: bool = True) -> None:
        self.rest: Any = Rest()
        self.rest.consecutive_trade_ids = ids
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


@on_virtual_time
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


@on_virtual_time
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


@on_virtual_time
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


@pytest.mark.parametrize("source", ["rest", "peer"])
@pytest.mark.parametrize("answers_s", [0.0, 0.05, 0.199])
@on_virtual_time
async def test_nothing_later_is_delivered_before_an_answer_in_time_and_all_of_it_with_that(
    source: str, answers_s: float
) -> None:
    scene, now_s = Scene(), asyncio.get_running_loop().time
    await scene.tape.deliver([trade(1)])
    scene.rest.trades, scene.peer = [trade(number) for number in range(1, 4)], [trade(2), trade(3)]
    gate = scene.rest.answers if source == "rest" else scene.peer_answers
    asyncio.get_running_loop().call_later(answers_s, gate.set)
    told: list[tuple[str, float]] = []
    scene.tape._publish = lambda event: told.append((event.id, now_s()))  # type: ignore[union-attr]
    began_s = now_s()
    await scene.tape.deliver([trade(4), trade(5)])
    assert [number for number, _ in told] == ["2", "3", "4", "5"]
    assert [at_s - began_s for _, at_s in told] == [pytest.approx(answers_s)] * 4
    assert not scene.metric("smarttrade_trades_lost_total")


@pytest.mark.parametrize("answers_s", [0.201, None])
@on_virtual_time
async def test_without_an_answer_in_time_what_is_later_is_delivered_after_200_ms(
    answers_s: float | None,
) -> None:
    scene, loop = Scene(), asyncio.get_running_loop()
    await scene.tape.deliver([trade(1)])
    scene.rest.trades, scene.peer = [trade(number) for number in range(1, 4)], [trade(2), trade(3)]
    if answers_s is not None:
        loop.call_later(answers_s, scene.rest.answers.set)
        loop.call_later(answers_s, scene.peer_answers.set)
    began_s = loop.time()
    delivering = asyncio.create_task(scene.tape.deliver([trade(4)]))
    await asyncio.sleep(BOUND_S - 0.001)
    assert scene.ids == ["1"]
    await delivering
    assert loop.time() - began_s == pytest.approx(BOUND_S)
    assert scene.ids == ["1", "4"]
    assert scene.metric("smarttrade_trades_lost_total") == 2
    await asyncio.sleep(1)
    await scene.tape.deliver([trade(5)])
    assert scene.ids == ["1", "4", "5"]


@on_virtual_time
async def test_a_peer_is_asked_for_200_ms_at_most() -> None:
    class Silent:
        async def subscribe(self, subject: str, cb: Any) -> None: ...

        async def request(self, subject: str, payload: bytes, timeout: float) -> Any:
            await asyncio.sleep(timeout)
            raise TimeoutError

    async def own(market: str, first: int, last: int) -> list[Trade]:
        return []

    peers: Any = Peers("alice-0")
    await peers.serve(Silent(), own)
    began_s = asyncio.get_running_loop().time()
    assert await peers.ask("BTC/USDT", 2, 3) == []
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(BOUND_S)


async def test_a_copy_is_given_once_all_of_it_has_been_delivered() -> None:
    scene = Scene()
    await scene.tape.deliver([trade(1), trade(2)])
    copying = asyncio.create_task(scene.tape.copy(2, 3))
    await asyncio.sleep(0)
    assert not copying.done()
    await scene.tape.deliver([trade(3), trade(4)])
    assert await asyncio.wait_for(copying, 10) == [trade(2), trade(3)]
    assert await scene.tape.copy(0, 2) == []


# --- more than a page ------------------------------------------------------------------------------------


async def test_a_gap_of_more_than_a_page_is_read_page_by_page_and_nothing_is_lost() -> None:
    scene = Scene()
    scene.peer_answers.set()
    await scene.tape.deliver([trade(1)])
    scene.rest.trades = [trade(number) for number in range(1, 3_503)]
    scene.rest.answers.set()
    await asyncio.wait_for(scene.tape.deliver([trade(3_502)]), 10)
    assert scene.ids == [str(number) for number in range(1, 3_503)]
    assert not scene.metric("smarttrade_trades_lost_total")
    assert scene.watch.judge(0).verdict is Verdict.FRESH


async def test_a_page_after_a_lost_connection_that_does_not_reach_back_is_bridged() -> None:
    scene = Scene()
    scene.peer_answers.set()
    scene.rest.answers.set()
    scene.rest.trades = [trade(1)]
    await scene.tape.catch_up()
    scene.tape.interrupted()
    scene.rest.trades = [trade(number) for number in range(1, 1_502)]
    await asyncio.wait_for(scene.tape.catch_up(), 10)
    assert scene.ids == [str(number) for number in range(2, 1_502)]


async def test_what_the_exchange_has_no_more_is_counted_exactly() -> None:
    scene = Scene()
    scene.peer_answers.set()
    scene.rest.answers.set()
    await scene.tape.deliver([trade(1)])
    scene.rest.trades = [trade(number) for number in range(1, 2_502)]  # and then nothing up to 4,000
    await asyncio.wait_for(scene.tape.deliver([trade(4_000)]), 10)
    assert scene.ids == [*(str(number) for number in range(1, 2_502)), "4000"]
    assert scene.metric("smarttrade_trades_lost_total") == 4_000 - 2_502


async def test_paging_is_given_up_in_time_and_what_it_brought_is_kept(monkeypatch: Any) -> None:
    scene = Scene()
    scene.peer_answers.set()
    await scene.tape.deliver([trade(1)])
    scene.rest.trades = [trade(number) for number in range(1, 5_001)]
    scene.rest.answers.set()
    pages = 0

    async def two_pages(symbol: str, after: Trade | None = None) -> list[Trade]:
        nonlocal pages
        pages += after is not None
        if pages > 2:
            await asyncio.Event().wait()
        return await Rest.fetch_trades(scene.rest, symbol, after)

    scene.rest.fetch_trades = two_pages
    monkeypatch.setattr("smarttrade.monitoring.tape._PAGING_S", 0.5)
    await asyncio.wait_for(scene.tape.deliver([trade(5_000)]), 10)
    assert scene.ids == [str(number) for number in range(1, 5_001) if not 2_002 <= number <= 4_000]
    assert scene.metric("smarttrade_trades_lost_total") == 1_999


async def test_what_the_exchange_has_forgotten_is_lost_and_the_rest_is_not() -> None:
    scene = Scene()
    scene.peer_answers.set()
    scene.rest.answers.set()
    await scene.tape.deliver([trade(1)])
    scene.rest.trades = [trade(number) for number in range(500, 3_001)]
    await asyncio.wait_for(scene.tape.deliver([trade(3_000)]), 10)
    assert scene.ids == ["1", *(str(number) for number in range(500, 3_001))]
    assert scene.metric("smarttrade_trades_lost_total") == 498


async def test_what_a_page_proves_to_be_a_hole_is_not_lost() -> None:
    scene = Scene()
    scene.peer_answers.set()
    scene.rest.answers.set()
    await scene.tape.deliver([trade(1)])
    scene.rest.trades = [trade(number) for number in range(1, 3_001) if not 1_200 <= number < 1_210]
    await asyncio.wait_for(scene.tape.deliver([trade(3_000)]), 10)
    assert scene.ids == [str(number) for number in range(1, 3_001) if not 1_200 <= number < 1_210]
    assert not scene.metric("smarttrade_trades_lost_total")


# --- trades without ids ----------------------------------------------------------------------------------


def nameless(time_ms: int, price: int = 60_000) -> Trade:
    return Trade(
        market="BTC/USDT", id="", price=Decimal(price), quantity=Decimal(1), side=Side.BUY, time_ms=time_ms
    )


async def test_after_a_lost_connection_trades_without_ids_come_once() -> None:
    scene = Scene(ids=False)
    scene.rest.answers.set()
    scene.rest.trades = [nameless(1_000), nameless(9_000)]
    await scene.tape.catch_up()
    await scene.tape.deliver(scene.rest.trades, overlapping=True)  # what the stream begins with
    await scene.tape.deliver([nameless(10_000), nameless(10_000)])
    scene.tape.interrupted()
    scene.rest.trades += [nameless(10_000), nameless(10_000), nameless(10_000), nameless(12_000)]
    await scene.tape.catch_up()
    await scene.tape.deliver([*scene.rest.trades, nameless(13_000)], overlapping=True)
    times = [event.time_ms for event in scene.delivered if isinstance(event, Trade)]
    assert times == [10_000, 10_000, 10_000, 12_000, 13_000]
    assert len(set(scene.ids)) == 5
    assert not scene.metric("smarttrade_trades_doubtful_seconds_total")
    assert not scene.tape.is_after_ours(nameless(13_000))
    assert scene.tape.is_after_ours(nameless(15_000))


async def test_trades_without_ids_are_read_on_from_the_last_one_where_a_page_does_not_reach_back() -> None:
    scene = Scene(ids=False)
    scene.rest.answers.set()
    scene.rest.trades = [nameless(5_000)]
    await scene.tape.catch_up()
    scene.rest.trades += [nameless(5_000 + 2_000 * number) for number in range(1, 2_501)]
    await scene.tape.catch_up()
    times = [event.time_ms for event in scene.delivered if isinstance(event, Trade)]
    assert times == [5_000 + 2_000 * number for number in range(1, 2_501)]
    assert not scene.metric("smarttrade_trades_doubtful_seconds_total")


async def test_time_in_which_trades_without_ids_may_be_missing_is_said() -> None:
    scene = Scene(ids=False)
    scene.rest.answers.set()
    scene.rest.trades = [nameless(5_000)]
    await scene.tape.catch_up()
    scene.rest.trades = [nameless(65_000)]  # the exchange tells only its newest
    await scene.tape.catch_up()
    assert scene.metric("smarttrade_trades_doubtful_seconds_total") == 60
    assert scene.metric("smarttrade_trade_gaps_total") == 1
