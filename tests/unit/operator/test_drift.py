"""Telling what differs, who did it, and when to stop fighting."""

from __future__ import annotations

from typing import Any

import pytest

from smarttrade_operator.drift import Drift, DriftLedger, differences, essence, other_manager
from smarttrade_operator.prune import superfluous

DRIFT = Drift("Deployment alice", ("spec.replicas",), "mallory")


def _object(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "alice", "labels": {"a": "b"}, "uid": "1", "resourceVersion": "5"},
        "spec": {"replicas": 2, **spec},
        "status": {"readyReplicas": 1},
    }


def test_status_and_bookkeeping_are_no_part_of_the_essence() -> None:
    changed = _object() | {"status": {}}
    changed["metadata"] = changed["metadata"] | {"resourceVersion": "6", "generation": 9, "managedFields": []}
    assert essence(changed) == essence(_object())


def test_kubernetes_own_annotations_are_tolerated() -> None:
    live = _object(template={"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}})
    live["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "3"}
    assert essence(live) == essence(_object(template={"metadata": {}}))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"replicas": 3}, "spec.replicas"),
        ({"hostNetwork": True}, "spec.hostNetwork"),
        ({"list": [1, 2]}, "spec.list"),
        ({"empty": []}, "spec.empty"),
    ],
)
def test_a_difference_is_named_by_its_path(change: dict[str, Any], path: str) -> None:
    assert list(differences(essence(_object()), essence(_object(**change)))) == [path]


def test_lists_of_equal_length_are_compared_item_by_item() -> None:
    before, after = _object(list=[{"a": 1}, {"b": 1}]), _object(list=[{"a": 1}, {"b": 2}])
    assert list(differences(essence(before), essence(after))) == ["spec.list[1].b"]


def test_a_foreign_finalizer_or_owner_is_a_difference() -> None:
    live = _object()
    live["metadata"]["finalizers"] = ["hold/it"]
    assert list(differences(essence(_object()), essence(live))) == ["metadata.finalizers"]


def test_the_latest_other_manager_is_blamed() -> None:
    live = _object()
    live["metadata"]["managedFields"] = [
        {"manager": "smarttrade-operator", "time": "2026-03-03"},
        {"manager": "kube-controller-manager", "time": "2026-04-04", "subresource": "status"},
        {"manager": "helm", "time": "2026-01-01"},
        {"manager": "kubectl-edit", "time": "2026-02-02"},
    ]
    assert other_manager(live) == "kubectl-edit"
    assert other_manager(_object()) == "unknown"


def test_three_repairs_are_made_at_once_and_the_fourth_waits_longer_each_time() -> None:
    ledger = DriftLedger()
    for second in range(3):
        assert ledger.wait_s(DRIFT, second) == 0
        ledger.record(DRIFT, second)
    waits, now = [], 2.0
    for _ in range(7):
        waits.append(ledger.wait_s(DRIFT, now))
        now += waits[-1]
        ledger.record(DRIFT, now)
    assert waits == [10, 20, 40, 80, 160, 300, 300]


def test_a_repair_now_and_then_is_no_contest() -> None:
    ledger = DriftLedger()
    for minute in range(10):
        ledger.record(DRIFT, minute * 61)
    assert ledger.contested(600) == []
    assert ledger.wait_s(DRIFT, 600) == 0


def test_a_contest_is_over_when_it_stays_away() -> None:
    ledger = DriftLedger()
    for second in range(3):
        ledger.record(DRIFT, second)
    assert ledger.contested(3) == [DRIFT]
    assert ledger.contested(200) == [DRIFT]
    assert ledger.contested(400) == []


def test_different_deviations_are_counted_apart() -> None:
    ledger = DriftLedger()
    for second in range(3):
        ledger.record(DRIFT, second)
    assert ledger.wait_s(Drift("Deployment alice", ("spec.paused",), "mallory"), 3) == 0


def test_only_what_the_account_owns_is_pruned() -> None:
    def child(name: str, uid: str) -> dict[str, Any]:
        return {
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "ownerReferences": [{"uid": uid, "controller": True}]},
        }

    children = [child("alice", "1"), child("old", "1"), child("spoofed", "2")]
    desired = [child("alice", "1")]
    assert [c["metadata"]["name"] for c in superfluous(children, desired, "1")] == ["old"]
