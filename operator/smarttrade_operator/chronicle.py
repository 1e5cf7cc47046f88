"""Writes into an account's audit trail what was changed of its object, each state that the watches told.

What was written last is read from the trail itself when this process does not know it, and rows are compared
and swapped: neither a restart nor a second operator writes one twice. A bus that is away, or a trail that is
full, delays them and holds nothing else up; states that only a process knew that has ended are then one
difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from smarttrade.bus import jetstream
from smarttrade.bus.changes import Changes, Recorded
from smarttrade.errors import SmartTradeError
from smarttrade_operator.buses import Buses
from smarttrade_operator.cache import Observed
from smarttrade_operator.differences import build_change, meaning
from smarttrade_operator.names import Key
from smarttrade_operator.plan import identify
from smarttrade_operator.publish import Publisher
from smarttrade_operator.settings import Settings

_AGAIN_S = 10.0
_OVERTAKEN_S = 1.0


@dataclass(slots=True)
class Chronicle:
    """One for the whole process; `clock` is monotonic seconds."""

    buses: Buses
    settings: Settings
    publisher: Publisher
    clock: Callable[[], float]
    _recorded: dict[Key, Recorded] = field(default_factory=dict)
    _refused_until_s: dict[Key, float] = field(default_factory=dict)

    async def record(self, key: Key, observed: Observed) -> float | None:
        """Bring the trail up to date; seconds after which to come again, None when it is."""
        account, known = observed.account, self._recorded.get(key)
        if account is None or (known and _is_current(known, observed)):
            return None
        wait_s = self._refused_until_s.get(key, 0.0) - self.clock()
        if wait_s > 0:
            return wait_s
        try:
            identity = identify(account, self.settings)
            async with self.buses.of(key).changes(identity) as changes:
                await self._write(key, observed, changes)
            return None
        except jetstream.ApiError as error:
            self._recorded.pop(key, None)
            if error.code in jetstream.WRONG_LAST_SEQUENCE:
                return _OVERTAKEN_S
            self._refused_until_s[key] = self.clock() + _AGAIN_S
            note = f"the audit trail does not take a change of this object, which is tried again: {error}"
            await self.publisher.tell(account, "ChangeNotRecorded", note, kind="Warning")
        except SmartTradeError as error:
            # Whether the last one was written is not known: the trail tells.
            self._recorded.pop(key, None)
            _log.warning("change not recorded yet", account=str(key), error=str(error))
        return _AGAIN_S

    def forget(self, key: Key) -> None:
        """The account is gone."""
        self._recorded.pop(key, None)
        self._refused_until_s.pop(key, None)

    async def _write(self, key: Key, observed: Observed, changes: Changes) -> None:
        known = self._recorded.get(key) or await changes.last()
        while True:
            row = build_change(known.row if known else None, observed.states[0])
            if row is not None:
                known = await changes.append(row, after=known)
            if known is not None:
                self._recorded[key] = known
            if len(observed.states) == 1:
                return
            del observed.states[0]


def _is_current(known: Recorded, observed: Observed) -> bool:
    newest = observed.states[-1]
    same = known.row.uid == newest["metadata"]["uid"]
    return len(observed.states) == 1 and same and known.row.object == meaning(newest)


_log = structlog.get_logger()
