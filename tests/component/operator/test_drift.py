"""Whatever somebody does to a child is put back, including what we never set."""

from __future__ import annotations

import pytest

from tests.component.operator.harness import (
    Manifest,
    Namespace,
    OperatorProcess,
    assert_prompt,
    build_account,
    eventually,
    seconds_until,
)

REPAIR_S = 2.0
CHILDREN = ("Deployment", "NetworkPolicy", "PodDisruptionBudget")

SIDECAR = {"name": "miner", "image": "miner:1"}
OPEN_EGRESS = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}

EDITS: dict[str, tuple[str, Manifest]] = {
    "a changed field": ("Deployment", {"spec": {"replicas": 5}}),
    "a sidecar": ("Deployment", {"spec": {"template": {"spec": {"containers": [SIDECAR]}}}}),
    "the host's network": ("Deployment", {"spec": {"template": {"spec": {"hostNetwork": True}}}}),
    "an init container": ("Deployment", {"spec": {"template": {"spec": {"initContainers": [SIDECAR]}}}}),
    "a mounted token": (
        "Deployment",
        {"spec": {"template": {"spec": {"automountServiceAccountToken": True}}}},
    ),
    "another user": (
        "Deployment",
        {
            "spec": {
                "template": {
                    "spec": {"containers": [{"name": "evaluation", "securityContext": {"runAsUser": 10013}}]}
                }
            }
        },
    ),
    "a label": ("Deployment", {"metadata": {"labels": {"team": "blue"}}}),
    "an annotation on the pods": (
        "Deployment",
        {"spec": {"template": {"metadata": {"annotations": {"inject": "yes"}}}}},
    ),
    "our label removed": ("NetworkPolicy", {"metadata": {"labels": {"smarttrade.io/account": None}}}),
    "the rules replaced": ("NetworkPolicy", {"spec": {"egress": [OPEN_EGRESS]}}),
    "a budget of two": ("PodDisruptionBudget", {"spec": {"maxUnavailable": 2}}),
}


@pytest.fixture
def alice(operator: OperatorProcess, namespace: Namespace) -> Namespace:
    namespace.create("TradingAccount", build_account("alice"))
    for kind in CHILDREN:
        namespace.wait(kind, "alice")
    operator.await_calm()
    return namespace


def _essence(manifest: Manifest) -> Manifest:
    metadata = manifest["metadata"]
    annotations = {
        name: value
        for name, value in (metadata.get("annotations") or {}).items()
        if not name.startswith("deployment.kubernetes.io/")
    }
    return {"labels": metadata["labels"], "annotations": annotations, "spec": manifest["spec"]}


def test_every_hand_edit_is_repaired(alice: Namespace, operator: OperatorProcess) -> None:
    wanted = {kind: _essence(alice.get(kind, "alice")) for kind in CHILDREN}
    for name, (kind, edit) in EDITS.items():

        def take(name: str = name, kind: str = kind, edit: Manifest = edit) -> float:
            assert _essence(alice.patch(kind, "alice", edit)) != wanted[kind], name
            return seconds_until(lambda: _essence(alice.get(kind, "alice")) == wanted[kind], name)

        assert_prompt(REPAIR_S, f"the repair of {name}", take)


def test_an_extra_rule_is_removed(alice: Namespace) -> None:
    rules = alice.get("NetworkPolicy", "alice")["spec"]["egress"]

    def take() -> float:
        alice.patch("NetworkPolicy", "alice", {"spec": {"egress": [*rules, OPEN_EGRESS]}})
        return seconds_until(lambda: alice.get("NetworkPolicy", "alice")["spec"]["egress"] == rules)

    assert_prompt(REPAIR_S, "the repair of an extra rule", take)


def test_every_deleted_child_comes_back(alice: Namespace) -> None:
    for kind in CHILDREN:

        def take(kind: str = kind) -> float:
            uid = alice.get(kind, "alice")["metadata"]["uid"]
            alice.delete(kind, "alice")
            return seconds_until(lambda: alice.get(kind, "alice")["metadata"]["uid"] != uid, kind)

        assert_prompt(REPAIR_S, f"the return of the {kind}", take)


def test_a_repair_names_who_made_the_change(alice: Namespace) -> None:
    alice.patch(
        "Deployment", "alice", {"spec": {"template": {"spec": {"hostNetwork": True}}}}, manager="mallory"
    )
    repaired = eventually(lambda: alice.events("DriftRepaired"))
    assert "hostNetwork" in repaired[0]["note"]
    assert "mallory" in repaired[0]["note"]


def test_a_contested_repair_backs_off_and_names_the_other_manager(alice: Namespace) -> None:
    edit = {"spec": {"template": {"spec": {"hostNetwork": True}}}}

    def is_repaired() -> bool:
        return not alice.get("Deployment", "alice")["spec"]["template"]["spec"].get("hostNetwork")

    for _ in range(3):
        alice.patch("Deployment", "alice", edit, manager="mallory")
        eventually(is_repaired)
    condition = alice.wait_condition("alice", "Drifted", "RepairContested")
    assert condition["status"] == "True"
    assert "mallory" in condition["message"]

    alice.patch("Deployment", "alice", edit, manager="mallory")
    with pytest.raises(AssertionError):
        eventually(is_repaired, 3)
    eventually(is_repaired, 60, "repaired after the back-off")


def test_a_restart_asked_for_with_kubectl_is_left_alone(alice: Namespace, operator: OperatorProcess) -> None:
    restarted = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    alice.patch("Deployment", "alice", {"spec": {"template": {"metadata": {"annotations": restarted}}}})
    operator.await_calm()
    template = alice.get("Deployment", "alice")["spec"]["template"]
    assert template["metadata"]["annotations"].items() >= restarted.items()


def test_a_strangers_object_of_the_same_name_is_not_taken_over(
    operator: OperatorProcess, namespace: Namespace
) -> None:
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "alice"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    uid = namespace.create("NetworkPolicy", policy)["metadata"]["uid"]
    namespace.create("TradingAccount", build_account("alice"))

    condition = namespace.wait_condition("alice", "ConfigApplied", "NameTaken")
    assert "NetworkPolicy alice" in condition["message"]
    assert namespace.get("NetworkPolicy", "alice")["metadata"]["uid"] == uid
    namespace.wait("Deployment", "alice")


def test_a_budget_is_pruned_when_one_replica_is_left(alice: Namespace) -> None:
    alice.patch("TradingAccount", "alice", {"spec": {"replicas": 1}})
    eventually(lambda: alice.find("PodDisruptionBudget", "alice") is None, what="the budget is gone")
    eventually(lambda: alice.get("Deployment", "alice")["spec"]["replicas"] == 1)


def test_a_spoofed_label_does_not_condemn_an_object(alice: Namespace, operator: OperatorProcess) -> None:
    labels = alice.get("NetworkPolicy", "alice")["metadata"]["labels"]
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "mine", "labels": labels},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    alice.create("NetworkPolicy", policy)
    alice.patch("TradingAccount", "alice", {"spec": {"state": "Paused"}})
    operator.await_calm()
    assert alice.find("NetworkPolicy", "mine") is not None
