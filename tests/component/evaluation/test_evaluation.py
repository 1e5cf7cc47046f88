"""Evaluation over a real nats-server: one sequence in, decisions out, only while the pod leads."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from smarttrade.bus import subjects
from smarttrade.evaluation.core import StrategyFailedError
from smarttrade.evaluation.service import EvaluationService
from smarttrade.messages import (
    Candle,
    ControlChange,
    Decision,
    DescribeReply,
    EvaluationStatus,
    Fill,
    HistoryReply,
    HistoryRequest,
    MarketBatch,
    MarketEvent,
    Quote,
    ServiceRequest,
    Side,
    StrategyVersion,
    Trade,
    decode,
    encode,
)
from smarttrade.process.probes import Probes
from smarttrade.process.settings import Settings
from smarttrade.source import pack
from tests.component.monitoring.pod import Bus, Execution, Running, build_spec, eventually

MARKET = "BTC/USDT"
MINUTE = 60_000
SMA = {"fast": 1, "slow": 3, "kind": "sma"}


def candle(minute: int, close: int = 100) -> Candle:
    price = Decimal(close)
    return Candle(
        market=MARKET,
        timeframe="1m",
        open_ms=minute * MINUTE,
        close_ms=(minute + 1) * MINUTE,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1),
        final=True,
    )


class Feed:
    """A scripted monitoring: the feed of one pod, to the message."""

    def __init__(self, nc: Any, pod: str, spec: dict[str, Any]) -> None:
        self._nc, self._pod = nc, pod
        self.generation, self.spec = 1, spec
        self.strategy: StrategyVersion | None = None
        self.name, self.seq = "first", 0
        self.candles = [candle(minute) for minute in range(400)]
        self.statuses: list[EvaluationStatus] = []
        self.history_asked = 0

    async def start(self) -> "Feed":
        await self._nc.subscribe(subjects.history(self._pod), cb=self._asked)
        return self

    async def _asked(self, message: Any) -> None:
        request: Any = decode(message.data, ServiceRequest)
        if isinstance(request, EvaluationStatus):
            self.statuses.append(request)
            await message.respond(b"")
        elif isinstance(request, HistoryRequest):
            self.history_asked += 1
            before = [c for c in self.candles if not request.before_ms or c.open_ms < request.before_ms]
            await message.respond(encode(HistoryReply(candles=before[-request.count :])))
        else:
            reply = DescribeReply(
                generation=self.generation,
                spec=self.spec,
                feed=self.name,
                seq=self.seq,
                strategy=self.strategy,
            )
            await message.respond(encode(reply))

    async def change(self, spec: dict[str, Any], strategy: StrategyVersion | None = None) -> None:
        """The next generation, at this point of the feed."""
        self.generation, self.spec, self.strategy = self.generation + 1, spec, strategy
        await self.control()

    async def control(self) -> None:
        """What holds now, as a change in the feed."""
        await self.send(ControlChange(generation=self.generation, spec=self.spec, strategy=self.strategy))

    async def send(self, *events: MarketEvent) -> None:
        self.candles += [event for event in events if isinstance(event, Candle)]
        self.seq += 1
        batch = MarketBatch(feed=self.name, seq=self.seq, events=list(events))
        await self._nc.publish(subjects.market(self._pod, "candle"), encode(batch))

    async def lose(self, *events: MarketEvent) -> None:
        """What monitoring published and evaluation never got."""
        self.candles += [event for event in events if isinstance(event, Candle)]
        self.seq += 1


class Replica:
    """One pod: scripted monitoring and execution, the real evaluation between them."""

    def __init__(self, bus: Bus, pod: str, directory: Path) -> None:
        self.bus, self.pod, self.directory = bus, pod, directory

    async def start(
        self, spec: dict[str, Any], log: list[Decision], strategy: StrategyVersion | None
    ) -> "Replica":
        self.feed = await Feed(await self.bus.connect("monitoring"), self.pod, spec).start()
        self.feed.strategy = strategy
        connection = await self.bus.connect("execution")
        self.execution = await Execution(connection, self.pod, log).start()
        probes = Probes(0, "127.0.0.1")
        settings: Settings = self.bus.settings("evaluation", self.pod, self.directory)
        self.running = Running(EvaluationService(settings, probes), probes)
        return self

    @property
    def decisions(self) -> list[str]:
        """Each once: one that is not answered in time is asked for again."""
        return list(dict.fromkeys(decision.event_key for decision in self.execution.decisions))

    async def lead(self) -> None:
        self.execution.leading = True
        await self.said(lambda status: status.leading, "evaluation knows that it leads")

    async def said(self, holds: Any, what: str) -> None:
        await eventually(lambda: bool(self.feed.statuses) and holds(self.feed.statuses[-1]), what)

    async def decided(self, *minutes: int) -> None:
        keys = [f"1m:{minute * MINUTE}" for minute in minutes]
        await eventually(lambda: self.decisions == keys, f"decisions on the candles of minutes {minutes}")

    async def stop(self) -> None:
        self.execution.stop()
        await self.running.stop()


@pytest_asyncio.fixture
async def make(bus: Bus, tmp_path: Path) -> AsyncIterator[Any]:
    made: list[Replica] = []

    async def make(
        pod: str = "alice-0",
        spec: dict[str, Any] | None = None,
        log: list[Decision] | None = None,
        strategy: StrategyVersion | None = None,
    ) -> Replica:
        replica = Replica(bus, pod, tmp_path)
        made.append(replica)
        spec = spec or build_spec(timeframe="1m", parameters=SMA)
        return await replica.start(spec, [] if log is None else log, strategy)

    yield make
    for replica in made:
        await replica.stop()


def own(config_map: str, text: str) -> tuple[dict[str, Any], StrategyVersion]:
    """A specification with a strategy of the user's own, and its modules."""
    spec = build_spec(timeframe="1m")
    source = {"configMapRef": {"name": config_map}, "class": "mine.Mine"}
    spec["strategy"] = {"source": source, "timeframe": "1m", "parameters": {}}
    return spec, pack(config_map, {"mine.py": text})


