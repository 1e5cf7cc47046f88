"""Faults on request: what goes wrong, for whom, how often. Seeded, so that a run can be repeated.

A fault matches by user and endpoint ("POST /api/v3/order", a ws-api method as "order.place", or a stream as
"ws"); `*` matches all. `probability` and `times` limit it. Faults of one request apply in order of creation.
"""

import fnmatch
import random
from enum import StrEnum
from typing import Any

import msgspec


class FaultKind(StrEnum):
    LATENCY = "latency"  # wait delay_ms before the request is looked at
    TIMEOUT_BEFORE = "timeout-before"  # never answer, nothing executed
    TIMEOUT_AFTER = "timeout-after"  # execute, never answer
    RESET_BEFORE = "reset-before"  # close the connection, nothing executed
    RESET_AFTER = "reset-after"  # execute, then close the connection
    TRUNCATED = "truncated"  # execute, answer half of the body
    SERVER_ERROR = "server-error"  # answer `status` (default 503) without executing
    UNKNOWN_EXECUTED = "unknown-executed"  # -1007, and it was executed
    UNKNOWN_NOT_EXECUTED = "unknown-not-executed"  # -1007, and it was not
    RATE_LIMIT = "rate-limit"  # 429 (or status 418) with Retry-After
    MAINTENANCE = "maintenance"  # 503 with the exchange's maintenance answer
    LATE_VISIBILITY = "late-visibility"  # the order is absent from queries for delay_ms
    EVENT_DELAY = "event-delay"  # user events arrive delay_ms late
    EVENT_DUPLICATE = "event-duplicate"  # user events arrive twice
    EVENT_DROP = "event-drop"  # user events never arrive
    WS_SILENCE = "ws-silence"  # a websocket stays open and, after delay_ms, says nothing any more
    WS_DROP = "ws-drop"  # a websocket breaks after delay_ms
    CLOCK_SKEW = "clock-skew"  # the exchange's clock is skew_ms off for the request


class FaultSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A fault as asked for. `probability` 0 to 1; `times`: how often at most (None: without end)."""

    kind: FaultKind
    user: str = "*"
    endpoint: str = "*"
    probability: float = 1.0
    times: int | None = None
    delay_ms: int = 0
    skew_ms: int = 0
    status: int = 503
    id: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1 or self.delay_ms < 0 or (self.times is not None and self.times < 1):
            raise ValueError("a fault needs probability 0 to 1, delay_ms from 0 and times from 1")


class FaultPlan:
    """The faults in force. `take` draws: a fault that is drawn counts."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._faults: dict[int, FaultSpec] = {}
        self._next_id = 1
        self.injected: dict[str, int] = {}

    def add(self, spec: FaultSpec) -> FaultSpec:
        spec.id = self._next_id
        self._next_id += 1
        self._faults[spec.id] = spec
        return spec

    def inject(self, kind: FaultKind | str, **fields: Any) -> FaultSpec:
        """`add` with keywords: inject("timeout-after", user="alice", times=1)."""
        return self.add(FaultSpec(kind=FaultKind(kind), **fields))

    def remove(self, fault_id: int) -> bool:
        return self._faults.pop(fault_id, None) is not None

    def clear(self) -> None:
        self._faults.clear()

    def active(self) -> list[FaultSpec]:
        return list(self._faults.values())

    def take(self, kinds: frozenset[FaultKind], user: str, endpoint: str) -> list[FaultSpec]:
        """Faults of `kinds` that strike now."""
        if not self._faults:
            return []
        return [fault for fault in list(self._faults.values()) if self._strikes(fault, kinds, user, endpoint)]

    def _strikes(self, fault: FaultSpec, kinds: frozenset[FaultKind], user: str, endpoint: str) -> bool:
        if fault.kind not in kinds or not _matches(fault, user, endpoint):
            return False
        if fault.probability < 1.0 and self._random.random() >= fault.probability:
            return False
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.pop(fault.id, None)
        self.injected[fault.kind.value] = self.injected.get(fault.kind.value, 0) + 1
        return True


def _matches(fault: FaultSpec, user: str, endpoint: str) -> bool:
    return fnmatch.fnmatchcase(user, fault.user) and fnmatch.fnmatchcase(endpoint, fault.endpoint)


REQUEST_FAULTS = frozenset(
    (
        FaultKind.LATENCY,
        FaultKind.TIMEOUT_BEFORE,
        FaultKind.TIMEOUT_AFTER,
        FaultKind.RESET_BEFORE,
        FaultKind.RESET_AFTER,
        FaultKind.TRUNCATED,
        FaultKind.SERVER_ERROR,
        FaultKind.UNKNOWN_EXECUTED,
        FaultKind.UNKNOWN_NOT_EXECUTED,
        FaultKind.RATE_LIMIT,
        FaultKind.MAINTENANCE,
    )
)
EVENT_FAULTS = frozenset((FaultKind.EVENT_DELAY, FaultKind.EVENT_DUPLICATE, FaultKind.EVENT_DROP))
VISIBILITY_FAULTS = frozenset((FaultKind.LATE_VISIBILITY,))
SOCKET_FAULTS = frozenset((FaultKind.WS_SILENCE, FaultKind.WS_DROP))
SKEW_FAULTS = frozenset((FaultKind.CLOCK_SKEW,))
