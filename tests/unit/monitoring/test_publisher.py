"""Batches keep the order of events and are numbered without a hole."""

from smarttrade.errors import BusError
from smarttrade.messages import MarketBatch, Trade, decode
from smarttrade.monitoring.publisher import Publisher
from tests.unit.monitoring.events import candle, quote, trade


class Wire:
    def __init__(self) -> None:
        self.sent: list[tuple[str, MarketBatch]] = []
        self.down = False

    async def send(self, kind: str, payload: bytes) -> None:
        if self.down:
            raise BusError("down")
        batch: MarketBatch = decode(payload, MarketBatch)
        self.sent.append((kind, batch))


async def test_runs_of_one_kind_go_out_in_order() -> None:
    wire = Wire()
    publisher = Publisher(wire.send)
    events = [trade(1, 1), trade(2, 2), candle(0), trade(3, 3), quote("1", "2")]
    for event in events:
        publisher.put(event)
    await publisher.flush()
    assert [(kind, batch.seq, len(batch.events)) for kind, batch in wire.sent] == [
        ("trade", 1, 2),
        ("candle", 2, 1),
        ("trade", 3, 1),
        ("quote", 4, 1),
    ]
    assert [event for _, batch in wire.sent for event in batch.events] == events


async def test_a_batch_that_cannot_be_sent_leaves_a_hole_that_readers_see() -> None:
    wire = Wire()
    publisher = Publisher(wire.send)
    wire.down = True
    publisher.put(trade(1, 1))
    await publisher.flush()
    wire.down = False
    publisher.put(trade(2, 2))
    await publisher.flush()
    assert [batch.seq for _, batch in wire.sent] == [2]
    assert publisher.lost == 1


async def test_large_runs_are_cut() -> None:
    wire = Wire()
    publisher = Publisher(wire.send)
    for number in range(1_200):
        publisher.put(trade(number, number))
    await publisher.flush()
    assert [len(batch.events) for _, batch in wire.sent] == [500, 500, 200]
    ids = [int(event.id) for _, batch in wire.sent for event in batch.events if isinstance(event, Trade)]
    assert ids == list(range(1_200))
