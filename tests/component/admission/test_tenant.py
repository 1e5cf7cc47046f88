"""`smarttrade tenant create` and `smarttrade account delete`, with the tenant's real rights."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner

from smarttrade.cli.main import app
from tests.component.admission.conftest import build_live, make_namespace, report
from tests.component.api.client import Client
from tests.component.operator.harness import Manifest, Namespace, build_account, eventually

Use = Callable[[str], None]


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def counting(client: Client, definition: None) -> None:
    """The quota controller looks for new definitions twice a minute, and at an older quota once in five."""
    namespace = make_namespace(client)
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    spec = {"hard": {"count/tradingaccounts.smarttrade.io": "1"}}
    made: list[str] = []

    def counts() -> bool:
        made.append(f"probe-{len(made)}")
        client.call("POST", quotas, {"metadata": {"name": made[-1]}, "spec": spec})
        time.sleep(1)
        return bool((client.call("GET", f"{quotas}/{made[-1]}").body.get("status") or {}).get("used"))

    eventually(counts, 90, "the quota controller knows accounts")


@pytest.fixture
def tenants(
    client: Client, rules: None, counting: None, kubeconfig: Use
) -> Iterator[tuple[Namespace, Namespace]]:
    """Two tenants. The first is managed by a user, and by a service account who is at the command line."""
    kubeconfig("")
    names = [f"tenant-{uuid.uuid4().hex[:8]}" for _ in range(2)]
    for name in names:
        options = ["--user", f"{name}@example.org", "--service-account", f"default:{name}", "--accounts", "2"]
        code, output = run("tenant", "create", name, *options)
        assert code == 0, output
    user = f"{names[0]}@example.org"
    kubeconfig(_token(client, names[0]))
    made = [Namespace(client.as_user(user), name) for name in names]
    eventually(
        lambda: made[0].client.call("GET", made[0].path("Pod")).status == 200, what="the right is known"
    )
    yield made[0], made[1]
    for each in made:
        admin = Namespace(client, each.name)
        for account in admin.items("TradingAccount"):
            admin.release("TradingAccount", account["metadata"]["name"])


def _token(client: Client, name: str) -> str:
    path = "/api/v1/namespaces/default/serviceaccounts"
    assert client.call("POST", path, {"metadata": {"name": name}}).status == 201
    token: str = client.call("POST", f"{path}/{name}/token", {"spec": {}}).body["status"]["token"]
    return token


def _create(namespace: Namespace, account: Manifest) -> None:
    """Once the quota is counted for the first time."""
    path = namespace.path("TradingAccount")
    eventually(lambda: namespace.client.call("POST", path, account).status == 201, 60, "the quota is counted")


def test_a_tenant_manages_their_own_accounts(tenants: tuple[Namespace, Namespace]) -> None:
    own, _ = tenants
    _create(own, build_account("alice"))
    own.patch("TradingAccount", "alice", {"spec": {"state": "Paused"}})
    own.create("Secret", {"metadata": {"name": "alice-binance"}, "stringData": {"apiKey": "k"}})
    own.client.call("DELETE", own.path("TradingAccount", "alice"))
    assert own.find("TradingAccount", "alice") is None


def test_a_tenant_cannot_have_an_account_go_without_being_settled(
    tenants: tuple[Namespace, Namespace], client: Client
) -> None:
    """Its trail would be lost, its credentials would go on, and no quota would count what it left in NATS."""
    own, _ = tenants
    _create(own, build_account("dora"))
    path, admin = own.path("TradingAccount", "dora"), Namespace(client, own.name)
    settled = {"metadata": {"finalizers": ["smarttrade.io/settle", "example.org/own"]}}
    assert client.merge(path, settled).status == 200

    def strip(namespace: Namespace, *kept: str) -> tuple[int, str]:
        answer = namespace.client.merge(path, {"metadata": {"finalizers": list(kept)}})
        return answer.status, answer.message

    code, message = strip(own, "example.org/own")
    assert code == 403
    assert "smarttrade.io/settle" in message
    assert strip(own, "smarttrade.io/settle")[0] == 200, "what is not the platform's is theirs"
    own.client.call("DELETE", path)
    assert strip(own)[0] == 403, "nor once it is being deleted"
    assert strip(admin)[0] == 200, "whoever may write finalizers can, as the operator does"
    assert admin.find("TradingAccount", "dora") is None


FORBIDDEN = [
    ("GET", "/api/v1/namespaces/{own}/secrets"),
    ("GET", "/api/v1/namespaces/{own}/secrets/alice-nats"),
    ("PATCH", "/api/v1/namespaces/{own}/secrets/alice-nats"),
    ("POST", "/api/v1/namespaces/{own}/pods"),
    ("POST", "/apis/apps/v1/namespaces/{own}/deployments"),
    ("POST", "/apis/batch/v1/namespaces/{own}/jobs"),
    ("POST", "/apis/networking.k8s.io/v1/namespaces/{own}/networkpolicies"),
    ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/{own}/rolebindings"),
    ("POST", "/api/v1/namespaces/{own}/serviceaccounts/default/token"),
    ("POST", "/api/v1/namespaces/{own}/pods/alice-1/exec"),
    ("POST", "/api/v1/namespaces/{own}/pods/alice-1/portforward"),
    ("PATCH", "/apis/smarttrade.io/v1alpha1/namespaces/{own}/tradingaccounts/alice/status"),
    ("PATCH", "/api/v1/namespaces/{own}"),
    ("DELETE", "/api/v1/namespaces/{own}"),
    ("PATCH", "/api/v1/namespaces/{own}/resourcequotas/smarttrade-tenant"),
    ("GET", "/apis/smarttrade.io/v1alpha1/namespaces/{other}/tradingaccounts"),
    ("POST", "/apis/smarttrade.io/v1alpha1/namespaces/{other}/tradingaccounts"),
    ("GET", "/api/v1/namespaces/{other}/pods"),
    ("POST", "/api/v1/namespaces/{other}/pods/bob-1/exec"),
    ("GET", "/api/v1/namespaces/{other}/secrets"),
    ("GET", "/apis/smarttrade.io/v1alpha1/tradingaccounts"),
    ("GET", "/api/v1/namespaces/kube-system/secrets"),
    ("GET", "/api/v1/namespaces"),
    ("GET", "/api/v1/nodes"),
]


def test_a_tenant_may_do_nothing_else(tenants: tuple[Namespace, Namespace]) -> None:
    own, other = tenants
    allowed = []
    for method, path in FORBIDDEN:
        where = path.format(own=own.name, other=other.name)
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        answer = own.client.call(
            method, where, None if method == "GET" else {"metadata": {"name": "x"}}, kind
        )
        if answer.status != 403:
            allowed.append(f"{method} {path}: {answer.status}")
    assert allowed == []


def test_a_tenants_namespace_bounds_what_runs_in_it(
    client: Client, tenants: tuple[Namespace, Namespace]
) -> None:
    own, _ = tenants
    for name in ("alice", "ann"):
        _create(own, build_account(name))

    def third() -> bool:
        answer = own.client.call("POST", own.path("TradingAccount"), build_account("third"))
        if answer.status == 201:  # the quota controller has not yet counted
            own.client.call("DELETE", own.path("TradingAccount", "third"))
        return answer.status == 403 and "exceeded quota" in answer.message

    eventually(third, 30, "the third account is refused")
    eventually(
        lambda: client.call("GET", f"/api/v1/namespaces/{own.name}/serviceaccounts/default").status == 200
    )
    pods = Namespace(client, own.name)
    container = {"name": "main", "image": "x", "securityContext": {"privileged": True}}
    privileged = client.call(
        "POST", pods.path("Pod"), {"metadata": {"name": "x"}, "spec": {"containers": [container]}}
    )
    assert (privileged.status, "restricted" in privileged.message) == (403, True)
    policy = pods.get("NetworkPolicy", "smarttrade-tenant")["spec"]
    assert (policy["podSelector"], sorted(policy["policyTypes"])) == ({}, ["Egress", "Ingress"])
    assert "ingress" not in policy
    assert "egress" not in policy


def test_a_namespace_of_the_cluster_is_not_turned_into_a_tenants(rules: None, kubeconfig: Use) -> None:
    kubeconfig("")
    code, output = run("tenant", "create", "kube-system", "--user", "mallory")
    assert (code, "is no tenant's" in output) == (2, True)


def test_nobody_makes_tenants_without_an_administrators_rights(tenants: tuple[Namespace, Namespace]) -> None:
    code, output = run("tenant", "create", "another", "--user", "mallory")
    assert (code, "forbidden" in output) == (2, True)


def _serve(namespace: Namespace, sold: dict[str, object]) -> Callable[[], None]:
    """An operator's part: takes note of Flatten, and reports what is then left."""

    def step() -> None:
        account = namespace.get("TradingAccount", "alice")
        if account["spec"].get("state") != "Flatten":
            return
        condition = {
            "type": "ConfigApplied",
            "status": "True",
            "reason": "Applied",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "observedGeneration": account["metadata"]["generation"],
        }
        report(namespace, effectiveState="Flatten", conditions=[condition], **sold)

    return step


