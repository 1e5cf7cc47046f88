"""The simulated exchange's own journal: what really happened, whatever anybody else believes."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cluster.errors import ClusterError
from cluster.kubectl import Kubectl
from demo.platform import NAMESPACE, RELEASE


def trades(kubectl: Kubectl, user: str, namespace: str = NAMESPACE) -> list[dict[str, Any]]:
    """Every execution of one user, oldest first, as the journal keeps them."""
    return [entry for entry in entries(kubectl, user, namespace) if entry["kind"] == "TRADE"]


def entries(kubectl: Kubectl, user: str, namespace: str = NAMESPACE) -> list[dict[str, Any]]:
    """All that happened to one user's orders, oldest first."""
    secret = kubectl.get("secret", f"{RELEASE}-simulator", "-n", namespace)
    token = base64.b64decode(secret["data"]["adminToken"]).decode()
    with _forwarded(kubectl, namespace) as port:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/admin/v1/journal?user={user}",
            headers={"Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(request, timeout=15) as reply:
            told: list[dict[str, Any]] = json.load(reply)
    return told


@contextmanager
def _forwarded(kubectl: Kubectl, namespace: str) -> Iterator[int]:
    service = f"svc/{RELEASE}-simulator"
    command = kubectl.words("port-forward", "-n", namespace, service, ":8090")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as forward:
        try:
            assert forward.stdout is not None
            line = forward.stdout.readline()
            if "127.0.0.1:" not in line:
                raise ClusterError(f"kubectl port-forward: {line.strip() or 'ended at once'}")
            yield int(line.split("127.0.0.1:")[1].split()[0])
        finally:
            forward.terminate()
