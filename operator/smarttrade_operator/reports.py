"""What the pods say of themselves, over NATS.

Account and role are tokens of the subject that NATS itself fills in, so nobody reports for another account.
A pod that has said nothing for three heartbeats has no voice: its last words would only mislead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from smarttrade.identity import AccountIdentity
from smarttrade.messages import Check, EvaluationStatus, ExecutionReport, MonitoringReport, Report
from smarttrade_operator.names import Key

_VOICES = 64  # pods times roles, over a rollout
_POSITIONS = 256
_CHECKS = 32
_MARKS = 8
_LONGEST_MARK = 64
_LONGEST_MARKET = 41
_LONGEST_POD = 253
_LONGEST_NAME = 128
_LONGEST_TEXT = 8192
_LARGEST = 2**53
_DIGITS = 30
_FAR_MS = 4_102_444_800_000  # the year 2100

FRESH_S = 15.0
AFTER_FILL_S = 5.0
"""How often fills are shown. To look at the account at each one would use up what its user's changes need."""


@dataclass(frozen=True, slots=True)
class PodVoice:
    """The newest fresh reports of one pod."""

    pod: str
    execution: ExecutionReport | None = None
    monitoring: MonitoringReport | None = None


@dataclass(frozen=True, slots=True)
class Voices:
    """The fresh reports of one account's pods. `settled` once silence means something: a while after the
    operator began to listen."""

    pods: tuple[PodVoice, ...] = ()
    settled: bool = True

    @property
    def leader(self) -> PodVoice | None:
        """The pod that says it leads, in the highest epoch."""
        leading = [pod for pod in self.pods if pod.execution is not None and pod.execution.leading]
        return max(leading, key=_epoch, default=None)

    @property
    def spokesman(self) -> PodVoice | None:
        """The leader, or else the pod that reported last."""
        return self.leader or max(self.pods, key=_as_of, default=None)


def _epoch(pod: PodVoice) -> int:
    return pod.execution.epoch if pod.execution else -1


def _as_of(pod: PodVoice) -> int:
    return max(
        pod.execution.as_of_ms if pod.execution else 0, pod.monitoring.as_of_ms if pod.monitoring else 0
    )


@dataclass(slots=True)
class _Heard:
    report: Report
    at_s: float