async def test_the_leader_decides_on_every_candle_from_the_first_after_its_history(make: Any) -> None:
    replica = await make()
    await replica.running.ready()
    await replica.lead()
    await replica.decided(399)
    for minute in range(400, 403):
        await replica.feed.send(candle(minute, minute))
        await replica.decided(*range(399, minute + 1))
    assert replica.execution.decisions[-1].want.quantity > 0


async def test_a_standby_computes_and_says_nothing(make: Any) -> None:
    replica = await make()
    await replica.running.ready()
    await replica.feed.send(candle(400))
    await replica.said(lambda status: status.decisions == 1, "the standby has computed")
    assert replica.decisions == []


async def test_two_replicas_fed_the_same_events_make_the_same_decisions(make: Any) -> None:
    one, other = await make("alice-0"), await make("alice-1")
    for replica in (one, other):
        await replica.running.ready()
        await replica.lead()
        await replica.decided(399)
        for minute in range(400, 412):
            await replica.feed.send(candle(minute, 100 + minute * 7919 % 13))
            await replica.decided(*range(399, minute + 1))
    assert one.execution.decisions == other.execution.decisions
    assert len({decision.want.quantity for decision in one.execution.decisions}) > 2


async def test_taking_the_lead_sends_what_is_wanted_now(make: Any) -> None:
    replica = await make()
    await replica.running.ready()
    await replica.feed.send(candle(400), candle(401, 105))
    await replica.said(lambda status: status.decisions == 2, "two decisions as a standby")
    await replica.lead()
    await replica.decided(401)


GRID = build_spec(timeframe="1m", name="grid", parameters={"step": "0.1"})


