"""Did the standby decide what the leader decided?

Two replicas fed by two connections never see the same sequence; strategies on final candles should still
agree. The standby's execution publishes outcomes of the leader's decisions: an id that this process had not
made some seconds later is a divergence, to be counted and looked into, never merged.
"""

from __future__ import annotations

from collections import OrderedDict

from smarttrade.messages import Decision, DecisionOutcome

_REMEMBERED = 2_000
_GRACE_MS = 5_000


class Divergence:
    def __init__(self) -> None:
        self._own: OrderedDict[str, None] = OrderedDict()
        self._pending: dict[str, int] = {}
        self.count = 0

    def decided(self, decision: Decision) -> None:
        self._own[decision.id] = None
        if len(self._own) > _REMEMBERED:
            self._own.popitem(last=False)

    def outcome(self, outcome: DecisionOutcome) -> None:
        if self._own:  # before the first own decision there is nothing to compare
            self._pending[outcome.id] = outcome.time_ms

    def judge(self, now_ms: int) -> None:
        """Count what the leader decided and this process has not, once it has had time to."""
        due = [id_ for id_, time_ms in self._pending.items() if now_ms > time_ms + _GRACE_MS]
        for id_ in due:
            del self._pending[id_]
            self.count += id_ not in self._own
