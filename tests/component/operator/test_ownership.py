"""What the operator changes and deletes is what the account controls, whatever names and labels say."""

from __future__ import annotations

from tests.component.operator.harness import (
    Manifest,
    Namespace,
    OperatorProcess,
    build_account,
    eventually,
)

LABELS = {"app.kubernetes.io/managed-by": "smarttrade-operator", "smarttrade.io/account": "alice"}
CLOSED = {"podSelector": {"matchLabels": {"of": "somebody"}}, "policyTypes": ["Ingress", "Egress"]}


def _policy(name: str, labels: dict[str, str], owners: list[Manifest] | None = None) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "labels": labels, "ownerReferences": owners or []},
        "spec": CLOSED,
    }


def test_an_account_named_like_anothers_policy_does_not_take_it_over(
    operator: OperatorProcess, namespace: Namespace
) -> None:
    """As of a Backtest, whose children carry the operator's label and have a name that can be read."""
    job = {
        "apiVersion": "smarttrade.io/v1alpha1",
        "kind": "TradingAccount",
        "metadata": {"name": "owner", "labels": {"smarttrade.io/installation": "nobody"}},
        "spec": build_account("owner")["spec"],
    }
    uid = namespace.create("TradingAccount", job)["metadata"]["uid"]
    owner = {
        "apiVersion": "smarttrade.io/v1alpha1",
        "kind": "TradingAccount",
        "name": "owner",
        "uid": uid,
        "controller": True,
    }
    namespace.create("NetworkPolicy", _policy("alice", LABELS, [owner]))
    namespace.create("TradingAccount", build_account("alice"))

    namespace.wait_condition("alice", "ConfigApplied", "NameTaken")
    assert namespace.get("NetworkPolicy", "alice")["spec"]["podSelector"] == CLOSED["podSelector"]
    namespace.delete("TradingAccount", "alice")
    eventually(lambda: namespace.find("TradingAccount", "alice") is None)
    assert namespace.find("NetworkPolicy", "alice") is not None


def test_a_deletion_leaves_what_only_carries_the_label_or_the_name(
    operator: OperatorProcess, namespace: Namespace
) -> None:
    namespace.create("NetworkPolicy", _policy("mine", LABELS))
    namespace.create(
        "Secret",
        {"metadata": {"name": "alice-nats", "labels": LABELS}, "stringData": {"my.key": "precious"}},
    )
    namespace.create("TradingAccount", build_account("alice"))
    namespace.wait_condition("alice", "ConfigApplied", "NameTaken")
    namespace.delete("TradingAccount", "alice")
    eventually(lambda: namespace.find("TradingAccount", "alice") is None)

    assert namespace.find("NetworkPolicy", "mine") is not None
    assert list(namespace.get("Secret", "alice-nats")["data"]) == ["my.key"]


def test_children_that_lost_their_owner_are_given_it_back(
    operator: OperatorProcess, namespace: Namespace
) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    uid = namespace.wait("Deployment", "alice")["metadata"]["uid"]
    operator.await_calm()
    owners = namespace.get("Deployment", "alice")["metadata"]["ownerReferences"]
    namespace.patch("Deployment", "alice", {"metadata": {"ownerReferences": [{"$patch": "replace"}]}})
    eventually(lambda: namespace.get("Deployment", "alice")["metadata"].get("ownerReferences") == owners)
    assert namespace.get("Deployment", "alice")["metadata"]["uid"] == uid
