"""When an account's trail is written, and what happens when it takes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
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
DAY_S, RETENTION_DAYS = 86_400.0, 30
OVERTAKEN = jetstream.ApiError(10071, "wrong last sequence")


class Trail:
    """The rows that were written; `refuses` is what the next ones meet, `loses` an answer that gets lost."""

    def __init__(self) -> None:
        self.rows: list[ObjectChanged] = []
        self.refuses: SmartTradeError | None = None
        self.loses = self.hangs = False
        self.asked = self.dropped = 0
        self.meanwhile: Callable[[], None] = lambda: None
        self.wall_s = 1_800_000_000.0
        self.times: list[float] = []

    def of(self, _: Key) -> Trail:
        return self

    @asynccontextmanager
    async def changes(self, _: AccountIdentity) -> AsyncIterator[Trail]:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        yield self

    async def last(self) -> Recorded | None:
        return self._kept(len(self.rows)) if len(self.rows) > self.dropped else None

    async def append(self, row: ObjectChanged, *, after: Recorded | None) -> Recorded:
        if self.refuses:
            raise self.refuses
        if (after.sequence if after else 0) != (len(self.rows) if len(self.rows) > self.dropped else 0):
            raise OVERTAKEN
        self.rows.append(row)
        self.times.append(self.wall_s)
        self.meanwhile()
        if self.loses:
            self.loses = False
            raise BusError("no answer")
        return self._kept(len(self.rows))

    def _kept(self, sequence: int) -> Recorded:
        return Recorded(sequence, self.rows[sequence - 1], int(self.times[sequence - 1] * 1000))

    def age(self, days: float) -> None:
        """Time goes by, and what is older than the retention goes with it."""
        self.wall_s += days * DAY_S
        self.dropped = sum(self.wall_s - time_s > RETENTION_DAYS * DAY_S for time_s in self.times)


class Stage:
    """One operator's process beside the trail, at a time."""

    def __init__(self, trail: Trail) -> None:
        self.trail, self.cache, self.now_s = trail, Cache("smarttrade"), 100.0
        self.told: list[str] = []
        nothing = cast("Any", self)
        self.chronicle = Chronicle(
            cast("Any", trail), SETTINGS, nothing, lambda: self.now_s, lambda: trail.wall_s
        )

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
    assert await stage.record() == 10, "it is not tried at once"
    stage.now_s += 10
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
    stage.now_s += 1
    assert await stage.record() is None
    assert stage.written == [1, 2]
    assert not stage.told


async def test_a_full_trail_is_told_once_and_takes_all_when_it_can() -> None:
    stage = Stage(Trail())
    stage.trail.refuses = FULL
    stage.see(1)
    assert await stage.record() == 10
    stage.see(2)
    stage.now_s += 4
    assert await stage.record() == 6
    for _ in range(70):
        stage.now_s += 10
        assert await stage.record() == 10, "what was not written is no row"
    assert stage.told == ["Warning ChangeNotRecorded"]
    stage.trail.refuses = None
    stage.now_s += 10
    assert await stage.record() is None
    assert stage.written == [1, 2]
    stage.trail.refuses = FULL
    stage.see(3)
    assert await stage.record() == 10
    assert stage.told == ["Warning ChangeNotRecorded"] * 2, "it is refused anew"


async def test_a_row_is_told_again_before_it_is_of_age_and_stays_what_the_next_one_differs_from() -> None:
    stage = Stage(Trail())
    stage.see(1, 2)
    assert await stage.record() is None
    stage.trail.age(14)
    assert await stage.record() is None
    assert stage.written == [1, 2], "not yet"
    for _ in range(4):
        stage.trail.age(2)
        assert await stage.record() is None
    assert stage.written == [1, 2, 2]
    again = stage.trail.rows[-1]
    assert (again.restates, again.changes, again.generation, again.previous_generation) == (True, (), 2, 2)
    stage.trail.age(20)
    assert stage.trail.dropped == 2
    await stage.record()
    stage.trail.age(12)
    other = Stage(stage.trail)
    other.see(3)
    assert await other.record() is None
    change = stage.trail.rows[-1].changes
    assert [(each.path, each.old, each.new) for each in change] == [("spec.replicas", 2, 3)]


async def test_a_restart_finds_the_row_of_a_quiet_account_and_tells_it_again_in_time() -> None:
    trail = Trail()
    stage = Stage(trail)
    stage.see(1)
    await stage.record()
    trail.age(20)
    other = Stage(trail)
    other.see(1)
    assert await other.record() is None
    assert [row.restates for row in trail.rows] == [False, True]


