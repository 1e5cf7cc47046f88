"""When an account's trail is written, and what happens when it takes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from smarttrade.bus import jetstream
from smarttrade.bus.change_rows import ObjectChanged
from smarttrade.bus.changes import Recorded
from smarttrade.errors import BusError, SmartTradeError
from smarttrade.identity import AccountIdentity
from smarttrade_operator.cache import Cache
from smarttrade_operator.chronicle import Chronicle
from smarttrade_operator.kinds import Manifest
from smarttrade_operator.names import Key
from tests.unit.operator.accounts import SETTINGS, build_manifest

ALICE = Key("alice", "alice")
FULL = jetstream.ApiError(10077, "maximum bytes exceeded")
OVERTAKEN = jetstream.ApiError(10071, "wrong last sequence")


class Trail:
    """The rows that were written; `refuses` is what the next ones meet, `loses` an answer that gets lost."""

    def __init__(self) -> None:
        self.rows: list[ObjectChanged] = []
        self.refuses: SmartTradeError | None = None
        self.loses = False
        self.asked = 0

    def of(self, _: Key) -> Trail:
        return self

    @asynccontextmanager
    async def changes(self, _: AccountIdentity) -> AsyncIterator[Trail]:
        self.asked += 1
        yield self

    async def last(self) -> Recorded | None:
        return Recorded(len(self.rows), self.rows[-1]) if self.rows else None

    async def append(self, row: ObjectChanged, *, after: Recorded | None) -> Recorded:
        if self.refuses:
            raise self.refuses
        assert (after.sequence if after else 0) == len(self.rows)
        self.rows.append(row)
        if self.loses:
            self.loses = False
            raise BusError("no answer")
        return Recorded(len(self.rows), row)


class Stage:
    """One operator's process beside the trail, at a time."""

    def __init__(self, trail: Trail) -> None:
        self.trail, self.cache, self.now_s = trail, Cache("smarttrade"), 100.0
        self.told: list[str] = []
        nothing = cast("Any", self)
        self.chronicle = Chronicle(cast("Any", trail), SETTINGS, nothing, lambda: self.now_s)

    async def tell(self, _: Manifest, reason: str, __: str, *, kind: str) -> None:
        self.told.append(f"{kind} {reason}")

    def see(self, *replicas: int) -> None:
        for number in replicas:
            account = build_manifest(replicas=number)
            account["metadata"] |= {"generation": number, "resourceVersion": str(100 + number)}
            self.cache.observe(account)

    async def record(self) -> float | None:
        return await self.chronicle.record(ALICE, self.cache.get(ALICE))

    @property
    def written(self) -> list[int]:
        return [row.object["spec"]["replicas"] for row in self.trail.rows]


async def test_each_state_is_a_row_and_nothing_is_asked_when_nothing_has_changed() -> None:
    stage = Stage(Trail())
    stage.see(1, 2, 3)
    assert await stage.record() is None
    assert stage.written == [1, 2, 3]
    for _ in range(3):
        stage.see(3)
        assert await stage.record() is None
    assert stage.trail.asked == 1
    stage.see(4)
    assert await stage.record() is None
    assert stage.written == [1, 2, 3, 4]


async def test_another_process_goes_on_where_the_trail_ends() -> None:
    trail = Trail()
    first = Stage(trail)
    first.see(1, 2)
    await first.record()
    second = Stage(trail)
    second.see(2)
    assert await second.record() is None
    second.see(5)
    await second.record()
    assert second.written == [1, 2, 5]
    assert [row.previous_generation for row in trail.rows] == [None, 1, 2]


async def test_a_row_whose_answer_is_lost_is_not_written_again() -> None:
    stage = Stage(Trail())
    stage.trail.loses = True
    stage.see(1, 2)
    assert await stage.record() == 10
    assert await stage.record() is None
    assert stage.written == [1, 2]


async def test_whoever_was_overtaken_reads_the_trail_again() -> None:
    trail = Trail()
    stage, other = Stage(trail), Stage(trail)
    stage.see(1)
    await stage.record()
    other.see(2)
    await other.record()
    stage.see(2)
    trail.refuses = OVERTAKEN
    assert await stage.record() == 1
    trail.refuses = None
    assert await stage.record() is None
    assert stage.written == [1, 2]
    assert not stage.told


async def test_a_full_trail_is_told_now_and_then_and_takes_all_when_it_can() -> None:
    stage = Stage(Trail())
    stage.trail.refuses = FULL
    stage.see(1)
    assert await stage.record() == 10
    stage.see(2)
    stage.now_s += 4
    assert await stage.record() == 6
    assert stage.told == ["Warning ChangeNotRecorded"]
    stage.trail.refuses = None
    stage.now_s += 6
    assert await stage.record() is None
    assert stage.written == [1, 2]
