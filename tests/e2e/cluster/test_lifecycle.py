"""A cluster of its own name comes up from any state, stays up, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.images import docker, system
from cluster.kubectl import Kubectl, build_pod, eventually
from cluster.node import cgroups, running
from cluster.node.layout import Instance
from cluster.paths import REPOSITORY
from cluster.target import Origin, Target

NAME = "smarttrade-second"
WARM_START_S = 25.0
pytestmark = pytest.mark.skipif(
    docker.answers() or bool(os.environ.get("CONTEXT")),
    reason="the cluster of this machine is not made by us",
)


def call(*words: str) -> str:
    """`python -m cluster` on the second cluster."""
    done = subprocess.run(
        [sys.executable, "-m", "cluster", *words],
        env=environment(),
        cwd=REPOSITORY,
        text=True,
        capture_output=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("KUBECONFIG", "CONTEXT")}
    return {**kept, "CLUSTER_NAME": NAME}


@pytest.fixture
def instance() -> Iterator[Instance]:
    """The second cluster, not running, and removed after the test."""
    call("down")
    yield Instance(NAME)
    call("down")


def kubectl(instance: Instance) -> Kubectl:
    return Kubectl(Target(Origin.LOCAL, instance.kubeconfig, NAME))


def state() -> str:
    return str(json.loads(call("status"))["state"])


def traces() -> dict[str, object]:
    """What a cluster could leave on the host, outside its own processes and namespaces."""

    def listed(*words: str) -> list[str]:
        return sorted(subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines())

    return {
        "mounts": sorted(Path("/proc/self/mounts").read_text().splitlines()),
        "interfaces": sorted(entry.name for entry in Path("/sys/class/net").iterdir()),
        "routes": listed("ip", "route", "show", "table", "all"),
        "named network namespaces": listed("ip", "netns", "list"),
        "nftables": listed("nft", "list", "tables"),
        "cgroups": [str(folder) for folder in cgroups.folders(NAME) if folder.exists()],
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        "kernel settings": [
            Path(f"/proc/sys/{name}").read_text() for name in ("vm/overcommit_memory", "kernel/panic")
        ],
    }


def network_namespaces() -> set[str]:
    """Network namespaces in which some process lives."""
    return {found for entry in Path("/proc").iterdir() if (found := network_namespace(entry))}


def network_namespace(process: Path) -> str:
    try:
        return os.readlink(process / "ns" / "net")
    except OSError:
        return ""


def own_network_namespaces(instance: Instance) -> set[str]:
    """Those of the node and of its pods."""
    pods = {
        pid for folder in cgroups.folders(NAME) for file in folder.rglob("cgroup.procs") for pid in pids(file)
    }
    found = {network_namespace(Path("/proc") / pid) for pid in (str(running.process_one(instance)), *pods)}
    return found - {""}


def pids(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def processes_of(instance: Instance) -> set[str]:
    """Everything below process 1, as `pid start-time`, so that a reused number is not mistaken."""
    own = os.readlink(f"/proc/{running.process_one(instance)}/ns/pid")
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            if os.readlink(entry / "ns" / "pid") == own:
                found.add(identity(entry))
        except OSError:
            continue
    return found


def identity(entry: Path) -> str:
    fields = (entry / "stat").read_text().rpartition(")")[2].split()
    if fields[0] == "Z":
        raise ProcessLookupError(f"{entry.name} has ended and only waits to be collected")
    return f"{entry.name} {fields[19]}"


def is_alive(process: str) -> bool:
    try:
        return identity(Path("/proc") / process.split()[0]) == process
    except OSError:
        return False


def put_to_use(use: Kubectl) -> None:
    """A pod with limited rates and a claimed volume, and a policy: each leaves something on a node."""
    pod = build_pod("user", system.reference("pause"), ["/usr/local/bin/pause"], {})
    pod["metadata"]["annotations"] = {f"kubernetes.io/{way}-bandwidth": "8M" for way in ("ingress", "egress")}
    pod["spec"]["volumes"] = [{"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}}]
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "kept", "mountPath": "/kept"}]
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "kept"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "standard",
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }
    use.apply(claim, policy, pod)
    use.wait_ready("default", "user")


def test_nothing_is_left_of_a_cluster_that_ran_pods(instance: Instance) -> None:
    before = traces()
    call("up")
    put_to_use(kubectl(instance))
    processes, namespaces = processes_of(instance), own_network_namespaces(instance)
    assert len(processes) > 10
    assert running.supervisors(instance)
    call("down")
    assert [process for process in processes if is_alive(process)] == []
    assert running.supervisors(instance) == []
    assert traces() == before
    assert len(namespaces) >= 3, "those of the node, of its DNS pod and of one more pod"
    assert not namespaces & network_namespaces()


def test_a_warm_start_is_quick(instance: Instance) -> None:
    """A busy machine may delay it once, but not again and again."""
    taken_s = []
    for _ in range(3):
        began = time.monotonic()
        call("up")
        taken_s.append(time.monotonic() - began)
        if taken_s[-1] < WARM_START_S:
            break
        call("down")
    print("up took", [f"{seconds:.1f} s" for seconds in taken_s])
    assert min(taken_s) < WARM_START_S


def test_second_up_changes_nothing(instance: Instance) -> None:
    call("up")
    process_one = running.process_one(instance)
    call("up")
    assert running.process_one(instance) == process_one
    assert state() == "ready"


@pytest.mark.parametrize("moment", ["start the cluster", "its API server is ready", "its node is ready"])
def test_up_after_an_up_that_was_killed(instance: Instance, moment: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "cluster", "up"],
        env=environment(),
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    ) as killed:
        assert killed.stderr is not None
        assert any(moment in line for line in killed.stderr)
        killed.kill()
    call("up")
    assert state() == "ready"


def test_up_after_the_cluster_was_killed(instance: Instance) -> None:
    call("up")
    process_one = running.process_one(instance)
    assert process_one is not None
    os.kill(process_one, signal.SIGKILL)
    eventually(lambda: not running.supervisors(instance), "the cluster is dead")
    assert state() == "not running"
    call("up")
    assert state() == "ready"


def test_component_that_dies_is_started_again(instance: Instance) -> None:
    call("up")
    process_one = running.process_one(instance)
    children = Path(f"/proc/{process_one}/task/{process_one}/children").read_text().split()
    servers = [pid for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "kube-apiserver"]
    assert len(servers) == 1
    os.kill(int(servers[0]), signal.SIGKILL)
    use = kubectl(instance)
    eventually(
        lambda: use.succeeds("get", "namespace", "default", timeout_s=10), "the API server answers again"
    )
    eventually(lambda: state() == "ready", "the node is ready again", every_s=0.5)
