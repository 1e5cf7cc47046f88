"""Writes an account's status when it is worth it, and tells transitions by events."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from prometheus_client import Counter

from smarttrade.rates import Buckets
from smarttrade_operator.buses import bus_name
from smarttrade_operator.cache import Cache
from smarttrade_operator.conditions import Condition, Findings
from smarttrade_operator.events import build_event
from smarttrade_operator.kinds import EVENT, TRADING_ACCOUNT, Manifest
from smarttrade_operator.kube import Kube, KubeError, NotFound
from smarttrade_operator.status import Budget, Status, build_status, is_urgent, write_delay_s

_BAD_WHEN_TRUE = ("Drifted", "Unprotected", "LogLost", "DeadMansSwitchHeldBack")
_BUDGET_RETRY_S = 1.0
_SAME_EVENT_S = 60.0
# Of one account, as Kubernetes' own components do it: 25 at once, then one in five minutes.
_EVENTS = 25.0
_EVENT_EVERY_S = 300.0


events_dropped_total = Counter(
    "smarttrade_operator_events_dropped_total", "Events of accounts that have had more than their share."
)


class Transition(NamedTuple):
    """One condition that changed its mind."""

    condition: str
    kind: str
    reason: str
    note: str


@dataclass(slots=True)
class Publisher:
    """One for the whole process; `clock` is monotonic seconds."""

    kube: Kube
    cache: Cache
    budget: Budget
    pod: str
    place: tuple[str, str]
    clock: Callable[[], float]
    _told: dict[tuple[str, str, str], float] = field(default_factory=dict)
    _events: Buckets[str] = field(default_factory=lambda: Buckets(1 / _EVENT_EVERY_S, _EVENTS))

    async def publish(
        self, account: Manifest, findings: Findings, written_s: float
    ) -> tuple[bool, float | None]:
        """Bring the status up to date. Returns (written, seconds after which to come again)."""
        before: Status = account.get("status") or {}
        after = build_status(findings, before, self._place(account), datetime.now(UTC))
        delay_s = write_delay_s(before, after, self.clock() - written_s, _spread(account))
        if delay_s is None or delay_s > 0:
            return False, delay_s
        urgent = is_urgent(before, after)
        if not self.budget.take(self.clock(), must=urgent):
            return False, _BUDGET_RETRY_S
        await self._write(account, after)
        for transition in transitions(before.get("conditions") or [], after["conditions"]):
            if self._is_news(account, transition):
                await self.tell(account, transition.reason, transition.note, kind=transition.kind)
        return True, None

    def _place(self, account: Manifest) -> tuple[str, str]:
        """The installation and the NATS servers that carry the account."""
        installation, nats_cluster = self.place
        return installation, bus_name(account) or nats_cluster

    def _is_news(self, account: Manifest, transition: Transition) -> bool:
        """A verdict that flaps is told once a minute: the conditions show every change anyway."""
        now_s, key = self.clock(), (account["metadata"]["uid"], transition.condition, transition.reason)
        self._told = {told: at_s for told, at_s in self._told.items() if now_s - at_s < _SAME_EVENT_S}
        if key in self._told:
            return False
        self._told[key] = now_s
        return True

    async def tell(self, account: Manifest, reason: str, note: str, *, kind: str = "Normal") -> None:
        """Post an event; one that cannot be posted is logged instead. An account that has had more than its
        share is counted: its conditions show the same."""
        metadata = account["metadata"]
        name = f"{metadata['namespace']}/{metadata['name']}"
        if not self._events.of(metadata["uid"], self.clock()).take(self.clock()):
            events_dropped_total.inc()
            return
        _log.info("event", account=name, kind=kind, reason=reason, note=note)
        event = build_event(
            account,
            kind=kind,
            reason=reason,
            action="Reconcile",
            note=note,
            pod=self.pod,
            now=datetime.now(UTC),
        )
        try:
            await self.kube.create(event, EVENT)
        except KubeError as error:
            _log.warning("event not posted", account=name, reason=reason, error=str(error))

    async def _write(self, account: Manifest, status: Status) -> None:
        metadata = {name: account["metadata"][name] for name in ("name", "namespace")}
        manifest = {
            "apiVersion": TRADING_ACCOUNT.api_version,
            "kind": TRADING_ACCOUNT.kind,
            "metadata": metadata,
            "status": {name: value for name, value in status.items() if value is not None},
        }
        try:
            self.cache.observe(await self.kube.apply(manifest, subresource="status"))
        except NotFound:
            return  # deleted meanwhile: there is nobody left to tell


def transitions(before: Iterable[Condition], after: Iterable[Condition]) -> Iterator[Transition]:
    """Conditions whose status changed to True or False; of a new object's good news only Ready is told. A bad
    one whose reason changed is another piece of bad news; Ready only repeats those of others."""
    known = {condition["type"]: condition["status"] for condition in before}
    reasons = {condition["type"]: condition["reason"] for condition in before}
    for condition in after:
        status, kind = condition["status"], condition["type"]
        bad = (status == "True") == (kind in _BAD_WHEN_TRUE)
        same = known.get(kind) == status
        if status == "Unknown" or (same and not (bad and _is_other_reason(condition, reasons))):
            continue
        was_bad = known.get(kind) == ("True" if kind in _BAD_WHEN_TRUE else "False")
        if bad or was_bad or kind == "Ready":
            note = f"{kind}={status}: {condition['message'] or condition['reason']}"
            yield Transition(kind, "Warning" if bad else "Normal", condition["reason"], note)


def _is_other_reason(condition: Condition, reasons: Mapping[str, str]) -> bool:
    name: str = condition["type"]
    return name != "Ready" and reasons[name] != condition["reason"]


def _spread(account: Manifest) -> float:
    """A fixed place within the minute for each account."""
    return zlib.crc32(account["metadata"]["uid"].encode()) / 2**32


_log = structlog.get_logger()
