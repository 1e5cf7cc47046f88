"""The chart's rules of admission on a real API server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.component.admission.conftest import build_live, make_namespace, report
from tests.component.api.client import Client
from tests.component.operator.harness import Namespace, build_account, eventually

HELD = [{"symbol": "BTC/USDT", "quantity": "0.50", "averagePrice": "60000"}]
SOLD = [{"symbol": "BTC/USDT", "quantity": "0.00", "averagePrice": "0"}]
CONTROLLERS = (
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
)


def _delete(namespace: Namespace, client: Client | None = None) -> tuple[int, str]:
    answer = (client or namespace.client).call("DELETE", namespace.path("TradingAccount", "alice"))
    return answer.status, answer.message


@pytest.mark.parametrize(
    "status",
    [{"openOrders": 1}, {"unknownOrders": 1}, {"positions": HELD}],
    ids=lambda each: next(iter(each)),
)
def test_a_live_account_that_has_something_open_is_not_deleted_by_chance(
    namespace: Namespace, status: dict[str, Any]
) -> None:
    namespace.create("TradingAccount", build_live())
    report(namespace, **status)
    code, message = _delete(namespace)
    assert code == 403
    assert "smarttrade account delete alice" in message
    assert "--flatten" in message
    collection = namespace.path("TradingAccount").rstrip("/")
    assert namespace.client.call("DELETE", collection).status == 403
    assert "deletionTimestamp" not in namespace.get("TradingAccount", "alice")["metadata"]

    note = {"metadata": {"annotations": {"smarttrade.io/allow-deletion": "true"}}}
    namespace.client.merge(namespace.path("TradingAccount", "alice"), note)
    assert _delete(namespace)[0] == 200


@pytest.mark.parametrize("status", [{}, {"openOrders": 0, "unknownOrders": 0, "positions": SOLD}])
def test_a_live_account_that_has_nothing_open_can_go(namespace: Namespace, status: dict[str, Any]) -> None:
    namespace.create("TradingAccount", build_live())
    if status:
        report(namespace, **status)
    assert _delete(namespace)[0] == 200


def test_a_paper_account_can_always_go(namespace: Namespace) -> None:
    namespace.create("TradingAccount", build_account("alice"))
    report(namespace, openOrders=3, positions=HELD)
    assert _delete(namespace)[0] == 200


def test_nobody_gives_their_pods_more_bandwidth_than_the_platform_allows(namespace: Namespace) -> None:
    path = namespace.path("TradingAccount")
    greedy = build_account("greedy", resources={"egressBandwidth": "100G"})
    refused = namespace.client.call("POST", path, greedy)
    assert refused.status == 403
    assert "100G" in refused.message
    assert "at most 100M" in refused.message
    namespace.create("TradingAccount", build_account("alice", resources={"egressBandwidth": "100M"}))
    more = {"spec": {"resources": {"egressBandwidth": "1G"}}}
    assert namespace.client.merge(namespace.path("TradingAccount", "alice"), more).status == 403
    assert (
        namespace.client.merge(
            namespace.path("TradingAccount", "alice"), {"spec": {"state": "Paused"}}
        ).status
        == 200
    )


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_the_controllers_that_clean_up_are_not_refused(namespace: Namespace, controller: str) -> None:
    namespace.create("TradingAccount", build_live())
    report(namespace, openOrders=1)
    role = {
        "metadata": {"name": f"{namespace.name}-{controller.rsplit(':', 1)[1]}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": controller}],
    }
    bindings = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace.name}/rolebindings"
    assert namespace.client.call("POST", bindings, role).status == 201
    acting = namespace.client.as_user(controller)
    eventually(lambda: _delete(namespace, acting)[0] == 200, what="the controller's right is known")


def test_a_namespace_with_open_accounts_still_ends_once_its_end_is_allowed(
    client: Client, rules: None
) -> None:
    """The real namespace controller takes the accounts away, although a person could not."""
    namespace = Namespace(client, make_namespace(client, {"smarttrade.io/tenant": "alice"}))
    path = f"/api/v1/namespaces/{namespace.name}"
    namespace.create("TradingAccount", build_live())
    report(namespace, openOrders=1)
    refused = client.call("DELETE", path)
    assert (refused.status, "smarttrade.io/allow-deletion" in refused.message) == (403, True)
    client.merge(path, {"metadata": {"annotations": {"smarttrade.io/allow-deletion": "true"}}})
    assert client.call("DELETE", path).status == 200
    eventually(lambda: client.call("GET", path).status == 404, 60, "the namespace is gone")


def test_other_namespaces_are_left_alone(client: Client, rules: None) -> None:
    assert client.call("DELETE", f"/api/v1/namespaces/{make_namespace(client)}").status == 200


def test_a_breach_is_acknowledged_by_its_own_id_only(namespace: Namespace) -> None:
    namespace.create("TradingAccount", build_live())
    path = namespace.path("TradingAccount", "alice")

    def acknowledge(breach: str) -> int:
        return namespace.client.merge(path, {"spec": {"acknowledgedBreach": breach}}).status

    assert acknowledge("DailyLoss-1") == 403, "before there is any"
    breach = {"id": "DailyLoss-1", "reason": "DailyLoss", "time": "2026-01-01T00:00:00Z"}
    report(namespace, breach=breach)
    assert acknowledge("DailyLoss-2") == 403
    assert acknowledge("DailyLoss-1") == 200
    report(namespace, breach=None)
    change = namespace.client.merge(path, {"spec": {"state": "Paused"}})
    assert change.status == 200, "what was acknowledged stays written"
    assert acknowledge("") == 200


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "Paper"},
        {"exchange": {"name": "kraken"}},
        {"exchange": {"environment": "Testnet"}},
        {"capital": {"currency": "EUR"}, "markets": [{"symbol": "BTC/EUR"}]},
    ],
    ids=["mode", "exchange", "environment", "currency"],
)
def test_what_an_account_is_cannot_be_changed(namespace: Namespace, change: dict[str, Any]) -> None:
    namespace.create("TradingAccount", build_live())
    answer = namespace.client.merge(namespace.path("TradingAccount", "alice"), {"spec": change})
    assert (answer.status, "cannot be changed" in answer.message) == (422, True), answer.message


def test_a_secret_of_another_namespace_cannot_be_named(namespace: Namespace) -> None:
    account = build_live()
    for reference in ({"name": "platform/keys"}, {"name": "keys", "namespace": "platform"}):
        account["spec"]["exchange"] = account["spec"]["exchange"] | {"credentialsSecretRef": reference}
        path = namespace.path("TradingAccount") + "?fieldValidation=Strict"
        answer = namespace.client.call("POST", path, account)
        assert answer.status in (400, 422), answer.message
