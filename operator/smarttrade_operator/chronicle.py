"""Writes into an account's audit trail what was changed of its object, each state that the watches told.

What was written last is read from the trail itself when this process does not know it, and rows are compared
and swapped: neither a restart nor a second operator writes one twice. A bus that is away, or a trail that is
full, delays them and holds nothing else up; states that only a process knew that has ended are then one
difference. What bites: the trail drops what is of age, also the row that the next one is the difference to,
so a quiet account's is written again in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from msgspec.structs import replace

from smarttrade.bus import jetstream
from smarttrade.bus.change_rows import ObjectChanged
from smarttrade.bus.changes import Changes, Recorded
from smarttrade.errors import SmartTradeError
from smarttrade.rates import Bucket
from smarttrade_operator.buses import Buses
from smarttrade_operator.cache import Observed, version
from smarttrade_operator.differences import build_change, meaning, restate
from smarttrade_operator.kinds import Manifest
from smarttrade_operator.names import Key
from smarttrade_operator.plan import identify
from smarttrade_operator.publish import Publisher
from smarttrade_operator.settings import Settings

_AGAIN_S = 10.0
_OVERTAKEN_S = 1.0
_RESTATE_AGAIN_S = 600.0
# Whatever waits behind it, a deletion or the next control value, waits so long at most.
_ATTEMPT_S = 2.0
# Rows of one account: so many at once, then one in so many seconds with all that was changed meanwhile.
_ROWS = 60.0
_ROW_EVERY_S = 300.0


@dataclass(slots=True)
class _Memory:
    """Of one account. `is_newest` is false where the trail may have another row than the known one."""

    known: Recorded | None = None
    is_newest: bool = False
    not_before_s: float = float("-inf")
    restate_not_before_s: float = float("-inf")
    is_refused: bool = False
    rows: Bucket = field(default_factory=lambda: Bucket(1 / _ROW_EVERY_S, _ROWS))


@dataclass(slots=True)
class Chronicle:
    """One for the whole process; `clock` is monotonic seconds, `wall` seconds since the epoch."""

    buses: Buses
    settings: Settings
    publisher: Publisher
    clock: Callable[[], float]
    wall: Callable[[], float]
    attempt_s: float = _ATTEMPT_S
    _memories: dict[Key, _Memory] = field(default_factory=dict)

    async def record(self, key: Key, observed: Observed) -> float | None:
        """Bring the trail up to date; seconds after which to come again, None when it is."""
        if observed.account is None or not observed.states:
            return None
        memory = self._memories.setdefault(key, _Memory())
        is_current = memory.is_newest and _is_current(memory.known, observed)
        if is_current and not self._is_to_be_restated(memory):
            return None
        wait_s = memory.not_before_s - self.clock()
        if wait_s <= 0:
            wait_s = self._merge(observed, observed.account, memory)
        if wait_s <= 0:
            wait_s = await self._attempt(key, observed, observed.account, memory)
            memory.not_before_s = self.clock() + wait_s
            if wait_s > 0:
                memory.is_newest = False
                memory.restate_not_before_s = self.clock() + _RESTATE_AGAIN_S
        # A row that is only to be told again has time: whoever looks at all accounts now and then comes back.
        return wait_s if wait_s > 0 and not is_current else None

    def _merge(self, observed: Observed, account: Manifest, memory: _Memory) -> float:
        """Let as many states be left as there may be rows; seconds to wait where there may be none.

        What is changed without end would otherwise fill the trail, which orders share. A deletion, which is
        the last, always has its row.
        """
        left = int(memory.rows.left(self.clock()))
        if left < 1 and not account["metadata"].get("deletionTimestamp"):
            return memory.rows.wait_s(self.clock())
        del observed.states[: -max(1, left)]
        return 0.0

    def forget(self, key: Key) -> None:
        """The account is gone."""
        self._memories.pop(key, None)

    async def _attempt(self, key: Key, observed: Observed, account: Manifest, memory: _Memory) -> float:
        """Seconds after which to try again, 0 when all is written. Whether the last row was written is not
        known after a failure: the trail tells."""
        try:
            identity = identify(account, self.settings)
            async with asyncio.timeout(self.attempt_s), self.buses.of(key).changes(identity) as changes:
                await self._write(observed, changes, memory)
            return 0.0
        except jetstream.ApiError as error:
            if error.code in jetstream.WRONG_LAST_SEQUENCE:
                return _OVERTAKEN_S
            if not memory.is_refused:
                memory.is_refused = True
                note = f"the audit trail does not take a change of this object, which is tried again: {error}"
                await self.publisher.tell(account, "ChangeNotRecorded", note, kind="Warning")
        except asyncio.CancelledError:
            memory.is_newest = False
            raise
        except (SmartTradeError, TimeoutError) as error:
            told = str(error) or f"not within {self.attempt_s:.0f} s"
            _log.warning("change not recorded yet", account=str(key), error=told)
        return _AGAIN_S

    async def _write(self, observed: Observed, changes: Changes, memory: _Memory) -> None:
        newest = await self._find_newest(changes, memory)
        while observed.states:
            # A row that the trail has dropped meanwhile is still what this process compares with.
            state, base = observed.states[0], memory.known
            if not _is_older(state, base):
                row = build_change(base.row if base else None, state, kept_since=self._kept_since())
                if row is not None:
                    newest = await self._append(row, changes, memory, after=newest)
                    memory.rows.spend(self.clock())
            # Meanwhile the watches may have told another state, another object, or that it is gone.
            if observed.states and observed.states[0] is state:
                if len(observed.states) == 1:
                    break
                del observed.states[0]
        if memory.known and (newest is None or self._is_to_be_restated(memory)):
            newest = await self._append(restate(memory.known.row), changes, memory, after=newest)
        memory.is_newest = newest is not None

    async def _find_newest(self, changes: Changes, memory: _Memory) -> Recorded | None:
        known = memory.known
        if memory.is_newest:
            return known
        newest = await changes.last()
        if newest is not None and (known is None or _identity(known) != _identity(newest)):
            memory.known = newest  # else it is known better than the trail has it, where it had to be cut
        return newest

    async def _append(
        self, row: ObjectChanged, changes: Changes, memory: _Memory, *, after: Recorded | None
    ) -> Recorded:
        written = await changes.append(row, after=after)
        memory.is_refused = False
        # What was changed is in the trail; only what the object is, is needed again.
        memory.known = Recorded(written.sequence, replace(written.row, changes=()), written.time_ms)
        return memory.known

    def _is_to_be_restated(self, memory: _Memory) -> bool:
        """Whether half of the time is over after which the trail drops the row."""
        if memory.known is None or self.clock() < memory.restate_not_before_s:
            return False
        return self.wall() - memory.known.time_ms / 1000 > self.settings.retention.seconds / 2

    def _kept_since(self) -> str:
        """As Kubernetes writes times."""
        since_s = max(0.0, self.wall() - self.settings.retention.seconds)
        return datetime.fromtimestamp(since_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_current(known: Recorded | None, observed: Observed) -> bool:
    newest = observed.states[-1]
    if known is None or len(observed.states) > 1 or known.row.uid != newest["metadata"]["uid"]:
        return False
    return _is_older(newest, known) or known.row.object == meaning(newest)


def _identity(recorded: Recorded) -> tuple[int, str, str]:
    return recorded.sequence, recorded.row.uid, recorded.row.resource_version


def _is_older(state: Manifest, newest: Recorded | None) -> bool:
    """Whether the row tells this state of the same object, or a later one: this process lags behind."""
    if newest is None or newest.row.uid != state["metadata"]["uid"]:
        return False
    return 0 < version(state) <= version({"metadata": {"resourceVersion": newest.row.resource_version}})


_log = structlog.get_logger()
