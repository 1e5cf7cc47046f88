"""The chart on the real cluster, in namespaces of these tests' own, beside whatever else runs there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import uuid
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cluster import binaries
from cluster.commands import run
from cluster.components import SERVICE_NETWORK
from cluster.errors import ClusterError
from cluster.kubectl import Kubectl, build_namespace
from cluster.node.layout import POD_NETWORK
from smarttrade.api import RISK_ACKNOWLEDGEMENT
from smarttrade.bus.certificates import build_authority
from smarttrade.bus.keys import OperatorKeys
from tests.component.operator.harness import Manifest, Namespace, eventually, free_port
from tests.e2e.operator.front import Front
from tests.e2e.operator.own_image import REPOSITORY
from tests.e2e.proxy import Proxy

CHART = Path(__file__).parents[3] / "charts" / "smarttrade"
DEFINITIONS = CHART / "files" / "crds"
RELEASE = "smarttrade"
DEDICATED = "own"
# One for each test that trades: an account that is made anew under its name is paused, because the exchange
# still shows its predecessor's orders.
ACCOUNTS = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim", "liam")
ACCOUNTS += ("mallory", "norma", "oscar", "peggy", "quinn", "ruth", "trudy", "victim")

IN_AND_OUT = '''
from decimal import Decimal

from smarttrade import Strategy


class InAndOut(Strategy):
    """Buys at one candle and sells at the next."""

    wanted = Decimal(0)

    def on_candle(self, candle):
        self.wanted = Decimal("0.01") - self.wanted
        return self.target(candle.market, self.wanted)
'''


@dataclass
class Platform:
    """An installed platform: `system` is the release's namespace, `users` the accounts'."""

    cluster: Kubectl
    proxy: Proxy
    system: Namespace
    users: Namespace
    images: dict[str, str]
    front: Front
    made: list[str] = field(default_factory=list)

    def apply(self, name: str, **spec: object) -> Manifest:
        """Create a live account on the simulator, with its exchange Secret."""
        self.made.append(name)
        secret = {"metadata": {"name": f"{name}-binance"}, "stringData": build_credentials(name)}
        self.proxy.call("POST", self.users.path("Secret"), secret)
        account = build_live_account(name, **spec)
        # Another platform may run beside this one and serve all namespaces.
        account["metadata"]["labels"] = {"smarttrade.io/installation": self.system.name}
        return self.users.create("TradingAccount", account)

    def provide_strategy(self, config_map: str, module: str = IN_AND_OUT) -> Manifest:
        """Make the ConfigMap; what `spec.strategy` then is, on candles of a second."""
        path = f"/api/v1/namespaces/{self.users.name}/configmaps"
        manifest = {"metadata": {"name": config_map}, "data": {"mine.py": module}}
        assert self.proxy.call("POST", path, manifest).status == 201
        return build_own_strategy(config_map)

    def remove(self, name: str) -> None:
        """Delete the account and wait until it is gone."""
        if self.users.find("TradingAccount", name) is not None:
            self.users.delete("TradingAccount", name)
        eventually(lambda: self.users.find("TradingAccount", name) is None, 180, f"{name} is gone")

    def status(self, name: str) -> Manifest:
        return self.users.get("TradingAccount", name).get("status") or {}

    def wait_fills(self, name: str, at_least: int, within_s: float = 120) -> int:
        """Until the status shows that many fills; how many there are."""

        def filled() -> int:
            fills = int(self.status(name).get("fills", 0))
            assert fills >= at_least, f"{fills} fills"
            return fills

        try:
            return eventually(filled, within_s, f"{at_least} fills of {name}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tell_trouble(name)}") from None

    def tell_trouble(self, name: str) -> str:
        """The account's status without what is well, and what its leading pod said last."""
        status = self.status(name)
        bad = [c for c in status.pop("conditions", []) if c["status"] != "True"]
        options = [f"--namespace={self.users.name}", "--tail=15", "--all-containers", "--prefix"]
        try:
            said = self.cluster("logs", str(status.get("leader")), *options)
        except ClusterError as error:
            said = str(error)
        return f"{json.dumps(status)}\n{json.dumps(bad)}\n{said}"

    def pods(self, name: str) -> list[Manifest]:
        return [
            p
            for p in self.users.items("Pod")
            if p["metadata"].get("labels", {}).get("smarttrade.io/account") == name
        ]

    def scale_operator(self, replicas: int) -> None:
        name = f"{RELEASE}-operator"
        options = [f"--namespace={self.system.name}"]
        self.cluster("scale", "deployment", name, f"--replicas={replicas}", *options)
        if replicas:
            self.cluster("rollout", "status", f"deployment/{name}", "--timeout=120s", *options, timeout_s=150)
        else:
            eventually(lambda: not self._operator_pods(), 60, "the operator's pods are gone")

    def _operator_pods(self) -> list[Manifest]:
        label = "app.kubernetes.io/name"
        return [
            p for p in self.system.items("Pod") if p["metadata"].get("labels", {}).get(label) == "operator"
        ]

    def metric(self, pod: str, name: str) -> float:
        """One figure of a pod's execution container, asked from its node: the policy lets nobody else in."""
        path = f"/api/v1/namespaces/{self.users.name}/pods/{pod}:8083/proxy/metrics"
        text = self.cluster("get", "--raw", path)
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"{name} "))

    def audit(self, name: str) -> list[Manifest]:
        """The account's whole log, a row a record, as `smarttrade audit export` reads it."""
        module = "smarttrade.audit"
        inside = [
            "exec",
            self.status(name)["leader"],
            f"--namespace={self.users.name}",
            "--container=execution",
        ]
        told = self.cluster(*inside, "--", "python", "-m", module, "1", "100000")
        return [json.loads(line) for line in told.splitlines()]

    def export_deleted(self, name: str, file: Path) -> list[Manifest]:
        """What `smarttrade audit export --deleted` writes into the file, as its user calls it."""
        where = self.cluster.target
        smarttrade = Path(sys.executable).with_name("smarttrade")
        command: list[str | Path] = [smarttrade, "audit", "export", name, "--deleted", "--out", file]
        command += ["--system", self.system.name, "--namespace", self.users.name, "--context", where.context]
        environment = os.environ | {"KUBECONFIG": str(where.kubeconfig)}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return [json.loads(line) for line in file.read_text().splitlines()]

    def helm(self, *arguments: str) -> str:
        """What helm printed."""
        helm = [str(binaries.ensure("helm")), *self.cluster.target.helm_options]
        return run([*helm, *arguments, f"--namespace={self.system.name}"], timeout_s=330)

    def keys(self) -> OperatorKeys:
        data = self.system.get("Secret", f"{RELEASE}-keys")["data"]
        return OperatorKeys.from_files({name: b64decode(value).decode() for name, value in data.items()})


