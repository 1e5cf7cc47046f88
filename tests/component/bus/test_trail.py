"""The audit trail: the servers fill it from the log, and what is in it stays whatever happens to the log."""

from __future__ import annotations

import shutil

import pytest
from msgspec.structs import replace

from smarttrade.bus import assets, jetstream, subjects
from smarttrade.bus.accounts import AccountLimits, build_accounts, trail_key
from smarttrade.bus.assets import Retention
from smarttrade.bus.change_rows import FieldChange, ObjectChanged, omit
from smarttrade.bus.connection import Connection
from smarttrade.bus.log import AccountLog
from smarttrade.bus.trail import Trail
from smarttrade.errors import BusError
from tests.component.bus.tenants import Tenants, eventually, identity, trail_has

ALICE = identity("alice")
Row = tuple[int, bytes]


async def _rows(nc: Connection, first: int = 1) -> list[Row]:
    return [(sequence, payload) async for sequence, payload, _ in Trail(nc).read(first)]


async def _append(log: AccountLog, name: str, number: int, after: int = 0) -> int:
    for n in range(number):
        after = await log.append(f"{name}{n}".encode(), after=after, message_id=f"{name}{n}")
    return after


async def _small(tenants: Tenants) -> tuple[Connection, Connection]:
    """An account whose trail is soon full: its execution, and who keeps the trail."""
    limits = AccountLimits(log_bytes=256 * 1024)
    pair = build_accounts(tenants.keys, ALICE, limits)
    await tenants.provisioner.push(pair)
    await tenants.provisioner.ensure_assets(ALICE, limits=limits)
    return await tenants.connect(pair, "execution"), await tenants.keep_trail(pair)


def _records(name: str, number: int) -> list[bytes]:
    return [f"{name}{n}".encode() for n in range(number)]


async def test_what_compaction_drops_from_the_log_stays_in_the_trail(tenants: Tenants) -> None:
    pair = await tenants.create("alice")
    nc, keeper = await tenants.connect(pair, "execution"), await tenants.keep_trail(pair)
    log = AccountLog(nc)
    last = await _append(log, "a", 150)
    await eventually(trail_has(keeper, 150), "the trail has them")
    await log.put_snapshot(b"s", after=0)
    assert await log.purge(last) == 149
    await _append(log, "b", 3, after=last)
    rows = await _rows(nc)
    assert [payload for _, payload in rows] == _records("a", 150) + _records("b", 3)
    assert [sequence for sequence, _ in rows] == list(range(1, 154)), "snapshots are not of it"
    assert await _rows(nc, 152) == rows[151:]
    assert await _rows(nc, 154) == []


async def test_a_record_is_in_it_as_soon_as_it_is_written(tenants: Tenants) -> None:
    """Also while the trail has not got it, or there is none: then it is the log's."""
    pair = await tenants.create("alice")
    nc, keeper = await tenants.connect(pair, "execution"), await tenants.keep_trail(pair)
    last = 0
    for n in range(5):
        last = await AccountLog(nc).append(b"%d" % n, after=last, message_id=str(n))
        assert [payload for _, payload in await _rows(nc)][-1] == b"%d" % n
    await jetstream.api(keeper, f"STREAM.DELETE.{subjects.TRAIL_STREAM}")
    assert await _rows(nc) == [(n + 1, b"%d" % n) for n in range(5)]


async def test_it_survives_the_loss_of_the_log_and_goes_on_with_the_next_one(tenants: Tenants) -> None:
    pair = await tenants.create("alice")
    nc, keeper = await tenants.connect(pair, "execution"), await tenants.keep_trail(pair)
    await _append(AccountLog(nc), "old", 10)
    await eventually(trail_has(keeper, 10), "the trail has them")
    await tenants.server.stop()
    shutil.rmtree(tenants.server.store_dir / "jetstream" / pair.core_public)
    await tenants.server.start()
    await eventually(lambda: tenants.provisioner.connected and nc.is_connected, "they are connected again")
    await tenants.provisioner.ensure_assets(ALICE)
    await _append(AccountLog(nc), "new", 3)
    await eventually(lambda: keeper.is_connected, "it is connected again")
    await eventually(trail_has(keeper, 13), "the next log is in the trail", 180)
    assert await _rows(nc) == list(enumerate(_records("old", 10) + _records("new", 3), 1))


async def test_nobody_can_take_a_record_out_of_it(tenants: Tenants) -> None:
    """With rights that nobody has, and by a log that is rolled up."""
    pair = await tenants.create("alice")
    nc, keeper = await tenants.connect(pair, "execution"), await tenants.keep_trail(pair)
    await _append(AccountLog(nc), "a", 3)
    await eventually(trail_has(keeper, 3), "the trail has them")
    await jetstream.publish(nc, subjects.LOG, b"rolled", {"Nats-Rollup": "sub"})
    await eventually(trail_has(keeper, 4), "the trail has the last one too")
    assert len([each async for each in AccountLog(nc).read()]) == 1
    config = assets.build_trail_config(AccountLimits().trail_bytes, Retention())
    for request, body in (
        ("PURGE", {}),
        ("MSG.DELETE", {"seq": 1}),
        ("UPDATE", config | {"deny_purge": False}),
        ("UPDATE", config | {"deny_delete": False}),
    ):
        with pytest.raises(BusError, match=r"not permitted|can not cancel"):
            await jetstream.api(keeper, f"STREAM.{request}.{subjects.TRAIL_STREAM}", body)
    assert [payload for _, payload in await _rows(nc)] == [*_records("a", 3), b"rolled"]