async def test_a_row_that_is_gone_all_the_same_is_what_the_next_one_differs_from() -> None:
    """No operator came by in time, or none that the trail took anything from."""
    stage = Stage(Trail())
    stage.see(1, 2)
    await stage.record()
    stage.trail.age(31)
    stage.see(3)
    assert await stage.record() == 1, "the trail no longer has the row that is known"
    stage.now_s += 1
    assert await stage.record() is None
    row = stage.trail.rows[-1]
    assert [(each.old, each.new) for each in row.changes] == [(2, 3)]
    assert (row.previous_generation, row.baseless) == (2, False)


async def test_a_row_that_is_gone_is_told_again_where_nothing_was_changed() -> None:
    stage = Stage(Trail())
    stage.see(1)
    await stage.record()
    stage.trail.age(31)
    for _ in range(3):
        await stage.record()
        stage.now_s += 1
    assert [row.restates for row in stage.trail.rows] == [False, True]


async def test_a_first_row_of_what_had_rows_does_not_claim_to_be_the_first() -> None:
    trail = Trail()
    stage = Stage(trail)
    stage.see(1)
    await stage.record()
    assert not trail.rows[0].baseless
    trail.age(31)
    other = Stage(trail)
    other.see(2)
    await other.record()
    assert (trail.rows[-1].baseless, trail.rows[-1].previous_generation) == (True, None)


async def test_a_row_that_cannot_be_told_again_is_not_tried_at_every_look() -> None:
    stage = Stage(Trail())
    stage.see(1)
    await stage.record()
    stage.trail.age(16)
    stage.trail.refuses = FULL
    for _ in range(100):
        stage.now_s += 5
        await stage.record()
    assert stage.trail.asked <= 3
    assert stage.told == ["Warning ChangeNotRecorded"]
    stage.trail.refuses = None
    stage.now_s += 600
    await stage.record()
    assert [row.restates for row in stage.trail.rows] == [False, True]


async def test_a_trail_that_does_not_answer_is_left_alone_for_a_while() -> None:
    stage = Stage(Trail())
    stage.see(1)
    stage.trail.hangs, stage.chronicle.attempt_s = True, 0.01
    assert await stage.record() == 10
    stage.now_s += 9
    assert await stage.record() == 1
    assert stage.trail.asked == 1
    stage.trail.hangs = False
    stage.now_s += 1
    assert await stage.record() is None
    assert stage.written == [1]
    assert not stage.told, "it has refused nothing"


async def test_an_operator_that_lags_behind_takes_nothing_back() -> None:
    trail = Trail()
    stage, other = Stage(trail), Stage(trail)
    other.see(1, 3)
    await other.record()
    stage.see(1, 2)
    assert await stage.record() is None
    assert await stage.record() is None
    assert stage.trail.asked == 2
    stage.see(4)
    await stage.record()
    assert stage.written == [1, 3, 4]


async def test_the_order_of_what_has_keys_asks_nothing_of_the_trail() -> None:
    stage = Stage(Trail())
    for number, symbols in ((1, ("BTC/USDT", "ETH/USDT")), (2, ("ETH/USDT", "BTC/USDT"))):
        account = build_manifest(markets=[{"symbol": symbol} for symbol in symbols])
        account["metadata"] |= {"generation": number, "resourceVersion": str(100 + number)}
        stage.cache.observe(account)
        for _ in range(3):
            assert await stage.record() is None
    assert (len(stage.trail.rows), stage.trail.asked) == (1, 1)


async def test_an_account_may_vanish_or_be_made_anew_while_its_row_is_written() -> None:
    stage = Stage(Trail())
    stage.see(1, 2)
    account = build_manifest()
    stage.trail.meanwhile = lambda: stage.cache.observe(account, deleted=True) and None
    assert await stage.record() is None
    assert stage.written == [1]

    stage = Stage(Trail())
    stage.see(1, 2)
    anew = build_manifest(replicas=7)
    anew["metadata"] |= {"uid": "another", "generation": 1, "resourceVersion": "200"}
    stage.trail.meanwhile = lambda: stage.cache.observe(anew) and None
    assert await stage.record() is None
    assert stage.written == [1, 7], "the state that came meanwhile is written, not taken away"


async def test_what_changes_without_end_has_fewer_rows_and_its_deletion_has_one() -> None:
    stage = Stage(Trail())
    for number in range(1, 61):
        stage.see(number)
        assert await stage.record() is None
    stage.see(61, 62)
    wait_s = await stage.record()
    assert wait_s is not None
    assert len(stage.written) == 60
    stage.see(63)
    stage.now_s += wait_s
    assert await stage.record() is None
    assert (stage.written[60:], stage.trail.rows[-1].previous_generation) == ([63], 60)

    going = build_manifest(replicas=64)
    going["metadata"] |= {"generation": 64, "resourceVersion": "164", "deletionTimestamp": "now"}
    stage.cache.observe(going)
    assert await stage.record() is None
    assert stage.written[61:] == [64]
