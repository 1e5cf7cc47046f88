"""Cache, reports, audit, resync and lease: what is known, from whom, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from smarttrade.identity import AccountIdentity
from smarttrade_operator.audit import discrepancies
from smarttrade_operator.cache import Cache
from smarttrade_operator.leader import Watcher, build_lease
from smarttrade_operator.names import Key
from smarttrade_operator.queue import Schedule
from smarttrade_operator.reports import AFTER_FILL_S, FRESH_S, Reports
from smarttrade_operator.resync import Resync
from tests.component.operator.pods import build_execution_report, build_monitoring_report

KEY = Key("ns", "alice")
IDENTITY = AccountIdentity("here", "ns", "alice")


def _child(name: str = "alice", version: int = 1, uid: str = "u", kind: str = "Deployment") -> dict[str, Any]:
    labels = {"smarttrade.io/account": "alice"}
    metadata = {
        "namespace": "ns",
        "name": name,
        "labels": labels,
        "uid": uid,
        "resourceVersion": str(version),
    }
    return {"kind": kind, "metadata": metadata}


def _account(**labels: str) -> dict[str, Any]:
    metadata = {"namespace": "ns", "name": "alice", "uid": "a", "resourceVersion": "1", "labels": labels}
    return {"kind": "TradingAccount", "metadata": metadata}


def test_a_child_belongs_to_the_account_of_its_label() -> None:
    cache = Cache()
    assert cache.observe(_child()) == KEY
    assert cache.observe({"kind": "Pod", "metadata": {"namespace": "ns", "name": "x"}}) is None


def test_an_older_version_does_not_replace_a_newer_one() -> None:
    cache = Cache()
    cache.observe(_child(version=5))
    cache.observe(_child(version=4))
    assert cache.get(KEY).child(_child()) == _child(version=5)


def test_a_late_deletion_does_not_remove_the_successor() -> None:
    cache = Cache()
    cache.observe(_child(version=9, uid="new"))
    cache.observe(_child(version=8, uid="old"), deleted=True)
    assert cache.get(KEY).child(_child()) is not None
    cache.observe(_child(version=10, uid="new"), deleted=True)
    assert cache.get(KEY).child(_child()) is None


def test_nothing_is_kept_of_an_account_that_is_gone() -> None:
    cache = Cache()
    cache.observe(_account())
    cache.observe(_child())
    cache.observe(_account(), deleted=True)
    assert cache.accounts() == []
    cache.observe(_child(), deleted=True)
    assert list(cache.objects("Deployment")) == []


@pytest.mark.parametrize(
    ("label", "seen"),
    [
        ({}, True),
        ({"smarttrade.io/installation": "here"}, True),
        ({"smarttrade.io/installation": "there"}, False),
    ],
)
def test_an_account_may_name_its_installation(label: dict[str, str], seen: bool) -> None:
    cache = Cache("here")
    cache.observe(_account(**label))
    assert (cache.accounts() == [KEY]) is seen


def test_an_account_that_was_taken_up_stays_whatever_its_label_says() -> None:
    cache = Cache("here")
    relabelled = {"smarttrade.io/installation": "there"}
    cache.observe(_account(**relabelled) | {"status": {"installation": "here"}})
    assert cache.accounts() == [KEY]
    assert cache.knows(_account(**relabelled)), "as the audit lists it, without a status"
    elsewhere = Cache("there")
    elsewhere.observe(_account(**relabelled) | {"status": {"installation": "here"}})
    assert elsewhere.accounts() == []
    assert not elsewhere.knows(_account(**relabelled))


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _reports() -> tuple[Reports, _Clock]:
    clock = _Clock()
    reports = Reports(clock)
    reports.expect(IDENTITY)
    return reports, clock


def test_reports_of_unknown_accounts_are_ignored() -> None:
    reports, _ = _reports()
    assert reports.receive("nobody", "execution", build_execution_report("p", 1)) is None


def test_only_news_is_announced() -> None:
    reports, _ = _reports()
    told = [
        reports.receive(IDENTITY.token, "execution", build_execution_report("p", 1, **fields))
        for fields in ({}, {}, {"as_of_ms": 5}, {"fills": 1}, {"fills": 1, "leading": False})
    ]
    assert told == [(KEY, 0), None, None, (KEY, 0), (KEY, 0)]


def test_an_account_that_fills_all_the_time_leaves_room_for_a_change_of_its_object() -> None:
    """By the queue's own pace: what is worked on so often must wait for its turn."""
    reports, clock = _reports()
    schedule: Schedule[Key] = Schedule()
    taken_s: list[float] = []
    for number in range(1_200):
        clock.now += 0.1
        telling = reports.receive(IDENTITY.token, "execution", build_execution_report("p", 1, fills=number))
        if telling is not None:
            schedule.add(telling[0], clock.now, telling[1])
        if (key := schedule.take(clock.now)) is not None:
            schedule.succeeded(key)
            taken_s.append(clock.now)
    assert taken_s[0] == pytest.approx(100.1)
    assert max(after - before for before, after in pairwise(taken_s)) <= AFTER_FILL_S + 0.11
    schedule.add(KEY, clock.now)
    assert schedule.take(clock.now) == KEY, "the change waits"