async def test_a_flooded_trail_refuses_and_erases_nothing(tenants: Tenants) -> None:
    nc, keeper = await _small(tenants)
    log, after = AccountLog(nc), await _append(AccountLog(nc), "mine", 1)
    await eventually(trail_has(keeper, 1), "the trail has it")
    for n in range(12):
        after = await log.append(b"x" * 50_000, after=after, message_id=f"flood{n}")
        await log.purge(after)
    after = await log.append(b"last", after=after, message_id="last")
    payloads = [payload for _, payload in await _rows(nc)]
    assert payloads[0] == b"mine0", "the oldest is there"
    assert payloads[-1] == b"last", "what the trail refuses is read from the log"


async def test_what_is_older_than_the_retention_goes(tenants: Tenants) -> None:
    pair = await tenants.create("alice")
    nc, keeper = await tenants.connect(pair, "execution"), await tenants.keep_trail(pair)
    await _append(AccountLog(nc), "a", 2)
    await eventually(trail_has(keeper, 2), "the trail has them")
    await tenants.provisioner.ensure_assets(ALICE, retention=Retention(seconds=1))
    await eventually(trail_has(keeper, 0), "the servers have dropped them")


async def test_the_trail_goes_on_when_the_account_is_signed_anew(tenants: Tenants) -> None:
    pair = await tenants.create("alice")
    nc, keeper = await tenants.connect(pair, "execution"), await tenants.keep_trail(pair)
    last = await _append(AccountLog(nc), "a", 2)
    assert await tenants.provisioner.push(build_accounts(tenants.keys, ALICE, AccountLimits(pods=5)))
    await _append(AccountLog(nc), "b", 2, after=last)
    await eventually(trail_has(keeper, 4), "the trail has them all")


async def test_an_account_made_before_there_were_trails_gets_one_with_what_its_log_has(
    tenants: Tenants,
) -> None:
    pair = await tenants.create("alice")
    keeper, nc = await tenants.keep_trail(pair), await tenants.connect(pair, "execution")
    await jetstream.api(keeper, f"STREAM.DELETE.{subjects.TRAIL_STREAM}")
    await _append(AccountLog(nc), "a", 5)
    await tenants.provisioner.ensure_assets(ALICE)
    await eventually(trail_has(keeper, 5), "the trail has what the log had")


async def test_deletion_takes_the_trail_away_too(tenants: Tenants) -> None:
    pair = await tenants.create("alice")
    await tenants.provisioner.delete(ALICE)
    assert trail_key(tenants.keys, ALICE).public not in await tenants.provisioner.stored_accounts()
    fresh = await tenants.create("alice")
    assert await _rows(await tenants.connect(fresh, "execution")) == []
    assert fresh.trail_public == pair.trail_public


def _changed(generation: int) -> ObjectChanged:
    return ObjectChanged(
        uid="3e1b",
        generation=generation,
        previous_generation=generation - 1,
        resource_version=str(generation),
        changes=(FieldChange(path="spec.replicas", old=generation - 1, new=generation),),
        object={"spec": {"replicas": generation}},
    )


async def _kinds(nc: Connection, first: int = 1) -> list[tuple[int, bool]]:
    return [(entry.sequence, entry.is_change) async for entry in Trail(nc).read_all(first)]


async def test_changes_of_the_object_lie_between_the_records_in_one_order(tenants: Tenants) -> None:
    pair = await tenants.create("alice")
    nc, keeper = await tenants.connect(pair, "execution"), await tenants.keep_trail(pair)
    last = await _append(AccountLog(nc), "a", 2)
    await eventually(trail_has(keeper, 2), "the trail has them")
    async with tenants.provisioner.changes(ALICE) as changes:
        assert await changes.last() is None
        written = await changes.append(_changed(2), after=None)
        assert await changes.last() == written
    await _append(AccountLog(nc), "b", 1, after=last)
    await eventually(trail_has(keeper, 4), "the trail has them all")
    assert await _kinds(nc) == [(1, False), (2, False), (3, True), (4, False)]
    assert await _kinds(nc, 3) == [(3, True), (4, False)]
    assert await _kinds(nc, 5) == []
    assert await _rows(nc) == [(1, b"a0"), (2, b"a1"), (4, b"b0")], "the log alone"