def build_credentials(name: str) -> dict[str, str]:
    """Of the simulator's users; with signs that look otherwise wherever they are escaped."""
    return {"apiKey": f'{name} "key"/+=', "secret": f'{name} "secret"/+=\\'}


def build_own_strategy(config_map: str) -> Manifest:
    source = {"configMapRef": {"name": config_map}, "class": "mine.InAndOut"}
    return {"source": source, "timeframe": "1s", "parameters": {}}


def build_live_account(name: str, **spec: object) -> Manifest:
    return {
        "apiVersion": "smarttrade.io/v1alpha1",
        "kind": "TradingAccount",
        "metadata": {"name": name},
        "spec": {
            "mode": "Live",
            "riskAcknowledgement": RISK_ACKNOWLEDGEMENT,
            "exchange": {
                "name": "binance",
                "environment": "Simulator",
                "credentialsSecretRef": {"name": f"{name}-binance"},
            },
            "markets": [{"symbol": "BTC/USDT"}],
            "strategy": {"name": "ma-cross", "timeframe": "1s", "parameters": {"fast": 3, "slow": 8}},
            "capital": {"currency": "USDT", "allocation": "10000"},
            "risk": {
                "maxOrderNotional": "10000",
                "maxPositionNotional": "10000",
                "maxDailyLoss": "5000",
                "maxDrawdown": "0.9",
            },
            "replicas": 1,
            **spec,
        },
    }