def priced(*minutes: int) -> list[Candle]:
    return [candle(minute, 100 + minute % 7) for minute in minutes]


async def gridded(make: Any, pod: str, until: int, log: list[Decision]) -> Replica:
    """A replica with a grid that starts after minute `until`: by itself it takes another anchor."""
    replica: Replica = await make(pod, GRID, log)
    replica.feed.candles = priced(*range(until + 1))
    await replica.running.ready()
    return replica


async def test_a_grid_keeps_its_anchor_over_a_restart_and_a_fail_over(make: Any) -> None:
    log: list[Decision] = []
    first = await gridded(make, "alice-0", 399, log)
    await first.lead()
    await first.feed.send(*priced(400))
    await first.decided(399, 400)

    standby = await gridded(make, "alice-1", 400, log)
    first.execution.leading = False
    await standby.lead()
    for replica in (first, standby):
        await replica.feed.send(*priced(401))
    await standby.decided(401)

    restarted = await gridded(make, "alice-2", 401, log)
    standby.execution.leading = False
    await restarted.lead()
    for replica in (first, restarted):
        await replica.feed.send(*priced(402))
    await restarted.decided(402)

    restarted.execution.leading = False
    await first.said(lambda status: not status.leading and status.decisions == 3, "the first has stood by")
    await first.lead()
    await first.decided(399, 400, 402)
    assert [decision.event_key for decision in log] == [f"1m:{minute * MINUTE}" for minute in range(399, 403)]
    assert {decision.reason for decision in log} == {"anchor 106"}
    assert encode(first.execution.decisions[-1]) == encode(log[-1])


async def test_another_specifications_memory_is_not_gone_on_with(make: Any) -> None:
    log: list[Decision] = []
    first = await gridded(make, "alice-0", 399, log)
    await first.lead()
    await first.decided(399)
    other = await make("alice-1", build_spec(timeframe="1m", name="grid", parameters={"step": "0.05"}), log)
    await other.running.ready()
    await other.lead()
    await other.feed.send(candle(400, 103))
    await other.decided(399, 400)
    assert [decision.reason for decision in log] == ["anchor 106", "anchor 100"]


async def test_what_cannot_be_remembered_costs_no_decision_and_is_told(make: Any) -> None:
    spec, strategy = own(
        "mine",
        "from decimal import Decimal\n"
        "from smarttrade import Remembered, Strategy\n"
        "class Mine(Strategy):\n"
        "    closes = Remembered(list[str])\n"
        "    def on_candle(self, candle):\n"
        "        self.closes.append('x' * int(candle.close))\n"
        "        if candle.close == 1:\n"
        "            self.closes.clear()\n"
        "        return self.target(candle.market, Decimal(1))\n",
    )
    replica = await make(spec=spec, strategy=strategy)
    await replica.running.ready()
    await replica.lead()
    await replica.feed.send(candle(400, 20_000))
    await replica.decided(399, 400)
    await replica.said(lambda status: "keep at most 16384" in status.error, "what is wrong is told")
    await replica.feed.send(candle(401, 1))
    await replica.decided(399, 400, 401)
    await replica.said(lambda status: not status.error, "and when it is right again")
    assert [bool(decision.memory) for decision in replica.execution.decisions] == [True, False, True]


async def test_a_memory_that_is_garbage_does_not_keep_a_pod_from_leading(make: Any) -> None:
    log: list[Decision] = []
    first = await gridded(make, "alice-0", 399, log)
    await first.lead()
    await first.decided(399)
    log[-1] = msgspec.structs.replace(log[-1], memory='{"strategy":[')
    second = await gridded(make, "alice-1", 399, log)
    first.execution.leading = False
    await second.lead()
    await second.feed.send(*priced(400))
    await second.decided(399, 400)