async def test_what_the_trail_lacks_is_numbered_behind_the_newest_change(tenants: Tenants) -> None:
    nc, keeper = await _small(tenants)
    log, after = AccountLog(nc), await _append(AccountLog(nc), "mine", 1)
    await eventually(trail_has(keeper, 1), "the trail has it")
    async with tenants.provisioner.changes(ALICE) as changes:
        await changes.append(_changed(2), after=None)
        for n in range(12):
            after = await log.append(b"x" * 50_000, after=after, message_id=f"flood{n}")
            await log.purge(after)
        await log.append(b"last", after=after, message_id="last")
        sequences = [sequence for sequence, _ in await _kinds(nc)]
        assert sequences == list(range(1, len(sequences) + 1))
        with pytest.raises(jetstream.ApiError, match=r"exceeded|maximum bytes"):
            await changes.append(replace(_changed(3), object={"x": "x" * 60_000}), after=await changes.last())


async def test_a_change_that_no_server_would_take_is_cut_and_the_next_lies_behind_it(
    tenants: Tenants,
) -> None:
    await tenants.create("alice")
    big = {f"p{number}": "x" * 1_000 for number in range(2_000)}
    async with tenants.provisioner.changes(ALICE) as changes:
        written = await changes.append(replace(_changed(2), object=big), after=None)
        assert written.row.object == big, "whoever wrote it goes on with the whole"
        stored = await changes.last()
        assert stored is not None
        assert (stored.row.cut, stored.row.object, stored.sequence) == (True, omit(big), written.sequence)
        assert [change.path for change in stored.row.changes] == ["spec.replicas"]
        assert abs(stored.time_ms - written.time_ms) < 60_000
        behind = await changes.append(_changed(3), after=written)
        assert await changes.last() == behind


async def test_a_change_is_written_behind_one_that_is_of_age(tenants: Tenants) -> None:
    pair = await tenants.create("alice")
    keeper = await tenants.keep_trail(pair)
    async with tenants.provisioner.changes(ALICE) as changes:
        aged = await changes.append(_changed(2), after=None)
        await tenants.provisioner.ensure_assets(ALICE, retention=Retention(seconds=1))
        await eventually(trail_has(keeper, 0), "the servers have dropped it")
        assert await changes.last() is None
        with pytest.raises(jetstream.ApiError) as refused:
            await changes.append(_changed(3), after=aged)
        assert refused.value.code in jetstream.WRONG_LAST_SEQUENCE
        assert (await changes.append(_changed(3), after=None)).sequence == 2


async def test_of_two_who_go_on_behind_the_same_change_one_is_refused(tenants: Tenants) -> None:
    await tenants.create("alice")
    async with tenants.provisioner.changes(ALICE) as one, tenants.provisioner.changes(ALICE) as other:
        first = await one.append(_changed(2), after=None)
        second = await one.append(_changed(3), after=first)
        for stale in (None, first):
            with pytest.raises(jetstream.ApiError) as refused:
                await other.append(_changed(3), after=stale)
            assert refused.value.code in jetstream.WRONG_LAST_SEQUENCE
        assert await other.last() == second


async def test_the_operators_credentials_change_nothing_of_what_execution_has_written(
    tenants: Tenants,
) -> None:
    pair = await tenants.create("alice")
    nc, keeper = await tenants.connect(pair, "execution"), await tenants.keep_trail(pair)
    await _append(AccountLog(nc), "a", 2)
    await eventually(trail_has(keeper, 2), "the trail has them")
    async with tenants.provisioner.changes(ALICE) as changes:
        for subject, body in (("STREAM.PURGE", {}), ("STREAM.MSG.DELETE", {"seq": 1}), ("STREAM.DELETE", {})):
            with pytest.raises(BusError):
                await jetstream.api(changes._nc, f"{subject}.{subjects.TRAIL_STREAM}", body, timeout_s=0.5)
        with pytest.raises(BusError):
            await jetstream.publish(changes._nc, subjects.LOG, b"forged", timeout_s=0.5)
    assert await _rows(nc) == [(1, b"a0"), (2, b"a1")]


async def test_a_trail_from_before_there_were_changes_takes_them(tenants: Tenants) -> None:
    pair = await tenants.create("alice")
    keeper, nc = await tenants.keep_trail(pair), await tenants.connect(pair, "execution")
    await jetstream.api(keeper, f"STREAM.DELETE.{subjects.TRAIL_STREAM}")
    former = assets.build_trail_config(AccountLimits().trail_bytes, Retention())
    del former["subjects"]
    await jetstream.api(keeper, f"STREAM.CREATE.{subjects.TRAIL_STREAM}", former)
    await _append(AccountLog(nc), "a", 1)
    await eventually(trail_has(keeper, 1), "the trail has it")
    await tenants.provisioner.ensure_assets(ALICE)
    async with tenants.provisioner.changes(ALICE) as changes:
        await changes.append(_changed(2), after=None)
    assert await _kinds(nc) == [(1, False), (2, True)]


async def test_of_an_account_that_is_not_there_or_is_shut_no_change_is_written(tenants: Tenants) -> None:
    await tenants.create("alice")
    await tenants.provisioner.disable(ALICE, 1_800_000_000)
    for name in ("alice", "never-made"):
        with pytest.raises(BusError, match="no NATS account for a trail, or it is shut"):
            async with tenants.provisioner.changes(identity(name)):
                pass
