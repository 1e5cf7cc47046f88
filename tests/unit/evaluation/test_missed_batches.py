"""Batches that got lost on the way are had again and seen in their order; what cannot be had is said."""

from collections.abc import Iterator

import pytest

from smarttrade.messages import MarketBatch, MarketEvent
from tests.unit.evaluation.strategies import candle, trade
from tests.unit.evaluation.test_corrections import Scene

SOURCE = """
from smarttrade import Strategy

class Mine(Strategy):
    warmup = 10

    def start(self):
        self.seen = []

    def on_candle(self, candle):
        self.seen.append(f"candle {candle.open_ms // 60000}")

    def on_trade(self, trade):
        self.seen.append(f"trade {trade.id}")
"""


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene(SOURCE)
    yield made
    made.session.close()


def batch(seq: int, *events: MarketEvent) -> MarketBatch:
    return MarketBatch(feed="feed", seq=seq, events=list(events))


BATCHES = {
    1: batch(1, trade(1, 600_001), trade(2, 600_002)),
    2: batch(2, candle(10)),
    3: batch(3, trade(3, 660_001)),
}


async def test_lost_batches_are_seen_once_and_in_order(scene: Scene) -> None:
    await scene.session.synchronise()
    scene.bus.kept = BATCHES
    await scene.session.batch(batch(4, trade(4, 660_002)))
    await scene.session.batch(BATCHES[2])
    await scene.session.batch(batch(5, trade(5, 660_003)))
    assert scene.strategy.seen[10:] == ["trade 1", "trade 2", "candle 10", "trade 3", "trade 4", "trade 5"]
    assert (scene.session.gaps, scene.session.lost_batches) == (1, 0)


async def test_what_is_kept_no_more_is_said_and_candles_are_read_again(scene: Scene) -> None:
    await scene.session.synchronise()
    scene.bus.kept = {1: BATCHES[1]}
    scene.bus.candles[10] = candle(10)
    scene.bus.stands_at(4)
    await scene.session.batch(batch(4, trade(4, 660_002)))
    await scene.session.batch(batch(5, trade(5, 660_003)))
    assert scene.strategy.seen[10:] == ["candle 10", "trade 5"]
    assert (scene.session.gaps, scene.session.lost_batches) == (1, 3)


async def test_where_nobody_answers_the_feed_is_read_from_where_it_stands(scene: Scene) -> None:
    await scene.session.synchronise()
    scene.bus.stands_at(2)
    await scene.session.batch(batch(2, candle(10)))
    assert scene.session.lost_batches == 1