async def test_quotes_reach_the_strategy_in_their_order_between_trades_and_candles(
    make: Any,
) -> None:
    spec, strategy = own(
        "mine",
        "from decimal import Decimal\n"
        "from smarttrade import Strategy\n"
        "class Mine(Strategy):\n"
        "    def start(self):\n"
        "        self.seen = []\n"
        "    def on_quote(self, quote):\n"
        "        self.seen.append(f'{quote.bid}/{quote.ask}')\n"
        "        if quote.bid == 100:\n"
        "            return self.target(quote.market, Decimal(2), reason='cheap')\n"
        "    def on_trade(self, trade):\n"
        "        self.seen.append(f'traded {trade.id}')\n"
        "    def on_candle(self, candle):\n"
        "        seen, self.seen = self.seen, []\n"
        "        reason = f'{\" \".join(seen)} at {self.price(candle.market)}'\n"
        "        return self.target(candle.market, Decimal(1), reason=reason)\n",
    )
    replica = await make(spec=spec, strategy=strategy)
    await replica.running.ready()
    await replica.lead()
    await replica.decided(399)

    def quote(update: int, bid: int) -> Quote:
        sides = {"bid": Decimal(bid), "ask": Decimal(bid + 1)}
        sizes = {"bid_quantity": Decimal(1), "ask_quantity": Decimal(1)}
        return Quote(market=MARKET, time_ms=400 * MINUTE + update, update_id=update, **sides, **sizes)

    trade = Trade(
        market=MARKET,
        id="7",
        price=Decimal(100),
        quantity=Decimal(1),
        side=Side.BUY,
        time_ms=400 * MINUTE + 2,
    )
    await replica.feed.send(quote(1, 98), trade, quote(3, 99))
    await replica.feed.send(quote(4, 100))
    await eventually(lambda: replica.decisions[1:] == ["4"], "a decision on the quote")
    assert replica.execution.decisions[-1].reason == "cheap"
    await replica.feed.send(candle(400, 100))
    await eventually(lambda: len(replica.decisions) == 3, "a decision on the candle")
    assert replica.execution.decisions[-1].reason == "98/99 traded 7 99/100 100/101 at 100"


async def test_a_fill_reaches_the_strategy_live_and_what_it_wants_then_is_decided(make: Any) -> None:
    spec, strategy = own(
        "mine",
        "from decimal import Decimal\n"
        "from smarttrade import Strategy\n"
        "class Mine(Strategy):\n"
        "    def on_candle(self, candle):\n"
        "        return self.target(candle.market, Decimal(1))\n"
        "    def on_fill(self, fill):\n"
        "        told = f'{fill.side.value} {fill.quantity} at {fill.price}'\n"
        "        return self.target(fill.market, Decimal(0), reason=told)\n",
    )
    replica = await make(spec=spec, strategy=strategy)
    await replica.running.ready()
    await replica.lead()
    await replica.decided(399)
    bought = Fill(
        market=MARKET,
        trade_id="77",
        order_id="5",
        client_order_id="c",
        decision_id=replica.execution.decisions[-1].id,
        side=Side.BUY,
        price=Decimal(100),
        quantity=Decimal(1),
        fee=Decimal("0.1"),
        fee_asset="USDT",
        maker=False,
        time_ms=400 * MINUTE + 30,
    )
    execution = await replica.bus.connect("execution")
    await execution.publish(subjects.fill(replica.pod), encode(bought))
    await eventually(lambda: replica.decisions[1:] == ["fill:77"], "a decision on the fill")
    decision = replica.execution.decisions[-1]
    assert (decision.reason, decision.want.quantity) == ("Buy 1 at 100", 0)
    assert decision.event_time_ms == bought.time_ms


async def test_an_unanswered_decision_is_asked_again_with_its_id(make: Any) -> None:
    replica = await make()
    await replica.running.ready()
    replica.execution.silent = True
    await replica.lead()
    await eventually(lambda: len(replica.execution.decisions) >= 2, "the decision is asked again")
    replica.execution.silent = False
    assert len({decision.id for decision in replica.execution.decisions}) == 1


