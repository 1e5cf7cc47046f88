from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from cluster.controlplane import ControlPlane
from smarttrade.api.crds.document import NAME, build_crd
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.server import LocalServer
from smarttrade_operator.permissions import ACCOUNT_PERMISSIONS, OPERATOR_PERMISSIONS, Permission
from tests.component.api.client import Client
from tests.component.operator.harness import CATALOGUE, RUN, Namespace, OperatorProcess, eventually

MakeOperator = Callable[..., OperatorProcess]
RunShared = Callable[..., AbstractContextManager[OperatorProcess]]
# The installation whose operator a module shares; the others are named like the test's namespace.
SHARED = "shared"


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
def namespace(request: pytest.FixtureRequest, client: Client, definition: None) -> Iterator[Namespace]:
    """A namespace of the test's own, with the service account that pods need; its accounts end with it."""
    name = f"operator-{uuid.uuid4().hex[:8]}"
    installation = SHARED if "operator" in request.fixturenames else name
    made = Namespace(client, name, installation)
    make_namespace(client, name)
    yield made
    for account in made.items("TradingAccount"):
        made.release("TradingAccount", account["metadata"]["name"])


def make_namespace(client: Client, name: str) -> None:
    """With the service account that pods need."""
    assert client.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}}).status == 201
    eventually(lambda: client.call("GET", f"/api/v1/namespaces/{name}/serviceaccounts/default").status == 200)


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
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace.name}"
    _grant(namespace, path, "Role", (*ACCOUNT_PERMISSIONS, *OPERATOR_PERMISSIONS))
    return _log_in(control_plane, namespace, tmp_path)


def _log_in(control_plane: ControlPlane, namespace: Namespace, folder: Path) -> Path:
    """A kubeconfig with a token of the namespace's service account `operator`."""
    account = f"/api/v1/namespaces/{namespace.name}/serviceaccounts"
    assert namespace.client.call("POST", account, {"metadata": {"name": "operator"}}).status == 201
    request = {"spec": {"expirationSeconds": 3600}}
    token = namespace.client.call("POST", f"{account}/operator/token", request).body["status"]["token"]
    content = json.loads(control_plane.kubeconfig.read_text())
    content["users"][0]["user"] = {"token": token}
    path = folder / "kubeconfig"
    path.write_text(json.dumps(content))
    return path


def _grant(namespace: Namespace, path: str, kind: str, permissions: tuple[Permission, ...]) -> None:
    """A (Cluster)Role and its binding for the service account `operator` of the namespace."""
    name = f"{kind.lower()}-of-{namespace.name}"
    rules = [{"apiGroups": [p.group], "resources": [p.resource], "verbs": list(p.verbs)} for p in permissions]
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": namespace.name}],
    }
    role = {"metadata": {"name": name}, "rules": rules}
    assert namespace.client.call("POST", f"{path}/{kind.lower()}s", role).status == 201
    assert namespace.client.call("POST", f"{path}/{kind.lower()}bindings", binding).status == 201


def _build_settings(folder: Path, namespace: str, keys: OperatorKeys, kubeconfig: Path) -> dict[str, str]:
    """The environment of an operator whose Lease is in the namespace; it watches all namespaces."""
    (folder / "keys").mkdir(exist_ok=True)
    for name, content in keys.to_files().items():
        (folder / "keys" / name).write_text(content)
    (folder / "catalogue.yaml").write_text(CATALOGUE)
    return {
        "KUBECONFIG": str(kubeconfig),
        "SMARTTRADE_INSTALLATION": namespace,
        "SMARTTRADE_OPERATOR_NAMESPACE": namespace,
        "SMARTTRADE_KEYS": str(folder / "keys"),
        "SMARTTRADE_CATALOGUE": str(folder / "catalogue.yaml"),
        "SMARTTRADE_RUNTIME_IMAGE": "smarttrade-runtime:test",
        "SMARTTRADE_HOST": "127.0.0.1",
        "SMARTTRADE_LEASE_SECONDS": "15",
    }


@pytest.fixture
def make_operator(
    operator_kubeconfig: Path, keys: OperatorKeys, namespace: Namespace, tmp_path: Path
) -> Iterator[MakeOperator]:
    """Makes operators that watch the test's namespace and hold their Lease there."""
    made: list[OperatorProcess] = []

    def make(
        server: LocalServer, pod: str = "operator-a", kubeconfig: Path | None = None, **environment: str
    ) -> OperatorProcess:
        settings = _build_settings(tmp_path, namespace.name, keys, kubeconfig or operator_kubeconfig)
        settings |= {
            "SMARTTRADE_OPERATOR_POD": pod,
            "SMARTTRADE_WATCH_NAMESPACES": namespace.name,
            "SMARTTRADE_NATS_URL": server.url,
        }
        extra = {f"SMARTTRADE_{name}": value for name, value in environment.items()}
        operator = OperatorProcess(settings | extra, tmp_path / f"{pod}.log")
        made.append(operator)
        return operator

    yield make
    for operator in made:
        operator.stop()


@pytest.fixture
def own_operator(make_operator: MakeOperator, nats: LocalServer) -> OperatorProcess:
    """A running operator that the test may stop and start."""
    return make_operator(nats).start()


@pytest.fixture(scope="module")
def run_shared(
    control_plane: ControlPlane,
    client: Client,
    definition: None,
    keys: OperatorKeys,
    nats: LocalServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> RunShared:
    """Runs operators with exactly the rights of the table, on all namespaces, for one installation each."""

    @contextmanager
    def run(installation: str, command: list[str] | None = None) -> Iterator[OperatorProcess]:
        folder = tmp_path_factory.mktemp("operator")
        home = Namespace(client, f"{installation}-{uuid.uuid4().hex[:8]}")
        make_namespace(client, home.name)
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        _grant(home, rbac, "ClusterRole", ACCOUNT_PERMISSIONS)
        _grant(home, f"{rbac}/namespaces/{home.name}", "Role", OPERATOR_PERMISSIONS)
        settings = _build_settings(folder, home.name, keys, _log_in(control_plane, home, folder))
        settings |= {"SMARTTRADE_INSTALLATION": installation, "SMARTTRADE_NATS_URL": nats.url}
        operator = OperatorProcess(settings, folder / "operator.log", command=command or RUN)
        yield operator.start()
        assert operator.stop() == 0

    return run


@pytest.fixture(scope="module")
def shared_operator(run_shared: RunShared) -> Iterator[OperatorProcess]:
    """One operator for the tests of a module."""
    with run_shared(SHARED) as operator:
        yield operator


@pytest.fixture
def operator(shared_operator: OperatorProcess) -> OperatorProcess:
    """A running operator that the test leaves alone: it serves the other tests of the module too."""
    shared_operator.assert_running()
    return shared_operator
