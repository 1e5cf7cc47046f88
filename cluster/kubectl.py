"""kubectl on one target: what the demo and the end-to-end tests do to a cluster."""

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

from cluster import binaries
from cluster.commands import run, succeeds
from cluster.errors import ClusterError
from cluster.target import Target

Document = dict[str, Any]


class Kubectl:
    """kubectl with the kubeconfig and context of `where`, which is never anything else."""

    def __init__(self, where: Target) -> None:
        self.target = where
        self._program = binaries.ensure("kubectl")

    def words(self, *arguments: str) -> list[str]:
        """The whole command line, for callers that run it themselves."""
        return [str(self._program), *self.target.kubectl_options, *arguments]

    def __call__(self, *arguments: str, stdin: str | None = None, timeout_s: float = 120) -> str:
        """Run kubectl; its stdout, or ClusterError with what it said."""
        return run(self.words(*arguments), stdin=stdin, timeout_s=timeout_s)

    def succeeds(self, *arguments: str, timeout_s: float = 60) -> bool:
        """Whether kubectl ends with 0."""
        return succeeds(self.words(*arguments), timeout_s=timeout_s)

    def get(self, *arguments: str) -> Document:
        """The object or list as parsed JSON."""
        return dict(json.loads(self("get", *arguments, "-o", "json")))

    def find(self, *arguments: str) -> Document:
        """As `get`; empty where there is no such object."""
        text = self("get", *arguments, "--ignore-not-found", "-o", "json")
        return dict(json.loads(text)) if text.strip() else {}

    def apply(self, *manifests: Document, namespace: str = "default") -> None:
        """Server-side apply of the manifests."""
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        self(
            "apply", "--server-side", "--force-conflicts", f"--namespace={namespace}", "-f", "-", stdin=listed
        )

    def exec(
        self, namespace: str, pod: str, *command: str, timeout_s: float = 60
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in a pod's first container, whatever its exit status."""
        words = self.words("exec", f"--namespace={namespace}", pod, "--", *command)
        return subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False)

    def wait_ready(self, namespace: str, *names: str, timeout_s: float = 120) -> None:
        """Return when the named pods are ready."""
        options = [f"--namespace={namespace}", "--for=condition=Ready", f"--timeout={timeout_s:.0f}s"]
        self("wait", *options, *(f"pod/{name}" for name in names), timeout_s=timeout_s + 30)


def eventually(condition: Callable[[], bool], what: str, within_s: float = 60, every_s: float = 0.1) -> float:
    """Seconds until `condition` held; ClusterError with `what` when it did not in time."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within_s:
            raise ClusterError(f"not within {within_s:.0f} s: {what}")
        time.sleep(every_s)
    return time.monotonic() - began


def build_namespace(name: str, labels: dict[str, str] | None = None) -> Document:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}}


MADE_BY = "smarttrade.io/made-by"


def make_namespace(kubectl: Kubectl, name: str, maker: str, labels: dict[str, str] | None = None) -> None:
    """Make a namespace that says who made it; one that exists is left as it is."""
    if not kubectl.find("namespace", name):
        kubectl.apply(build_namespace(name, {**(labels or {}), MADE_BY: maker}))


def delete_namespace(kubectl: Kubectl, name: str, maker: str, *, wait: bool = True) -> bool:
    """Delete a namespace that `maker` made; False where it was somebody else's, or there is none."""
    found = kubectl.find("namespace", name)
    if not found or (found["metadata"].get("labels") or {}).get(MADE_BY) != maker:
        return False
    kubectl("delete", "namespace", name, "--ignore-not-found", f"--wait={str(wait).lower()}")
    return True


def build_pod(name: str, image: str, command: Sequence[str], labels: dict[str, str]) -> Document:
    """A pod that a restricted namespace admits, with one container that runs `command`."""
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    identity = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    container = {"name": "main", "image": image, "command": list(command), "securityContext": restricted}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "securityContext": identity,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "containers": [container],
        },
    }
