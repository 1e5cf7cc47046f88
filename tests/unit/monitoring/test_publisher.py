"""Batches keep the order of events and are numbered without a hole."""

from smarttrade.errors import BusError
from smarttrade.messages import MarketBatch, MissedRequest, Trade, decode, encode
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


async def published(wire: Wire, count: int, publisher: Publisher | None = None) -> Publisher:
    made = publisher or Publisher(wire.send)
    for number in range(count):
        made.put(trade(number, number))
        await made.flush()
    return made


async def test_batches_are_given_again_whether_they_were_sent_or_not() -> None:
    wire = Wire()
    publisher = await published(wire, 3)
    wire.down = True
    await published(wire, 2, publisher)
    again = publisher.again(MissedRequest(feed=publisher.feed, first=3, last=9))
    assert [batch.seq for batch in again] == [3, 4, 5]
    assert again[0] == wire.sent[2][1]


async def test_what_is_not_kept_or_makes_no_sense_is_not_given() -> None:
    publisher = await published(Wire(), 2_500)
    feed = publisher.feed
    for first, last in [
        (500, 510),
        (0, 10),
        (-(2**70), 2**70),
        (2_400, 2_300),
        (2_501, 2_600),
        (2**70, 2**71),
    ]:
        assert publisher.again(MissedRequest(feed=feed, first=first, last=last)) == []
    assert publisher.again(MissedRequest(feed="another", first=2_400, last=2_401)) == []
    assert len(publisher.again(MissedRequest(feed=feed, first=501, last=2_500))) == 2_000


async def test_an_answer_fits_a_message_and_memory_is_bounded() -> None:
    publisher = Publisher(Wire().send)
    for _ in range(60):
        for number in range(500):
            publisher.put(trade(number, number))
        await publisher.flush()
    kept = [
        publisher.again(MissedRequest(feed=publisher.feed, first=first, last=60)) for first in range(1, 61)
    ]
    newest = next(batches for batches in kept if batches)
    assert len(encode(newest)) < 2**20
    assert 1 < len(newest) < 60
    assert not kept[0]