@pytest.mark.parametrize(
    ("positions", "code"),
    [([], 0), ([{"symbol": "BTC/USDT", "quantity": "0.1", "averagePrice": "60000"}], 5)],
    ids=["sold", "not sold"],
)
def test_an_account_is_deleted_once_it_is_flat_and_not_before(
    client: Client,
    tenants: tuple[Namespace, Namespace],
    monkeypatch: pytest.MonkeyPatch,
    positions: list[object],
    code: int,
) -> None:
    own, _ = tenants
    admin = Namespace(client, own.name)
    _create(own, build_live())
    held = [{"symbol": "BTC/USDT", "quantity": "0.1", "averagePrice": "60000"}]
    report(admin, openOrders=2, unknownOrders=0, positions=held)
    refused, output = run("account", "delete", "alice", "-n", own.name)
    assert (refused != 0, "--flatten" in output) == (True, True)

    step = _serve(admin, {"openOrders": 0, "unknownOrders": 0, "positions": positions})
    monkeypatch.setattr("smarttrade.cli.deleting.time.sleep", lambda _: step())
    ended, output = run("account", "delete", "alice", "-n", own.name, "--flatten", "--timeout", "5")
    assert (ended == 0) is (code == 0), output
    if code == 0:
        assert own.find("TradingAccount", "alice") is None
    else:
        assert "positions in BTC/USDT" in output
        assert "deletionTimestamp" not in own.get("TradingAccount", "alice")["metadata"]


def test_the_manifests_can_be_printed_for_others_to_apply() -> None:
    code, output = run("tenant", "create", "alice", "--group", "traders", "--print")
    assert code == 0
    assert "pod-security.kubernetes.io/enforce: restricted" in output
    assert json.dumps("traders").strip('"') in output
