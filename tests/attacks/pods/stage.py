"""A hostile account beside one that trades, and the pod without guards for the control."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.kubectl import Document, Kubectl, build_namespace, build_pod
from tests.attacks.matrix import Outcome, Refused, Succeeded
from tests.component.operator.harness import eventually

HOSTILE, NEGLECTED = (Path(__file__).with_name(name) for name in ("hostile.py", "neglected.py"))
WITHIN_S = 120
MARK = "ATTEMPT "
# Greets nobody, but accepts everybody, and answers every datagram.
_NEIGHBOUR = """
import socket, threading
def answer():
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    wire.bind(("0.0.0.0", 5353))
    while True:
        question, caller = wire.recvfrom(512)
        wire.sendto(question, caller)
threading.Thread(target=answer).start()
listening = socket.create_server(("0.0.0.0", 8080))
while True:
    listening.accept()[0].close()
"""


def build_neighbour(image: str) -> Document:
    """A pod that no policy confines."""
    pod = build_pod("neighbour", image, ["python", "-c", _NEIGHBOUR], {"role": "neighbour"})
    pod["spec"]["containers"][0]["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    return pod


def build_node_port() -> Document:
    """The neighbour again, at a port of every node."""
    spec = {"type": "NodePort", "selector": {"role": "neighbour"}, "ports": [{"port": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "neighbour"}, "spec": spec}


def build_modules(targets: dict[str, str]) -> Document:
    """The ConfigMap that a hostile user provides."""
    modules = {each.name: each.read_text() for each in (HOSTILE, NEGLECTED)}
    modules["targets.py"] = f"TARGETS = {json.dumps(targets)}\n"
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hostile"}, "data": modules}


def build_unguarded(image: str) -> list[Document]:
    """The same code with every guard off: one process namespace, all mounts, all rights, no policy."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}}
    secret["stringData"] = {"apiKey": "key", "execution.creds": "creds", "evaluation.creds": "creds"}
    root: dict[str, Any] = {"runAsUser": 0, "privileged": True}
    mounts = [
        {"name": "attack", "mountPath": "/attack"},
        {"name": "keys", "mountPath": "/etc/smarttrade/exchange"},
        {"name": "keys", "mountPath": "/etc/smarttrade/nats"},
    ]
    shared = [{"name": "shared", "mountPath": "/dev/shm"}, {"name": "temporary", "mountPath": "/tmp"}]
    mounts += shared
    execution = {"name": "execution", "image": image, "command": ["python", "/attack/neglected.py"]}
    execution["volumeMounts"] = [mounts[0], *shared]
    execution["env"] = [{"name": "API_SECRET", "value": "key"}, {"name": "METRICS_PORT", "value": "8084"}]
    attacker = {"name": "attacker", "image": image, "command": ["python", "/attack/hostile.py"]}
    attacker |= {"securityContext": root, "volumeMounts": mounts, "env": execution["env"]}
    spec = {
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": 0,
        "restartPolicy": "Never",
        "containers": [execution, attacker],
        "volumes": [
            {"name": "attack", "configMap": {"name": "hostile"}},
            {"name": "keys", "secret": {"secretName": "keys"}},
            {"name": "shared", "emptyDir": {"medium": "Memory"}},
            {"name": "temporary", "emptyDir": {}},
        ],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "unguarded"}, "spec": spec}
    return [secret, pod]


def build_opening(namespace: str) -> Document:
    """All pods beside it admit those of the namespace: policies add up, so this switches the others off."""
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}]
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": peers}]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": namespace},
        "spec": spec,
    }


@dataclass(frozen=True)
class Logs:
    """One container whose log tells the outcomes."""

    cluster: Kubectl
    namespace: str
    pod: str
    container: str

    def outcomes(self) -> dict[str, Outcome]:
        """Once all attempts have ended: name -> outcome."""
        return eventually(self._read, WITHIN_S, f"all attempts in {self.pod} have ended")

    def fillings(self) -> dict[str, Outcome]:
        """What a container told before it was killed for its memory, and that this is how it ended."""
        return eventually(self._read_end, WITHIN_S, f"{self.pod} has filled what it can")

    def _read_end(self) -> dict[str, Outcome]:
        place = [f"--namespace={self.namespace}"]
        pod = self.cluster.get("pod", self.pod, *place)
        ended = {
            s["name"]: s.get("lastState", {}).get("terminated") for s in pod["status"]["containerStatuses"]
        }
        killed = ended.pop(self.container)
        assert killed, "it still runs"
        strangers = {name: state for name, state in ended.items() if state}
        assert not strangers, f"others ended with it: {strangers}"
        told = self._rows(
            self.cluster("logs", self.pod, *place, f"--container={self.container}", "--previous")
        )
        return {row["attempt"]: _outcome(row) for row in told} | {"fill-memory": Refused(killed["reason"])}

    def _read(self) -> dict[str, Outcome]:
        options = [f"--namespace={self.namespace}", f"--container={self.container}"]
        try:
            log = self.cluster("logs", self.pod, *options)
        except ClusterError as error:
            raise AssertionError(f"no log yet: {error}") from error
        told = self._rows(log)
        assert [row["attempt"] for row in told][-1:] == ["end"], log[-500:]
        return {row["attempt"]: _outcome(row) for row in told[:-1]}

    def _rows(self, log: str) -> list[dict[str, str]]:
        lines = log.splitlines()
        return [json.loads(line.removeprefix(MARK)) for line in lines if line.startswith(MARK)]


def _outcome(row: dict[str, str]) -> Outcome:
    return Succeeded(row["prize"]) if "prize" in row else Refused(row["words"])


def make_namespace(cluster: Kubectl) -> str:
    """One without any policy."""
    name = f"unguarded-{uuid.uuid4().hex[:6]}"
    cluster.apply(build_namespace(name))
    return name