async def test_lost_batches_are_read_from_history_before_anything_later(make: Any) -> None:
    replica = await make()
    await replica.running.ready()
    await replica.lead()
    await replica.decided(399)
    await replica.feed.send(candle(400))
    await replica.decided(399, 400)
    await replica.feed.lose(candle(401, 110))
    await replica.feed.send(candle(402, 120))
    await replica.decided(399, 400, 402)
    await replica.feed.send(candle(403, 130))
    await replica.decided(399, 400, 402, 403)
    await replica.said(lambda status: status.gaps == 1, "the gap is counted")


async def test_a_restarted_monitoring_is_followed(make: Any) -> None:
    replica = await make()
    await replica.running.ready()
    await replica.lead()
    await replica.decided(399)
    replica.feed.name, replica.feed.seq = "second", 40
    await replica.feed.send(candle(400))
    await replica.decided(399, 400)
    await replica.feed.send(candle(401))
    await replica.decided(399, 400, 401)


async def test_parameters_change_between_two_events_without_a_restart(make: Any) -> None:
    replica = await make()
    await replica.running.ready()
    await replica.lead()
    await replica.decided(399)
    await replica.feed.send(candle(400))
    changed = build_spec(timeframe="1m", parameters=SMA | {"slow": 5})
    await replica.feed.change(changed)
    await replica.feed.send(candle(401, 105))
    await eventually(lambda: replica.decisions[-1:] == [f"1m:{401 * MINUTE}"], "the candle after the change")
    generations = {decision.event_key: decision.generation for decision in replica.execution.decisions}
    assert generations[f"1m:{401 * MINUTE}"] == 2
    assert replica.execution.decisions[-1].reason == "sma(1) above sma(5)"
    await replica.said(lambda status: status.generation == 2, "the generation is told")


async def test_leader_and_standby_change_at_the_same_event(make: Any) -> None:
    """Both are told that they lead, so that what each decides can be read."""
    changed = build_spec(timeframe="1m", parameters=SMA | {"slow": 5})
    told = []
    for replica in (await make("alice-0"), await make("alice-1")):
        await replica.running.ready()
        await replica.lead()
        await replica.decided(399)
        await replica.feed.send(candle(400, 99))
        await replica.decided(399, 400)
        await replica.feed.change(changed)
        await replica.said(lambda status: status.generation == 2, "the change is told")
        for minute, close in ((401, 105), (402, 104)):
            await replica.feed.send(candle(minute, close))
            last = [f"1m:{minute * MINUTE}"]
            await eventually(lambda r=replica, key=last: r.decisions[-1:] == key, "the newest candle")
        told.append({d.order_key: d for d in reversed(replica.execution.decisions)})
    one, other = told
    assert one == other
    generations = [one[key].generation for key in sorted(one)]
    assert generations == [1, 1, 2, 2]
    assert [one[key].reason for key in sorted(one)][1:3] == ["sma(1) below sma(3)", "sma(1) above sma(5)"]


async def test_a_flood_of_decisions_reaches_execution_as_the_newest_one(make: Any) -> None:
    spec, strategy = own(
        "mine",
        "from decimal import Decimal\n"
        "from smarttrade import Strategy\n"
        "class Mine(Strategy):\n"
        "    def on_candle(self, candle):\n"
        "        return [self.target(candle.market, Decimal(n) / 10_000) for n in range(5_000)]\n",
    )
    flooding, neighbour = await make("alice-0", spec, strategy=strategy), await make("alice-1")
    for replica in (flooding, neighbour):
        await replica.running.ready()
        await replica.lead()
    await neighbour.decided(399)
    await eventually(lambda: flooding.decisions == [f"1m:{399 * MINUTE}"], "what is wanted after warm-up")
    await flooding.feed.send(candle(400))
    await neighbour.feed.send(candle(400))
    await eventually(lambda: flooding.execution.decisions[-1].index == 4_999, "the last of the flood")
    await neighbour.decided(399, 400)
    assert len(flooding.execution.decisions) < 20
    await flooding.said(lambda status: status.decisions == 5_000, "all were made, and are counted")


