"""A bare API server with the chart on it, and the chart's programs run with the chart's own rights."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster import binaries
from tests.component.chart import helm

_RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@dataclass(frozen=True)
class Cluster:
    kubeconfig: Path

    def kubectl(self, *arguments: str, manifests: object = None) -> str:
        """What kubectl printed; AssertionError with its error otherwise."""
        command = [str(binaries.ensure("kubectl")), "--kubeconfig", str(self.kubeconfig), *arguments]
        text = None if manifests is None else yaml.dump_all(manifests, Dumper=yaml.CSafeDumper)
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stderr}"
        return done.stdout

    def helm(self, *arguments: str) -> str:
        return helm.run(*arguments, "--namespace", helm.NAMESPACE, kubeconfig=self.kubeconfig)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return dict(json.loads(self.kubectl("get", kind, name, "-n", helm.NAMESPACE, "-o", "json")))

    def add_namespace(self, name: str) -> None:
        """With the service account that a controller would make."""
        metadata = {"name": name, "labels": _RESTRICTED}
        account = {"name": "default", "namespace": name}
        manifests = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        ]
        self.kubectl("apply", "-f", "-", manifests=manifests)


def run_key_job(cluster: Cluster, values: dict[str, Any], folder: Path) -> None:
    """The job's own command with the job's own rights, as no kubelet runs it here."""
    rendering = helm.template(values)
    hooks = [each for each in rendering.kind("ServiceAccount", "Role", "RoleBinding") if is_hook(each)]
    cluster.kubectl("apply", "-f", "-", manifests=hooks)
    container = rendering.one("Job", "smarttrade-keys")["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["smarttrade-operator", "keys"]
    token = cluster.kubectl("create", "token", "smarttrade-keys", "-n", helm.NAMESPACE).strip()
    environment = {**os.environ, "KUBECONFIG": str(write_kubeconfig(cluster, token, folder))}
    command = [sys.executable, "-m", "smarttrade_operator.main", "keys", *container["args"]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def is_hook(manifest: helm.Manifest) -> bool:
    return "helm.sh/hook" in manifest["metadata"].get("annotations", {})


def write_kubeconfig(cluster: Cluster, token: str, folder: Path) -> Path:
    content = yaml.safe_load(cluster.kubeconfig.read_text())
    content["users"][0]["user"] = {"token": token}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return path


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def await_answer(url: str, timeout_s: float = 30) -> int:
    """The status once it is 200, or the last one when time is up; 0 where nothing answers."""
    give_up, status = time.monotonic() + timeout_s, 0
    while status != 200 and time.monotonic() < give_up:
        try:
            status = urllib.request.urlopen(url, timeout=5).status
        except urllib.error.HTTPError as error:
            status = error.code
        except OSError:
            time.sleep(0.05)
    return status