def test_a_pod_that_falls_silent_loses_its_voice() -> None:
    reports, clock = _reports()
    reports.receive(IDENTITY.token, "execution", build_execution_report("p1", 1))
    clock.now += 10
    reports.receive(IDENTITY.token, "execution", build_execution_report("p2", 1, leading=False))
    assert reports.next_silence_s(KEY) == pytest.approx(FRESH_S - 10)
    clock.now += FRESH_S - 9
    voices = reports.of(KEY)
    assert [pod.pod for pod in voices.pods] == ["p2"]
    assert voices.leader is None


def test_both_roles_of_a_pod_make_one_voice() -> None:
    reports, _ = _reports()
    reports.receive(IDENTITY.token, "execution", build_execution_report("p", 1))
    reports.receive(IDENTITY.token, "monitoring", build_monitoring_report("p", 1))
    (voice,) = reports.of(KEY).pods
    assert voice.execution is not None
    assert voice.monitoring is not None


def test_silence_means_nothing_right_after_the_start() -> None:
    reports, clock = _reports()
    assert not reports.of(KEY).settled
    clock.now += FRESH_S + 1
    assert reports.of(KEY).settled


def test_the_audit_finds_what_is_late_and_what_vanished() -> None:
    listed = [_child("same", 3), _child("newer", 5), _child("missed", 1)]
    cached = [_child("same", 3), _child("newer", 4), _child("vanished", 2)]
    assert discrepancies(listed, cached) == {("ns", "newer"), ("ns", "missed"), ("ns", "vanished")}
    assert discrepancies(listed, cached, deleted=False) == {("ns", "newer"), ("ns", "missed")}
    assert discrepancies(listed, cached, late=False) == {("ns", "vanished")}
    assert discrepancies([_child("same", 3)], [_child("same", 7)]) == set()


def test_every_account_is_resynced_once_an_interval_and_not_together() -> None:
    keys = [Key("ns", str(number)) for number in range(50)]
    seen: list[tuple[float, Key]] = []
    spread = iter([index / 50 for index in range(50)] + [0.5] * 1000)
    resync = Resync(100.0, lambda: keys, lambda key: seen.append((now, key)), jitter=lambda: next(spread))
    for second in range(200):
        now = float(second)
        resync.tick(now)
    first = {key: time for time, key in reversed(seen)}
    assert len(first) == 50
    assert max(first.values()) <= 100
    assert len(set(first.values())) > 40
    assert len(seen) == 100


def test_a_deleted_account_is_no_longer_resynced() -> None:
    keys, seen = [KEY], []
    resync = Resync(10.0, lambda: keys, seen.append, jitter=lambda: 1.0)
    resync.tick(0)
    keys.clear()
    resync.tick(20)
    assert seen == []


NOW = datetime(2026, 5, 1, tzinfo=UTC)


def _lease(holder: str, renewed: str) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "1"}, "spec": {"holderIdentity": holder, "renewTime": renewed}}


def test_a_lease_is_free_when_its_record_has_not_changed_for_its_duration() -> None:
    watcher = Watcher(10)
    assert not watcher.is_free(_lease("other", "1"), "me", 0)
    assert not watcher.is_free(_lease("other", "2"), "me", 9)
    assert not watcher.is_free(_lease("other", "2"), "me", 18)
    assert watcher.is_free(_lease("other", "2"), "me", 19.1)


def test_a_lease_of_ones_own_or_of_nobody_is_free() -> None:
    assert Watcher(10).is_free(_lease("me", "1"), "me", 0)
    assert Watcher(10).is_free(_lease("", "1"), "me", 0)


def test_a_lease_counts_its_transitions_and_keeps_its_version() -> None:
    first = build_lease("ns", "a", 10, None, NOW)
    assert "resourceVersion" not in first["metadata"]
    stored = first | {"metadata": first["metadata"] | {"resourceVersion": "3"}}
    renewed = build_lease("ns", "a", 10, stored, NOW.replace(hour=1))
    assert renewed["metadata"]["resourceVersion"] == "3"
    assert renewed["spec"]["acquireTime"] == first["spec"]["acquireTime"]
    taken = build_lease("ns", "b", 10, stored, NOW.replace(hour=2))
    assert (taken["spec"]["leaseTransitions"], taken["spec"]["acquireTime"][11:13]) == (1, "02")
