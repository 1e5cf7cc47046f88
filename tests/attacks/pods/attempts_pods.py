"""What `hostile` tries, and what refuses it. The control is a pod that has none of these guards."""

from __future__ import annotations

from typing import Any

from tests.attacks.matrix import Attempt, Matrix, Outcome

MATRIX = Matrix()
POD = "pod: other containers"
PRIVILEGE = "pod: processes and privileges"
NODE = "pod: memory and disk of the node"
NETWORK = "pod: network"
FILTERED, DROPPED, ABSENT = "PermissionError", "TimeoutError", "FileNotFoundError"
OWN, READ_ONLY, FORBIDDEN = "nothing but its own", "Read-only file system", "Operation not permitted"
FILTER, NAMESPACE, CONTEXT, POLICY = (
    "process filter",
    "process namespace",
    "security context",
    "network policy",
)
ENDS = "network policies of both ends"
FULL, MEMORY = "No space left on device", "memory limit"
NOBODY = "no process of another container"
NEIGHBOUR, SOCKET = "refusal of own addresses", "mounts + the peer's user id"
_GIVEN = {
    "reach-etcd": "the test cluster's etcd listens on its machine's loopback alone",
    "ask-for-cloud-metadata": "the test cluster's nodes are in no cloud that would answer",
}

_ROWS: tuple[tuple[str, str, str, str, str], ...] = (
    ("take-executions-port", POD, "listens on execution's port, to answer its probes", FILTERED, FILTER),
    ("read-executions-metrics", POD, "reads execution's metrics over the pod's address", "403", NEIGHBOUR),
    ("read-executions-metrics-by-loopback", POD, "reads execution's metrics over loopback", "403", NEIGHBOUR),
    ("command-execution", POD, "asks the socket of commands by hand for the orders", ABSENT, SOCKET),
    ("read-exchange-key", POD, "reads the exchange key where execution has it", ABSENT, "mounts"),
    ("read-executions-credentials", POD, "reads execution's NATS credentials", ABSENT, "mounts"),
    ("follow-the-volumes-links", POD, "follows the links in its own volume to other files", OWN, "mounts"),
    ("find-keys-in-the-environment", POD, "looks for keys among its variables", OWN, "mounts"),
    ("read-environment-of-others", POD, "reads another container's environment", NOBODY, NAMESPACE),
    ("read-memory-of-others", POD, "opens another container's memory in `/proc`", NOBODY, NAMESPACE),
    ("trace-a-process", POD, "attaches to another process", FILTERED, FILTER),
    ("look-into-shared-memory", POD, "looks for what others left in `/dev/shm`", OWN, "nothing in it"),
    ("share-memory-of-system-v", POD, "makes memory that outlives it and that others see", FILTERED, FILTER),
    ("find-abstract-sockets", POD, "looks for sockets without a file, which pods share", OWN, "none in use"),
    ("kill-everything", POD, "signals the other containers", NOBODY, NAMESPACE),
    ("fork", PRIVILEGE, "starts a process", FILTERED, FILTER),
    ("fork-bomb", PRIVILEGE, "starts twenty programs", FILTERED, FILTER),
    ("become-root", PRIVILEGE, "becomes root", FILTERED, CONTEXT),
    ("open-a-raw-socket", PRIVILEGE, "opens a raw socket", FILTERED, CONTEXT),
    ("mount-something", PRIVILEGE, "mounts a file system", FORBIDDEN, CONTEXT),
    ("leave-by-a-namespace", PRIVILEGE, "leaves for a namespace of its own", FORBIDDEN, CONTEXT),
    ("replace-the-platforms-code", PRIVILEGE, "writes into the platform's own packages", READ_ONLY, CONTEXT),
    ("change-how-cores-are-dumped", PRIVILEGE, "has cores of execution dumped to itself", "Error", CONTEXT),
    ("find-a-token-of-kubernetes", PRIVILEGE, "looks for a service account's token", ABSENT, "no token"),
    ("fill-memory", NODE, "takes twice the memory that its container may have", "OOMKilled", MEMORY),
    ("fill-shared-memory", NODE, "fills `/dev/shm`, which the pod's containers share", FULL, "its size"),
    ("fill-the-temporary-folder", NODE, "fills its temporary folder", FULL, "folder in memory"),
    ("fill-the-disk", NODE, "fills the node's disk by the container's own file system", READ_ONLY, CONTEXT),
    ("reach-the-kubernetes-api", NETWORK, "connects to the Kubernetes API's service", DROPPED, POLICY),
    ("reach-the-api-on-its-node", NETWORK, "connects to the API server's port of the node", DROPPED, POLICY),
    ("reach-the-kubelet", NETWORK, "connects to the kubelet", DROPPED, POLICY),
    ("reach-etcd", NETWORK, "connects to etcd", DROPPED, ""),
    ("reach-another-accounts-pod", NETWORK, "connects to another account's pod", DROPPED, ENDS),
    ("reach-another-pod", NETWORK, "connects to a pod that admits everybody", DROPPED, POLICY),
    ("reach-the-simulators-administration", NETWORK, "connects to the simulator's admin API", DROPPED, ENDS),
    ("reach-nats-monitor", NETWORK, "connects to the monitoring port of NATS", DROPPED, ENDS),
    ("reach-nats-routes", NETWORK, "connects to NATS where its servers do", DROPPED, ENDS),
    ("reach-the-operator", NETWORK, "connects to the operator", DROPPED, ENDS),
    ("reach-dns-readiness", NETWORK, "connects to another port of the DNS servers", DROPPED, POLICY),
    ("ask-for-cloud-metadata", NETWORK, "asks the node's cloud for its identity", "no way there", ""),
    ("reach-a-node-port", NETWORK, "connects to a port of the node that leads to a Service", DROPPED, POLICY),
    ("leave-by-the-clusters-dns", NETWORK, "asks the cluster's DNS for a secret name", DROPPED, POLICY),
    ("leave-by-another-dns-server", NETWORK, "asks a DNS server of its own", DROPPED, POLICY),
)  # fmt: skip


def _reported(name: str) -> Any:
    """The attempt runs in the pod; what comes of it is in the container's log."""

    def outcome(outcomes: dict[str, Outcome]) -> Outcome:
        return outcomes[name]

    return outcome


for _name, _channel, _tries, _refusal, _guard in _ROWS:
    MATRIX.attempts.append(
        Attempt(
            _name,
            _channel,
            _tries,
            _refusal,
            (_guard,) if _guard else (),
            _reported(_name),
            _GIVEN.get(_name, ""),
        )
    )
