"""What the operator changes and deletes is what the account controls, whatever names and labels say."""

from __future__ import annotations

from tests.component.operator.harness import (
    Namespace,
    OperatorProcess,
    build_account,
    eventually,
)

LABELS = {"app.kubernetes.io/managed-by": "smarttrade-operator", "smarttrade.io/account": "alice"}


def test_a_deletion_leaves_a_secret_that_only_carries_the_name(
    operator: OperatorProcess, namespace: Namespace
) -> None:
    namespace.create(
        "Secret",
        {"metadata": {"name": "alice-nats", "labels": LABELS}, "stringData": {"my.key": "precious"}},
    )
    namespace.create("TradingAccount", build_account("alice"))
    namespace.wait_condition("alice", "ConfigApplied", "NameTaken")
    namespace.delete("TradingAccount", "alice")
    eventually(lambda: namespace.find("TradingAccount", "alice") is None)
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