async def test_parameters_that_are_wrong_leave_the_old_ones_running_and_are_told(make: Any) -> None:
    replica = await make()
    await replica.running.ready()
    await replica.lead()
    await replica.decided(399)
    wrong = build_spec(timeframe="1m", parameters={"fast": "quick"})
    await replica.feed.change(wrong)
    await replica.said(lambda status: "fast: 'quick' is not an integer" in status.error, "the error is told")
    await replica.feed.send(candle(400))
    await replica.decided(399, 400)
    assert replica.execution.decisions[-1].generation == 1


async def test_wrong_parameters_at_the_start_wait_for_right_ones(make: Any) -> None:
    replica = await make(spec=build_spec(timeframe="1m", parameters={"fast": 30, "slow": 3}))
    await replica.said(lambda status: "must be smaller" in status.error, "the error is told")
    assert not replica.running.probes.is_ready
    right = build_spec(timeframe="1m", parameters=SMA)
    await replica.feed.change(right)
    await replica.running.ready()


async def test_execution_that_fell_silent_is_not_led_by(make: Any) -> None:
    replica = await make()
    await replica.running.ready()
    await replica.lead()
    await replica.decided(399)
    replica.execution.stop()
    await replica.said(lambda status: not status.leading, "the lead is no longer believed in")
    await replica.feed.send(candle(400))
    await replica.said(lambda status: status.decisions == 1, "it computes on")
    assert replica.decisions == [f"1m:{399 * MINUTE}"]


async def test_a_strategy_that_raises_ends_the_process_loudly(make: Any) -> None:
    spec, strategy = own(
        "mine",
        "from smarttrade import Strategy\n"
        "class Mine(Strategy):\n"
        "    def on_candle(self, candle):\n"
        "        if candle.close > 100:\n"
        "            raise RuntimeError('too high')\n",
    )
    replica = await make(spec=spec, strategy=strategy)
    await replica.running.ready()
    await replica.feed.send(candle(400, 101))
    with pytest.raises(StrategyFailedError, match="RuntimeError: too high"):
        await asyncio.wait_for(asyncio.shield(replica.running.task), 20)
    assert "RuntimeError: too high" in replica.feed.statuses[-1].error
    replica.running.stop = replica.running.probes.stop


SAYING = """
from decimal import Decimal

from smarttrade import Remembered, Strategy
from word import WORD


class Mine(Strategy):
    counted = Remembered(int)

    def start(self):
        self.seen = -1

    def on_candle(self, candle):
        before, self.seen = self.seen, candle.open_ms // 60_000
        if self.is_live():
            self.counted += 1
        return self.target(candle.market, Decimal(1), reason=f"{WORD} {before} {self.counted}")

    def is_live(self):
        return self.seen >= 400
"""


def saying(word: str, **changed: str) -> tuple[dict[str, Any], StrategyVersion]:
    """Says its word, the candle before, and how many it has decided on since minute 400."""
    text = SAYING
    for before, after in changed.items():
        assert before in text
        text = text.replace(before, after)
    spec, _ = own(f"mine-{word}", text)
    return spec, pack(f"mine-{word}", {"mine.py": text, "word.py": f"WORD = {word!r}\n"})


async def said_by(replica: Replica, *minutes: int) -> list[str]:
    await replica.decided(*minutes)
    return [decision.reason for decision in replica.execution.decisions]


