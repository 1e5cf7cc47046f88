"""The status of an account, and when it is worth a write.

Verdicts, phase and leader are written at once. Numbers are for people who look now and then: they are
written at most once in 5 s after a fill, otherwise at most about once a minute and only if they changed,
under a budget for the whole fleet. Live numbers are in the metrics.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from smarttrade.api import Phase
from smarttrade.messages import ExecutionReport, Position
from smarttrade_operator.conditions import REPORTED, Condition, Findings, judge, stamp
from smarttrade_operator.reports import AFTER_FILL_S
from smarttrade_operator.sharing import write_claims

Status = dict[str, Any]

_POSITIONS = 64  # what the definition admits
NUMBERS_S = 60.0
# A verdict that flaps must not turn into a stream of writes.
AT_ONCE_S = 0.2
REVOKED = "credentialsRevokedUntil"
VERSION = "strategyVersion"
_VERSION_LENGTH = 256
_KEPT = ("asOf", "effectiveState", "breach", REVOKED, VERSION)
_NUMBERS = ("equity", "realizedPnl", "unrealizedPnl", "openOrders", "unknownOrders", "fills", "positions")


def build_status(findings: Findings, previous: Status, place: tuple[str, str], now: datetime) -> Status:
    """The status as it should be; what nobody reports now keeps the value it had.

    `place` is the installation and the NATS cluster, which stay what they were at first.
    """
    installation, nats_cluster = place
    verdicts = judge(findings)
    conditions = stamp(verdicts, previous.get("conditions") or [], findings.generation, now)
    if not findings.voices.settled:
        conditions = _keep_reported(conditions, previous.get("conditions") or [])
    status: Status = {
        "observedGeneration": findings.generation,
        "phase": _phase(findings, conditions).value,
        "installation": previous.get("installation") or installation,
        "natsCluster": previous.get("natsCluster") or nats_cluster,
        "readyReplicas": findings.ready_replicas,
        "conditions": conditions,
        "exchangeMarks": write_claims(findings.claims),
    }
    if findings.revoked_s:
        status[REVOKED] = _time(findings.revoked_s * 1000)
    kept = {name: previous[name] for name in (*_NUMBERS, *_KEPT) if name in previous}
    return kept | status | _build_leader(findings, previous) | _build_numbers(findings)


def _keep_reported(conditions: list[Condition], previous: list[Condition]) -> list[Condition]:
    """Verdicts on the same generation that nobody has spoken about yet stay as they were."""
    before = {condition["type"]: condition for condition in previous}

    def keep(condition: Condition) -> Condition:
        known = before.get(condition["type"])
        unsaid = condition["status"] == "Unknown" and condition["type"] in (
            "Ready",
            "ConfigApplied",
            *REPORTED,
        )
        same = known is not None and known["observedGeneration"] == condition["observedGeneration"]
        return known if known is not None and unsaid and same else condition

    return [keep(condition) for condition in conditions]


def _build_leader(findings: Findings, previous: Status) -> Status:
    leader = findings.voices.leader
    if leader is not None:
        evaluation = leader.monitoring.evaluation if leader.monitoring else None
        version = evaluation.version[:_VERSION_LENGTH] if evaluation else previous.get(VERSION)
        return {"leader": leader.pod, VERSION: version or None}
    known = previous.get("leader")
    return {"leader": known} if known and not findings.voices.settled else {}


def _build_numbers(findings: Findings) -> Status:
    spokesman = findings.voices.spokesman
    report = spokesman.execution if spokesman else None
    if report is None:
        return {}
    numbers: Status = {
        "effectiveState": report.effective_state.value,
        "openOrders": report.open_orders,
        "unknownOrders": report.unknown_orders,
        "fills": report.fills,
        "positions": [_build_position(position) for position in report.positions[:_POSITIONS]],
        "asOf": _time(report.as_of_ms),
    }
    amounts = {
        "equity": report.equity,
        "realizedPnl": report.realized_pnl,
        "unrealizedPnl": report.unrealized_pnl,
    }
    numbers |= {name: _plain(amount) for name, amount in amounts.items() if amount is not None}
    return numbers | _build_breach(report)


def _build_breach(report: ExecutionReport) -> Status:
    if not report.breach_id:
        return {"breach": None}
    return {
        "breach": {
            "id": report.breach_id,
            "reason": report.breach_reason,
            "time": _time(report.breach_time_ms),
        }
    }


def _build_position(position: Position) -> Status:
    return {
        "symbol": position.market,
        "quantity": _plain(position.quantity),
        "averagePrice": _plain(position.average_price),
        "realizedPnl": _plain(position.realized_pnl),
        "unrealizedPnl": _plain(position.unrealized_pnl),
    }


def _plain(amount: Decimal) -> str:
    """At most eight decimals, no exponent, no trailing zeros: what the object's pattern admits."""
    text = f"{amount:.8f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _phase(findings: Findings, conditions: Iterable[Condition]) -> Phase:
    status = {condition["type"]: condition["status"] for condition in conditions}
    if findings.deleting:
        return Phase.DELETING
    if status["Ready"] == "True":
        whole = status["PodsHealthy"] != "False" and status["Drifted"] == "False"
        return Phase.RUNNING if whole else Phase.DEGRADED
    if findings.voices.leader is not None:
        return Phase.DEGRADED
    return Phase.FAILED if findings.failures or findings.pod_problems else Phase.PENDING


@dataclass(slots=True)
class Budget:
    """A bucket of status writes for the whole fleet: `rate_per_s` on average, twice that at once."""

    rate_per_s: float
    _tokens: float = -1.0
    _at_s: float = 0.0

    def take(self, now_s: float, *, must: bool = False) -> bool:
        """Spend one write; with `must` it is spent even when none is left."""
        limit = max(1.0, 2 * self.rate_per_s)
        earned = limit if self._tokens < 0 else self._tokens + (now_s - self._at_s) * self.rate_per_s
        self._tokens, self._at_s = min(limit, earned), now_s
        if self._tokens < 1 and not must:
            return False
        self._tokens = max(0.0, self._tokens - 1)
        return True


def write_delay_s(before: Status, after: Status, since_write_s: float, jitter: float) -> float | None:
    """Seconds until the new status should be written: 0 for now, None when there is nothing to write.

    `since_write_s` is the time since the last write; `jitter` in 0..1 spreads accounts over the minute.
    """
    if is_urgent(before, after):
        return max(0.0, AT_ONCE_S - since_write_s)
    if _slow(before) == _slow(after):
        return None
    pause_s = AFTER_FILL_S if before.get("fills") != after.get("fills") else NUMBERS_S * (0.8 + 0.4 * jitter)
    return max(0.0, pause_s - since_write_s)


def is_urgent(before: Status, after: Status) -> bool:
    """Whether verdicts, phase or leader have changed."""
    return _urgent(before) != _urgent(after)


def _urgent(status: Status) -> Status:
    names = (
        "observedGeneration",
        "phase",
        "effectiveState",
        "leader",
        "readyReplicas",
        "natsCluster",
        "installation",
        REVOKED,
        VERSION,
    )
    verdicts = [(c["type"], c["status"], c["reason"]) for c in status.get("conditions") or []]
    return {name: status.get(name) for name in names} | {
        "marks": status.get("exchangeMarks") or [],
        "breach": (status.get("breach") or {}).get("id"),
        "conditions": sorted(verdicts),
    }


def _slow(status: Status) -> Status:
    messages = {c["type"]: c.get("message", "") for c in status.get("conditions") or []}
    return {name: status.get(name) or None for name in _NUMBERS} | {"messages": messages}
