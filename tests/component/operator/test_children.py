"""An applied object becomes its children."""

from __future__ import annotations

from tests.component.operator.harness import Namespace, OperatorProcess, build_account, eventually


def test_an_applied_account_gets_all_its_children(operator: OperatorProcess, namespace: Namespace) -> None:
    namespace.create("TradingAccount", build_account("alice"))

    deployment = namespace.wait("Deployment", "alice")
    assert [c["name"] for c in deployment["spec"]["template"]["spec"]["containers"]] == [
        "monitoring",
        "evaluation",
        "execution",
    ]
    namespace.wait("NetworkPolicy", "alice")
    namespace.wait("PodDisruptionBudget", "alice")
    secret = namespace.wait("Secret", "alice-nats")
    assert sorted(secret["data"]) == [
        "evaluation.creds",
        "execution.creds",
        "fingerprint.key",
        "monitoring.creds",
        "orders.key",
    ]
    account = namespace.get("TradingAccount", "alice")
    assert account["metadata"]["finalizers"] == ["smarttrade.io/settle"]
    eventually(lambda: namespace.get("TradingAccount", "alice")["status"]["phase"] == "Pending")


def test_an_account_of_another_installation_is_left_alone(
    operator: OperatorProcess, namespace: Namespace
) -> None:
    theirs, ours = build_account("theirs"), build_account("ours")
    theirs["metadata"]["labels"] = {"smarttrade.io/installation": "another"}
    ours["metadata"]["labels"] = {"smarttrade.io/installation": namespace.installation}
    anyones = build_account("anyones")
    anyones["metadata"]["labels"] = {}
    for account in (theirs, ours, anyones):
        namespace.create("TradingAccount", account)
    namespace.wait("Deployment", "ours")
    namespace.wait("Deployment", "anyones")
    operator.await_calm()
    assert namespace.find("Deployment", "theirs") is None
    assert "finalizers" not in namespace.get("TradingAccount", "theirs")["metadata"]