async def test_another_version_takes_over_between_two_events_and_remembers(make: Any) -> None:
    spec, first = saying("one")
    replica = await make(spec=spec, strategy=first)
    await replica.running.ready()
    await replica.lead()
    for minute in (400, 401):
        await replica.feed.send(candle(minute))
        await replica.decided(*range(399, minute + 1))
    await eventually(lambda: len(replica.execution.log) == 3, "the log has them")
    changed, second = saying("two")
    replica.feed.generation, replica.feed.spec, replica.feed.strategy = 2, changed, second
    change = ControlChange(generation=2, spec=changed, strategy=second)
    await replica.feed.send(change, candle(402))
    await eventually(lambda: replica.decisions[-1:] == [f"1m:{402 * MINUTE}"], "the candle after the change")
    await replica.feed.send(candle(403))
    await eventually(lambda: replica.decisions[-1:] == [f"1m:{403 * MINUTE}"], "the one after that")
    made = {decision.event_key: decision for decision in replica.execution.decisions}
    last = [made[f"1m:{minute * MINUTE}"] for minute in (401, 402, 403)]
    assert [decision.reason for decision in last][1:] == ["two 401 3", "two 402 4"]
    assert [decision.generation for decision in last] == [1, 2, 2]
    assert [decision.version for decision in last] == [first.name, second.name, second.name]
    await replica.said(lambda status: status.version == second.name, "which version runs is told")


async def test_which_generation_runs_is_said_at_once_and_not_at_the_next_beat(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = await make()
    await replica.running.ready()
    monkeypatch.setattr("smarttrade.evaluation.service._HEARTBEAT_S", 3_600.0)
    heard = len(replica.feed.statuses)
    await eventually(lambda: len(replica.feed.statuses) > heard, "the last beat for an hour")
    await replica.feed.change(build_spec(timeframe="1m", parameters=SMA | {"slow": 4}))
    await replica.said(lambda status: status.generation == 2, "the new generation")
    await replica.feed.change(build_spec(timeframe="1m", parameters=SMA | {"slow": 1}))
    await replica.said(lambda status: status.refused == 3, "the one that cannot be run")


BROKEN = {
    "a module that it lacks": {"from word import": "from words import"},
    "no such class": {"class Mine(Strategy)": "class Other(Strategy)"},
    "a constructor": {"self.seen = -1": "1 / 0"},
    "a handler in the warm-up": {"before, self.seen": "raise RuntimeError('no'); before, self.seen"},
}


@pytest.mark.parametrize("flaw", BROKEN)
async def test_a_broken_version_leaves_the_one_before_running_and_is_told(make: Any, flaw: str) -> None:
    spec, first = saying("one")
    replica = await make(spec=spec, strategy=first)
    await replica.running.ready()
    await replica.lead()
    await replica.decided(399)
    await replica.feed.change(*saying("two", **BROKEN[flaw]))
    await replica.said(lambda status: status.refused == 2, "the refusal is told")
    status = replica.feed.statuses[-1]
    assert f"generation 2 is not applied, generation 1 runs on ({first.name}): " in status.error
    assert (status.generation, status.version, status.ready) == (1, first.name, True)
    await replica.feed.send(candle(400))
    assert await said_by(replica, 399, 400) == ["one 398 0", "one 399 1"]

    await replica.feed.change(*saying("three"))
    await replica.said(
        lambda status: (status.generation, status.refused, status.error) == (3, 0, ""), "mended"
    )
    await replica.feed.send(candle(401))
    await eventually(
        lambda: replica.execution.decisions[-1].reason == "three 400 2", "the mended one decides"
    )


async def test_modules_that_come_later_than_their_generation_are_waited_for(make: Any) -> None:
    spec, strategy = saying("one")
    replica = await make(spec=spec)
    await replica.said(
        lambda status: "ConfigMap mine-one has not been read yet" in status.error, "it is told"
    )
    assert not replica.running.probes.is_ready
    replica.feed.strategy = strategy
    await replica.feed.control()
    await replica.running.ready()
    await replica.lead()
    assert await said_by(replica, 399) == ["one 398 0"]
