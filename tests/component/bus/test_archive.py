"""A deleted account: its users are refused, its log is kept elsewhere for a while, and then it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from smarttrade.bus import archive, jetstream, subjects
from smarttrade.bus.accounts import ARCHIVE, platform_credentials
from smarttrade.bus.archive import list_deletions, read_archived
from smarttrade.bus.assets import Retention
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.log import AccountLog
from smarttrade.errors import BusError
from tests.component.bus.tenants import Tenants, eventually, identity, trail_has

ALICE = identity("alice")
DELETED_S = 1_800_000_000
SUBJECT = subjects.archived(ALICE.token, DELETED_S)


@pytest.fixture
async def kept(tenants: Tenants) -> AsyncIterator[Connection]:
    """The archive, as whoever exports from it sees it."""
    await tenants.provisioner.prepare_archive(Retention())

    async def closed() -> None:
        return None

    nc = await connect(
        tenants.server.url,
        name="reader",
        role="operator",
        credentials=platform_credentials(tenants.keys, ARCHIVE),
        on_closed=closed,
    )
    yield nc
    await nc.close()


async def _fill(log: AccountLog, number: int, size: int = 10) -> list[bytes]:
    records, after = [b"%d" % n + b"x" * size for n in range(number)], 0
    for n, record in enumerate(records):
        after = await log.append(record, after=after, message_id=str(n))
    return records


async def _archived(kept: Connection) -> list[bytes]:
    return [batch.payload async for batch in read_archived(kept, SUBJECT)]


async def test_a_disabled_account_keeps_what_it_has_stored_and_lets_none_of_its_users_in(
    tenants: Tenants, kept: Connection
) -> None:
    pair = await tenants.create("alice")
    nc = await tenants.connect(pair, "execution")
    records = await _fill(AccountLog(nc), 3)
    await tenants.provisioner.disable(ALICE, DELETED_S)
    await eventually(lambda: not nc.is_connected, "its connection has ended")
    with pytest.raises(BusError):
        await tenants.connect(pair, "execution")
    assert await tenants.provisioner.deletion_of(pair.core_public) == (ALICE, DELETED_S)
    assert await tenants.provisioner.deletion_of(pair.strategy_public) == (ALICE, DELETED_S)

    await tenants.provisioner.copy_trail(ALICE, DELETED_S)
    await tenants.provisioner.delete(ALICE)
    assert await _archived(kept) == records
    assert await list_deletions(kept, ALICE) == [DELETED_S]
    assert await list_deletions(kept, identity("bob")) == []


async def test_what_compaction_had_dropped_is_archived_too(tenants: Tenants, kept: Connection) -> None:
    pair = await tenants.create("alice")
    log = AccountLog(await tenants.connect(pair, "execution"))
    records = await _fill(log, 30)
    await eventually(trail_has(await tenants.keep_trail(pair), 30), "the trail has them")
    assert await log.purge(30) == 29
    await tenants.provisioner.disable(ALICE, DELETED_S)
    await tenants.provisioner.copy_trail(ALICE, DELETED_S)
    assert await _archived(kept) == records


async def test_an_account_that_lives_is_not_marked_as_deleted(tenants: Tenants) -> None:
    pair = await tenants.create("alice")
    assert await tenants.provisioner.deletion_of(pair.core_public) is None
    await tenants.provisioner.disable(ALICE, DELETED_S)
    await tenants.provisioner.push(pair)
    assert await tenants.provisioner.deletion_of(pair.core_public) is None
    await tenants.connect(pair, "execution")


async def test_a_copy_that_was_cut_off_goes_on_where_it_was(
    tenants: Tenants, kept: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "PAGE_BYTES", 30_000)
    pair = await tenants.create("alice")
    log = AccountLog(await tenants.connect(pair, "execution"))
    records = await _fill(log, 20, 10_000)
    await tenants.provisioner.disable(ALICE, DELETED_S)
    publish, allowed = jetstream.publish, 3

    async def dies(*arguments: object, **options: object) -> int:
        nonlocal allowed
        allowed -= 1
        if allowed < 0:
            raise BusError("cut off")
        return await publish(*arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(jetstream, "publish", dies)
        with pytest.raises(BusError, match="cut off"):
            await tenants.provisioner.copy_trail(ALICE, DELETED_S)
    assert 0 < len(await _archived(kept)) < len(records)
    # Others at the same time: whoever comes second is refused, and what is there is whole all the same.
    copies = (tenants.provisioner.copy_trail(ALICE, DELETED_S) for _ in range(3))
    refusals = [str(each) for each in await asyncio.gather(*copies, return_exceptions=True) if each]
    assert all("wrong last sequence" in refusal for refusal in refusals), refusals
    await tenants.provisioner.copy_trail(ALICE, DELETED_S)
    assert await _archived(kept) == records


async def test_after_the_retention_the_servers_purge_it(tenants: Tenants, kept: Connection) -> None:
    pair = await tenants.create("alice")
    await _fill(AccountLog(await tenants.connect(pair, "execution")), 3)
    await tenants.provisioner.disable(ALICE, DELETED_S)
    await tenants.provisioner.copy_trail(ALICE, DELETED_S)
    assert await _archived(kept)
    await tenants.provisioner.prepare_archive(Retention(seconds=1))

    async def gone() -> bool:
        return not await _archived(kept)

    await eventually(gone, "the servers have purged it")


async def test_nobody_can_take_a_kept_log_away(tenants: Tenants, kept: Connection) -> None:
    pair = await tenants.create("alice")
    records = await _fill(AccountLog(await tenants.connect(pair, "execution")), 3)
    await tenants.provisioner.disable(ALICE, DELETED_S)
    await tenants.provisioner.copy_trail(ALICE, DELETED_S)
    for request in (f"STREAM.PURGE.{subjects.ARCHIVE_STREAM}", f"STREAM.DELETE.{subjects.ARCHIVE_STREAM}"):
        with pytest.raises(BusError):
            await jetstream.api(kept, request, timeout_s=0.3)
    assert await _archived(kept) == records


async def test_an_account_without_a_log_leaves_nothing(tenants: Tenants, kept: Connection) -> None:
    await tenants.create("alice")
    await tenants.provisioner.disable(ALICE, DELETED_S)
    await tenants.provisioner.copy_trail(ALICE, DELETED_S)
    await tenants.provisioner.copy_trail(identity("never-made"), DELETED_S)
    assert await list_deletions(kept, ALICE) == []
