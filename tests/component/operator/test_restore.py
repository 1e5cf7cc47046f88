"""The commands of docs/backup.md, as they stand there: from one Kubernetes to another that knows nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from base64 import b64decode
from pathlib import Path

from cluster import binaries
from cluster.controlplane import ControlPlane
from smarttrade.api.crds.document import NAME, build_crd
from smarttrade.bus.accounts import build_accounts
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.server import LocalServer
from tests.component.api.client import Client
from tests.component.bus.test_backup import ALICE, open_log, trade
from tests.component.operator.harness import Namespace, build_account, eventually

PAGE = (Path(__file__).parents[3] / "docs" / "backup.md").read_text(encoding="utf-8")
BACKUP, RESTORE_KEYS, RESTORE_OBJECTS = (
    textwrap.dedent(block) for block in re.findall(r"^ *```sh\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)
)
SYSTEM = "smarttrade-system"


class Kubernetes:
    """One API server; `run` is what a person does there, in the folder with the backup."""

    def __init__(self, control_plane: ControlPlane, folder: Path) -> None:
        self._folder = folder
        self.client = Client(control_plane.kubeconfig)
        kubectl = binaries.ensure("kubectl").parent
        path = f"{kubectl}{os.pathsep}{os.environ['PATH']}"
        self._environment = os.environ | {"KUBECONFIG": str(control_plane.kubeconfig), "PATH": path}
        definition = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{NAME}"
        assert self.client.apply(definition, build_crd()).status == 201
        served = "/apis/smarttrade.io/v1alpha1/tradingaccounts"
        eventually(lambda: self.client.call("GET", served).status == 200, 60, "accounts are served")

    def namespace(self, name: str) -> Namespace:
        assert self.client.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}}).status == 201
        return Namespace(self.client, name)

    def run(self, commands: str) -> None:
        done = subprocess.run(
            ["sh", "-e", "-c", commands],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"

    def make_keys(self) -> OperatorKeys:
        """What the chart's key job does, and the keys that are there then."""
        self.run(f"{sys.executable} -m smarttrade_operator.main keys --namespace {SYSTEM}")
        data = Namespace(self.client, SYSTEM).get("Secret", "smarttrade-keys")["data"]
        return OperatorKeys.from_files({name: b64decode(value).decode() for name, value in data.items()})


async def test_the_documented_commands_bring_keys_accounts_and_logs_to_another_cluster(
    nats_server_binary: Path, tmp_path: Path
) -> None:
    with ControlPlane(controllers=False) as lost:
        kubernetes = Kubernetes(lost, tmp_path)
        kubernetes.namespace(SYSTEM)
        users = kubernetes.namespace("alice")
        spec = users.create("TradingAccount", build_account("alice"))["spec"]
        keys = kubernetes.make_keys()
        async with LocalServer(keys, tmp_path / "before", binary=nats_server_binary) as server:
            await trade(server.url, keys)
            kubernetes.run(BACKUP)
            # Of the running servers, as a volume's snapshot is.
            shutil.copytree(tmp_path / "before", tmp_path / "after")
    shutil.rmtree(tmp_path / "before")

    with ControlPlane(controllers=False) as other:
        kubernetes = Kubernetes(other, tmp_path)
        kubernetes.run(RESTORE_KEYS)
        restored = kubernetes.make_keys()
        assert restored.to_files() == keys.to_files(), "the key job makes no others"
        async with LocalServer(restored, tmp_path / "after", binary=nats_server_binary) as server:
            log = await open_log(server.url, build_accounts(restored, ALICE))
            records = [payload async for _, payload, _ in log.read()]
        assert records == [b"record %d" % number for number in range(20)]
        users = kubernetes.namespace("alice")
        kubernetes.run(RESTORE_OBJECTS)
        assert users.get("TradingAccount", "alice")["spec"] == spec
