from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.controlplane import ControlPlane
from smarttrade.api import RISK_ACKNOWLEDGEMENT
from smarttrade.api.crds.document import NAME, build_crd
from tests.component.api.client import Client
from tests.component.chart import helm
from tests.component.operator.harness import Manifest, Namespace, build_account, eventually

POLICIES = "/apis/admissionregistration.k8s.io/v1"
PLURALS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}
CREDENTIALS = {
    "name": "binance",
    "environment": "Production",
    "credentialsSecretRef": {"name": "alice-binance"},
}


@pytest.fixture(scope="session")
def client(control_plane: ControlPlane) -> Client:
    return Client(control_plane.kubeconfig)


@pytest.fixture(scope="session")
def definition(client: Client) -> None:
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{NAME}"
    assert client.apply(path, build_crd()).status in (200, 201)
    accounts = "/apis/smarttrade.io/v1alpha1/tradingaccounts"
    eventually(lambda: client.call("GET", accounts).status == 200, 60, "accounts are served")


@pytest.fixture(scope="module")
def rules(client: Client, definition: None) -> Iterator[None]:
    """The chart's rules of admission, in force."""
    manifests = helm.template().kind(*PLURALS)
    assert len(manifests) == 10
    for manifest in manifests:
        answer = client.apply(_path(manifest), manifest)
        assert answer.status in (200, 201), answer.message
    try:
        _await_force(client)
        yield
    finally:
        for manifest in manifests:
            client.call("DELETE", _path(manifest))


def _path(manifest: Manifest) -> str:
    return f"{POLICIES}/{PLURALS[manifest['kind']]}/{manifest['metadata']['name']}"


def _await_force(client: Client) -> None:
    """The API server takes a moment to compile each of them."""
    probe = Namespace(client, make_namespace(client, {"smarttrade.io/tenant": "probe"}))
    probe.create("TradingAccount", build_live())
    report(probe, openOrders=1)
    guess = {"spec": {"acknowledgedBreach": "a guess"}}
    account, namespace = probe.path("TradingAccount", "alice"), f"/api/v1/namespaces/{probe.name}"
    eventually(lambda: client.call("DELETE", f"{account}?dryRun=All").status == 403, 30, "accounts")
    eventually(lambda: client.call("DELETE", f"{namespace}?dryRun=All").status == 403, 30, "namespaces")
    eventually(lambda: client.merge(f"{account}?dryRun=All", guess).status == 403, 30, "breaches")
    probe.release("TradingAccount", "alice")


def make_namespace(client: Client, labels: dict[str, str] | None = None) -> str:
    name = f"admission-{uuid.uuid4().hex[:8]}"
    body = {"metadata": {"name": name, "labels": labels or {}}}
    assert client.call("POST", "/api/v1/namespaces", body).status == 201
    return name


def build_live(name: str = "alice", **spec: object) -> Manifest:
    return build_account(
        name, mode="Live", riskAcknowledgement=RISK_ACKNOWLEDGEMENT, exchange=CREDENTIALS, **spec
    )


def report(namespace: Namespace, name: str = "alice", **status: object) -> None:
    """What the operator would write."""
    namespace.patch("TradingAccount", name, {"status": status}, status=True)


@pytest.fixture
def namespace(client: Client, rules: None) -> Iterator[Namespace]:
    made = Namespace(client, make_namespace(client))
    yield made
    for account in made.items("TradingAccount"):
        made.release("TradingAccount", account["metadata"]["name"])


@pytest.fixture
def kubeconfig(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Makes a kubeconfig the current one: the administrator's, or one with a token."""

    def use(token: str) -> None:
        content = json.loads(control_plane.kubeconfig.read_text())
        if token:
            content["users"][0]["user"] = {"token": token}
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(content))
        # The library looks at KUBECONFIG once, when it is imported.
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))

    return use
