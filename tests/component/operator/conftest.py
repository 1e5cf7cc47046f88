from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.controlplane import ControlPlane
from smarttrade.api.crds.document import NAME, build_crd
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.server import LocalServer
from smarttrade_operator.permissions import ACCOUNT_PERMISSIONS, OPERATOR_PERMISSIONS, Permission
from tests.component.api.client import Client
from tests.component.operator.harness import CATALOGUE, Namespace, OperatorProcess, eventually

MakeOperator = Callable[..., OperatorProcess]


@pytest.fixture(scope="session")
def client(control_plane: ControlPlane) -> Client:
    return Client(control_plane.kubeconfig)


@pytest.fixture(scope="session")
def definition(client: Client) -> None:
    """The object's definition, served."""
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{NAME}"
    answer = client.apply(path, build_crd())
    assert answer.status in (200, 201), answer.message
    eventually(lambda: _is_established(client, path), 60, "the definition is established")
    accounts = "/apis/smarttrade.io/v1alpha1/tradingaccounts"
    eventually(lambda: client.call("GET", accounts).status == 200, 60, "accounts are served")


def _is_established(client: Client, path: str) -> bool:
    status = client.call("GET", path).body.get("status") or {}
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or []}
    return conditions.get("Established") == "True"


@pytest.fixture
def namespace(client: Client, definition: None) -> Namespace:
    """A namespace of the test's own, with the service account that pods need."""
    made = Namespace(client, f"operator-{uuid.uuid4().hex[:8]}")
    assert client.call("POST", "/api/v1/namespaces", {"metadata": {"name": made.name}}).status == 201
    accounts = f"/api/v1/namespaces/{made.name}/serviceaccounts/default"
    eventually(lambda: client.call("GET", accounts).status == 200)
    return made


@pytest.fixture(scope="session")
def keys() -> OperatorKeys:
    return OperatorKeys.generate()


@pytest.fixture(scope="session")
def nats(
    keys: OperatorKeys, tmp_path_factory: pytest.TempPathFactory, nats_server_binary: Path
) -> Iterator[LocalServer]:
    """A nats-server shared by tests that do not hurt it."""
    server = LocalServer(keys, tmp_path_factory.mktemp("nats"), binary=nats_server_binary)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@pytest.fixture
def own_nats(keys: OperatorKeys, tmp_path: Path, nats_server_binary: Path) -> Iterator[LocalServer]:
    """A nats-server that the test may stop, wipe and start."""
    server = LocalServer(keys, tmp_path / "nats", binary=nats_server_binary)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@pytest.fixture
def operator_kubeconfig(control_plane: ControlPlane, namespace: Namespace, tmp_path: Path) -> Path:
    """A kubeconfig with exactly the rights of the table in the test's namespace."""
    account = f"/api/v1/namespaces/{namespace.name}/serviceaccounts"
    assert namespace.client.call("POST", account, {"metadata": {"name": "operator"}}).status == 201
    _grant(namespace, namespace.name, (*ACCOUNT_PERMISSIONS, *OPERATOR_PERMISSIONS))
    request = {"spec": {"expirationSeconds": 3600}}
    token = namespace.client.call("POST", f"{account}/operator/token", request).body["status"]["token"]
    content = json.loads(control_plane.kubeconfig.read_text())
    content["users"][0]["user"] = {"token": token}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(content))
    return path


def _grant(namespace: Namespace, where: str, permissions: tuple[Permission, ...]) -> None:
    """A Role and its binding for the operator's service account."""
    api = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{where}"
    name = f"operator-of-{namespace.name}"
    rules = [{"apiGroups": [p.group], "resources": [p.resource], "verbs": list(p.verbs)} for p in permissions]
    role = {"metadata": {"name": name}, "rules": rules}
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": namespace.name}],
    }
    assert namespace.client.call("POST", f"{api}/roles", role).status == 201
    assert namespace.client.call("POST", f"{api}/rolebindings", binding).status == 201


@pytest.fixture
def make_operator(
    operator_kubeconfig: Path, keys: OperatorKeys, namespace: Namespace, tmp_path: Path
) -> Iterator[MakeOperator]:
    """Makes operators that watch the test's namespace and hold their Lease there."""
    made: list[OperatorProcess] = []
    (tmp_path / "keys").mkdir()
    for name, content in keys.to_files().items():
        (tmp_path / "keys" / name).write_text(content)
    (tmp_path / "catalogue.yaml").write_text(CATALOGUE)

    def make(
        server: LocalServer, pod: str = "operator-a", kubeconfig: Path | None = None, **environment: str
    ) -> OperatorProcess:
        settings = {
            "KUBECONFIG": str(kubeconfig or operator_kubeconfig),
            "SMARTTRADE_INSTALLATION": namespace.name,
            "SMARTTRADE_OPERATOR_NAMESPACE": namespace.name,
            "SMARTTRADE_OPERATOR_POD": pod,
            "SMARTTRADE_WATCH_NAMESPACES": namespace.name,
            "SMARTTRADE_NATS_URL": server.url,
            "SMARTTRADE_KEYS": str(tmp_path / "keys"),
            "SMARTTRADE_CATALOGUE": str(tmp_path / "catalogue.yaml"),
            "SMARTTRADE_RUNTIME_IMAGE": "smarttrade-runtime:test",
            "SMARTTRADE_HOST": "127.0.0.1",
            "SMARTTRADE_LEASE_SECONDS": "15",
        }
        extra = {f"SMARTTRADE_{name}": value for name, value in environment.items()}
        operator = OperatorProcess(settings | extra, tmp_path / f"{pod}.log")
        made.append(operator)
        return operator

    yield make
    for operator in made:
        operator.stop()


@pytest.fixture
def operator(make_operator: MakeOperator, nats: LocalServer) -> OperatorProcess:
    """A running operator."""
    return make_operator(nats).start()