@dataclass(slots=True)
class Reports:
    """All reports heard, by account, pod and role. `clock` is monotonic seconds."""

    clock: Callable[[], float]
    since_s: float = 0.0
    _keys: dict[str, Key] = field(default_factory=dict)
    _heard: dict[Key, dict[tuple[str, str], _Heard]] = field(default_factory=dict)
    _fills_due_s: dict[Key, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.since_s = self.clock()

    def expect(self, identity: AccountIdentity) -> None:
        """Listen to this account from now on."""
        self._keys[identity.token] = Key(identity.namespace, identity.name)

    def forget(self, identity: AccountIdentity) -> None:
        self._keys.pop(identity.token, None)
        self._heard.pop(Key(identity.namespace, identity.name), None)
        self._fills_due_s.pop(Key(identity.namespace, identity.name), None)

    def receive(self, token: str, role: str, report: Report) -> tuple[Key, float] | None:
        """Take in one report; the account when it says something that the status must show, and in how many
        seconds to look at it: fills that follow others wait, everything else does not."""
        key = self._keys.get(token)
        if key is None:
            return None
        heard = self._heard.setdefault(key, {})
        self._drop_silent(heard)
        if not is_sound(role, report) or (len(heard) >= _VOICES and (report.pod, role) not in heard):
            return None
        before = heard.get((report.pod, role))
        heard[(report.pod, role)] = _Heard(report, self.clock())
        if before is None or _telling(before.report) != _telling(report):
            return key, 0.0
        return (key, self._wait_for_fills(key)) if _fills(before.report) != _fills(report) else None

    def _wait_for_fills(self, key: Key) -> float:
        now_s = self.clock()
        wait_s = max(0.0, self._fills_due_s.get(key, float("-inf")) - now_s)
        if not wait_s:
            self._fills_due_s[key] = now_s + AFTER_FILL_S
        return wait_s

    def of(self, key: Key) -> Voices:
        heard = self._heard.get(key, {})
        self._drop_silent(heard)
        pods = sorted({pod for pod, _ in heard})
        return Voices(
            tuple(_voice(pod, (h.report for (p, _), h in heard.items() if p == pod)) for pod in pods),
            settled=self.clock() - self.since_s > FRESH_S,
        )

    def next_silence_s(self, key: Key) -> float | None:
        """Seconds until the next pod loses its voice if it says nothing more."""
        now = self.clock()
        return min((h.at_s + FRESH_S - now for h in self._heard.get(key, {}).values()), default=None)

    def _drop_silent(self, heard: dict[tuple[str, str], _Heard]) -> None:
        limit = self.clock() - FRESH_S
        for name in [name for name, entry in heard.items() if entry.at_s < limit]:
            del heard[name]


def is_sound(role: str, report: Report) -> bool:
    """Whether a report is of its role and of a size that the platform can show: whoever holds one account's
    credentials may write anything, and must not reach the others by it."""
    if isinstance(report, MonitoringReport):
        fitting = role == "monitoring" and _is_sound_evaluation(report.evaluation)
    else:
        fitting = role == "execution" and _is_sound_execution(report)
    named = 0 < len(report.pod) <= _LONGEST_POD and 0 <= report.generation < _LARGEST
    return fitting and named and _are_sound(report.checks) and 0 <= report.as_of_ms < _FAR_MS


def _is_sound_execution(report: ExecutionReport) -> bool:
    marks, positions = report.fingerprints, report.positions
    counted = (report.open_orders, report.unknown_orders, report.fills, report.epoch)
    numbers: list[Decimal | None] = [report.equity, report.realized_pnl, report.unrealized_pnl]
    for each in positions[:_POSITIONS]:
        numbers += [each.quantity, each.average_price, each.realized_pnl, each.unrealized_pnl]
    return (
        len({each.market for each in positions}) == len(positions) <= _POSITIONS
        and all(len(each.market) <= _LONGEST_MARKET for each in positions)
        and len(set(marks)) == len(marks) <= _MARKS
        and all(len(mark) <= _LONGEST_MARK for mark in marks)
        and all(0 <= count < _LARGEST for count in counted)
        and len(report.breach_id) <= _LONGEST_NAME
        and len(report.breach_reason) <= _LONGEST_TEXT
        and 0 <= report.breach_time_ms < _FAR_MS
        and all(n is None or (n.is_finite() and n.adjusted() <= _DIGITS) for n in numbers)
    )


def _is_sound_evaluation(status: EvaluationStatus | None) -> bool:
    return status is None or (len(status.error) <= _LONGEST_TEXT and 0 <= status.generation < _LARGEST)


def _are_sound(checks: list[Check]) -> bool:
    return len(checks) <= _CHECKS and all(
        0 < len(each.type) <= _LONGEST_NAME
        and len(each.reason) <= _LONGEST_NAME
        and len(each.message) <= _LONGEST_TEXT
        for each in checks
    )


def _voice(pod: str, reports: Iterable[Report]) -> PodVoice:
    execution, monitoring = None, None
    for report in reports:
        if isinstance(report, ExecutionReport):
            execution = report
        else:
            monitoring = report
    return PodVoice(pod, execution, monitoring)


def _fills(report: Report) -> int:
    return report.fills if isinstance(report, ExecutionReport) else 0


def _telling(report: Report) -> tuple[Any, ...]:
    """What makes two reports different enough to look at the account at once; numbers alone do not."""
    checks = tuple((check.type, check.ok, check.reason) for check in report.checks)
    if isinstance(report, ExecutionReport):
        return (
            report.generation,
            report.leading,
            report.effective_state,
            report.breach_id,
            report.fingerprints,
            checks,
        )
    evaluation = report.evaluation
    return (
        report.generation,
        checks,
        evaluation and (evaluation.generation, evaluation.ready, evaluation.error),
    )
