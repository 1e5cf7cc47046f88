"""Compare-and-swap, replay, snapshot and purge on a real nats-server."""

import asyncio

import pytest

from smarttrade.bus.log import AccountLog, StaleLogError
from smarttrade.errors import BusError
from tests.component.bus.tenants import Tenants


async def read(log: AccountLog, start: int = 1) -> list[bytes]:
    return [payload async for _, payload, _ in log.read(start)]


async def test_of_two_writers_one_wins_every_race(tenants: Tenants):
    pair = await tenants.create("alice")
    logs = [AccountLog(await tenants.connect(pair, "execution")) for _ in range(2)]
    after = 0
    for turn in range(50):
        results = await asyncio.gather(
            *(log.append(b"%d" % w, after=after, message_id=f"{w}-{turn}") for w, log in enumerate(logs)),
            return_exceptions=True,
        )
        winners = [result for result in results if isinstance(result, int)]
        losers = [result for result in results if isinstance(result, StaleLogError)]
        assert (len(winners), len(losers)) == (1, 1)
        assert losers[0].last_sequence == winners[0]
        after = winners[0]
    assert len(await read(logs[0])) == 50


async def test_a_repeated_append_is_the_same_append(tenants: Tenants):
    log = AccountLog(await tenants.connect(await tenants.create("alice"), "execution"))
    first = await log.append(b"one", after=0, message_id="a")
    assert await log.append(b"one", after=0, message_id="a") == first
    assert await read(log) == [b"one"]


async def test_another_writers_record_is_not_mistaken_for_the_own(tenants: Tenants):
    log = AccountLog(await tenants.connect(await tenants.create("alice"), "execution"))
    first = await log.append(b"one", after=0, message_id="a")
    second = await log.append(b"two", after=first, message_id="b")
    with pytest.raises(StaleLogError) as caught:
        await log.append(b"x", after=first, message_id="c")
    assert (caught.value.after, caught.value.last_sequence) == (first, second)


async def test_reading_is_complete_and_in_order_over_many_batches_and_foreign_subjects(tenants: Tenants):
    log = AccountLog(await tenants.connect(await tenants.create("alice"), "execution"))
    after, expected, snapshot = 0, [], 0
    for number in range(2500):
        after = await log.append(b"%d" % number, after=after, message_id=str(number))
        expected.append(b"%d" % number)
        if number % 500 == 0:
            snapshot = await log.put_snapshot(b"s%d" % number, after=snapshot)
    assert await read(log) == expected
    middle = [sequence async for sequence, _, _ in log.read()][1200]
    assert await read(log, middle) == expected[1200:]
    assert await read(log, after + 1) == []


async def test_time_is_the_servers_in_milliseconds(tenants: Tenants):
    log = AccountLog(await tenants.connect(await tenants.create("alice"), "execution"))
    await log.append(b"one", after=0, message_id="a")
    times = [time_ms async for _, _, time_ms in log.read()]
    assert 1_700_000_000_000 < times[0] < 4_000_000_000_000


async def test_a_purge_keeps_the_newest_record_so_that_the_sequence_stands(tenants: Tenants):
    log = AccountLog(await tenants.connect(await tenants.create("alice"), "execution"))
    after = 0
    for number in range(5):
        after = await log.append(b"%d" % number, after=after, message_id=str(number))
    assert await log.purge(after - 2) == 3
    assert await read(log) == [b"3", b"4"]
    assert await log.purge(after + 100) == 1
    assert await log.last_sequence() == after
    assert await log.append(b"next", after=after, message_id="next") > after


async def test_a_purge_leaves_snapshot_and_control_alone(tenants: Tenants):
    log = AccountLog(await tenants.connect(await tenants.create("alice"), "execution"))
    snapshot = await log.put_snapshot(b"state", after=0)
    after = await log.append(b"one", after=0, message_id="1")
    after = await log.append(b"two", after=after, message_id="2")
    await log.purge(after)
    stored = await log.get_snapshot()
    assert stored is not None
    assert (stored.sequence, stored.payload) == (snapshot, b"state")


async def test_an_old_leader_cannot_put_its_snapshot_over_a_newer_one(tenants: Tenants):
    pair = await tenants.create("alice")
    old, new = [AccountLog(await tenants.connect(pair, "execution")) for _ in range(2)]
    assert await old.get_snapshot() is None
    first = await old.put_snapshot(b"1", after=0)
    await new.put_snapshot(b"2", after=first)
    with pytest.raises(StaleLogError):
        await old.put_snapshot(b"old", after=first)
    stored = await new.get_snapshot()
    assert stored is not None
    assert stored.payload == b"2"


async def test_an_acknowledged_record_survives_kill_9_of_the_server(tenants: Tenants):
    pair = await tenants.create("alice")
    log = AccountLog(await tenants.connect(pair, "execution"))
    after = 0
    for number in range(20):
        after = await log.append(b"%d" % number, after=after, message_id=str(number))
    await tenants.server.stop(kill=True)
    await tenants.server.start()
    again = AccountLog(await tenants.connect(pair, "execution"))
    assert await again.last_sequence() == after
    assert len(await read(again)) == 20


async def test_without_a_stream_the_error_says_so(tenants: Tenants):
    pair = await tenants.create("alice")
    nc = await tenants.connect(pair, "execution")
    await tenants.provisioner._purge_jetstream(pair.core_public)
    with pytest.raises(BusError, match="stream"):
        await AccountLog(nc).append(b"x", after=0, message_id="x")