@pytest.fixture(scope="session")
def platform(
    cluster: Kubectl, proxy: Proxy, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """The chart with simulator, three NATS servers and one operator that serves one namespace of accounts."""
    suffix = uuid.uuid4().hex[:6]
    system, users = f"platform-{suffix}", f"users-{suffix}"
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply(build_namespace(system), build_namespace(users, restricted))
    # Also where there are some already: an older definition would refuse what a newer operator writes.
    cluster("apply", "--server-side", "--force-conflicts", f"--filename={DEFINITIONS}")
    front = Front.build(tmp_path_factory.mktemp("front"), system)
    installed = Platform(cluster, proxy, Namespace(proxy, system), Namespace(proxy, users), images, front)
    try:
        _install(installed)
        yield installed
    finally:
        _uninstall(installed)


def _install(platform: Platform) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as values:
        json.dump(_build_values(platform), values)
        values.flush()
        platform.helm("install", RELEASE, str(CHART), "--values", values.name, "--wait", "--timeout=5m")


def _build_values(platform: Platform) -> Manifest:
    def image(name: str) -> dict[str, str]:
        repository, _, tag = platform.images[name].rpartition(":")
        return {"repository": repository, "tag": tag}

    users = [
        {"name": name, "key": keys["apiKey"], "secret": keys["secret"], "balances": {"USDT": "100000"}}
        for name, keys in ((name, build_credentials(name)) for name in ACCOUNTS)
    ]
    return {
        "installation": platform.system.name,
        "watchNamespaces": [platform.users.name],
        "crds": {"enabled": False},
        "operator": {"image": image("operator"), "replicas": 1},
        "runtime": {"image": image("runtime"), "strategyImages": [REPOSITORY]},
        "backtests": {"image": image("research"), "quota": {"pods": 2}},
        "nats": {
            "image": image("nats"),
            "replicas": 3,
            "persistence": {"enabled": False},
            "dedicated": [{"name": DEDICATED, "namespaces": [platform.users.name], "replicas": 1}],
        },
        "egressGateway": {"image": image("gateway"), "privateCidrs": [SERVICE_NETWORK, POD_NETWORK]},
        "exchanges": {"binance": {"Private": platform.front.endpoint()}},
        "simulator": {"enabled": True, "users": users},
    }


def _uninstall(platform: Platform) -> None:
    """Accounts go first, while the operator is there to release them; nobody waits for the servers to end."""
    for name in platform.made:
        if platform.users.find("TradingAccount", name) is not None:
            platform.users.delete("TradingAccount", name)
    eventually(lambda: not platform.users.items("TradingAccount"), 180, "all accounts are gone")
    platform.helm("uninstall", RELEASE, "--ignore-not-found")
    for name in (platform.users.name, platform.system.name):
        platform.cluster("delete", "namespace", name, "--wait=false")


@pytest.fixture
def account(platform: Platform) -> Iterator[Callable[..., str]]:
    """Makes accounts that are removed after the test."""
    made: list[str] = []

    def make(name: str, **spec: object) -> str:
        made.append(name)
        platform.apply(name, **spec)
        return name

    yield make
    for name in made:
        platform.remove(name)
        platform.cluster("delete", "secret", f"{name}-binance", f"--namespace={platform.users.name}")


@pytest.fixture
def nats_url(platform: Platform) -> Iterator[str]:
    """The platform's NATS, forwarded to a local port."""
    port = free_port()
    words = platform.cluster.words(
        "port-forward", f"--namespace={platform.system.name}", f"service/{RELEASE}-nats", f"{port}:4222"
    )
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "Forwarding" in process.stdout.readline()
    yield f"tls://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


@pytest.fixture
def nats_authority(platform: Platform, tmp_path: Path) -> Path:
    """The file with the certificate that the platform's NATS is verified by."""
    path = tmp_path / "ca.crt"
    path.write_text(build_authority(platform.keys().master))
    return path
