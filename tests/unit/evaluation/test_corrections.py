"""A corrected candle makes the indicators anew; decided is because of it only what a strategy says."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from smarttrade.errors import BusError
from smarttrade.evaluation.session import Session, _later
from smarttrade.messages import Candle, Decision, DescribeReply, MarketBatch, MarketEvent, StrategyVersion
from smarttrade.source import pack
from smarttrade.timeframe import Timeframe
from tests.component.monitoring.pod import build_spec
from tests.unit.evaluation.strategies import IDENTITY, MARKET, MINUTE, candle

SILENT = """
from smarttrade import Strategy, Remembered

class Mine(Strategy):
    warmup = 10
    count = Remembered(int)

    def start(self):
        self.total = 0

    def on_candle(self, candle):
        self.total += candle.close
        self.count += 1
        return self.target(candle.market, self.total)
"""
TELLING = (
    SILENT
    + """
    def on_correction(self, candle):
        return self.target(candle.market, self.total, reason=f"corrected {candle.close}")
"""
)


class Bus:
    """Monitoring's answers: where the feed stands, and history as it has it now."""

    def __init__(self, version: StrategyVersion) -> None:
        spec = build_spec(MARKET, timeframe="1m")
        del spec["strategy"]["name"]
        spec["strategy"]["source"] = {"configMapRef": {"name": "mine"}, "class": "mine.Mine"}
        self._reply = DescribeReply(generation=1, spec=spec, feed="feed", seq=0, strategy=version)
        self.candles = {minute: candle(minute, "1") for minute in range(10)}
        self.kept: dict[int, MarketBatch] = {}

    def stands_at(self, seq: int) -> None:
        self._reply = msgspec.structs.replace(self._reply, seq=seq)

    async def describe(self) -> DescribeReply:
        return self._reply

    async def history(self, market: str, timeframe: str, count: int) -> list[Candle]:
        return [each for _, each in sorted(self.candles.items())][-count:]

    async def missed(self, feed: str, first: int, last: int) -> list[MarketBatch]:
        found = [self.kept[seq] for seq in range(first, last + 1) if seq in self.kept]
        if not found:
            raise BusError("no answer")
        return found


class Scene:
    def __init__(self, source: str) -> None:
        self.bus: Any = Bus(pack("mine", {"mine.py": source}))
        self.offered: list[Decision] = []
        self.resent = 0
        self._seq = 0
        self.session = Session(
            IDENTITY,
            self.bus,
            offer=self.offered.extend,
            wanted=self._resend,
            ready=lambda ok, reason: None,
            guard=nullcontext(),
        )

    def _resend(self) -> None:
        self.resent += 1

    async def tell(self, *events: MarketEvent) -> None:
        self._seq += 1
        await self.session.batch(MarketBatch(feed="feed", seq=self._seq, events=list(events)))

    async def live(self, *minutes: int) -> None:
        for minute in minutes:
            self.bus.candles[minute] = candle(minute, "1")
        await self.tell(*(self.bus.candles[minute] for minute in minutes))

    async def correct(self, minute: int, close: str) -> None:
        self.bus.candles[minute] = candle(minute, close)
        await self.tell(msgspec.structs.replace(candle(minute, close), correction=True))

    @property
    def wants(self) -> list[Decimal]:
        return [decision.want.quantity for decision in self.offered]

    @property
    def strategy(self) -> Any:
        assert self.session.core is not None
        return self.session.core.strategy


@pytest.fixture
def build() -> Iterator[Any]:
    scenes: list[Scene] = []

    def made(source: str) -> Scene:
        scenes.append(Scene(source))
        return scenes[-1]

    yield made
    for scene in scenes:
        scene.session.close()


async def test_a_correction_makes_the_indicators_anew_and_decides_nothing(build: Any) -> None:
    scene = build(SILENT)
    await scene.session.synchronise()
    await scene.live(10, 11)
    resent = scene.resent
    await scene.correct(10, "5")
    assert scene.wants == [11, 12]
    assert scene.resent == resent
    assert (scene.strategy.total, scene.strategy.count) == (14, 12)  # ten of warm-up
    await scene.live(12)
    assert scene.wants == [11, 12, 15]


async def test_what_was_wanted_stays_what_is_wanted_after_a_correction(build: Any) -> None:
    scene = build(SILENT)
    await scene.session.synchronise()
    await scene.live(10)
    [before] = scene.session.wanted_now()
    await scene.correct(10, "5")
    [after] = scene.session.wanted_now()
    assert (after.id, after.want) == (before.id, before.want)


async def test_a_strategy_that_wants_to_know_decides_on_the_correction(build: Any) -> None:
    scene = build(TELLING)
    await scene.session.synchronise()
    await scene.live(10, 11)
    await scene.correct(10, "5")
    [*_, decision] = scene.offered
    assert (decision.want.quantity, decision.reason) == (14, "corrected 5")
    assert decision.event_key == f"correction:1m:{10 * MINUTE}"
    assert decision.order_key > scene.offered[-2].order_key
    assert decision.want.valid_until_ms == 13 * MINUTE


@pytest.mark.parametrize("source", [SILENT, SILENT.replace("count = Remembered(int)", "count = 0")])
async def test_a_candle_that_waits_behind_a_correction_is_still_decided_on(build: Any, source: str) -> None:
    scene = build(source)
    await scene.session.synchronise()
    await scene.live(10)
    scene.bus.candles[11] = candle(11, "1")  # monitoring has it, the strategy has not seen it
    await scene.correct(10, "5")
    await scene.live(11)
    assert scene.wants == [11, 15]


async def test_a_correction_of_what_was_never_seen_changes_nothing(build: Any) -> None:
    scene = build(TELLING)
    await scene.session.synchronise()
    before = scene.strategy
    await scene.correct(40, "5")
    assert scene.strategy is before
    assert scene.offered == []


async def test_a_strategy_that_fails_on_corrected_history_runs_on_without_the_correction(build: Any) -> None:
    scene = build(SILENT.replace("self.total +=", "assert candle.close != 5; self.total +="))
    await scene.session.synchronise()
    await scene.live(10)
    before = scene.strategy
    await scene.correct(10, "5")
    assert scene.strategy is before
    await scene.live(11)
    assert scene.wants == [11, 12]


@pytest.mark.parametrize(
    ("seen", "newest", "between"), [((2023, 2), (2023, 3), 1), ((2023, 1), (2023, 3), 2)]
)
def test_of_months_no_candle_too_few_is_read(
    seen: tuple[int, int], newest: tuple[int, int], between: int
) -> None:
    """The newest may be longer than what lies between."""

    def begins(year: int, month: int) -> int:
        return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000

    close_ms = Timeframe.MONTH.step(begins(*newest))
    month = msgspec.structs.replace(
        candle(0, "1"), timeframe="1M", open_ms=begins(*newest), close_ms=close_ms
    )
    assert _later(month, {(MARKET, "1M"): begins(*seen)}) >= between
