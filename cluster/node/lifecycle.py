"""Starting, looking at and removing a cluster, from the host.

A cluster lives as long as its process 1. After that nothing of it is repaired: it is removed and started
anew, with the images that it had.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from cluster import binaries
from cluster.api import Api, ApiRefused, ApiUnavailable
from cluster.errors import ClusterError
from cluster.images import system
from cluster.locks import exclusive
from cluster.node import cgroups, containerd, running, system_packages
from cluster.node.configuration import build_manifests
from cluster.node.layout import Instance
from cluster.node.plan import PROGRAMS
from cluster.node.preparation import prepare
from cluster.node.running import SUPERVISOR
from cluster.paths import REPOSITORY
from cluster.processes import last_words
from cluster.progress import say, step

_USUAL_PORT = 16443


def build() -> None:
    """Install and build what a cluster consists of, as far as it is missing."""
    system_packages.require_system()
    system_packages.install_missing()
    for name in PROGRAMS:
        binaries.ensure(name)
    for name in system.CLUSTER:
        system.archive(name)


def up(instance: Instance) -> None:
    """Bring the cluster up; nothing happens when it is."""
    system_packages.require_system()
    with exclusive(instance.command_lock):
        if is_ready(instance):
            return
        if running.supervisors(instance) and _is_completed(instance):
            return
        _remove(instance)
        build()
        with step(f"start the cluster {instance.name}"):
            _start(instance)
            _complete(instance, timeout_s=180)


def _is_completed(instance: Instance) -> bool:
    """Finish what a killed `up` began, or wait for a cluster that is only slow; False when neither helps."""
    try:
        with step(f"the cluster {instance.name} runs but is not ready: wait for it"):
            _complete(instance, timeout_s=60)
    except ClusterError as error:
        say(f"{error}\nstarting it anew")
        return False
    return True


def _complete(instance: Instance, timeout_s: float) -> None:
    archives = {system.reference(name): system.archive(name) for name in system.CLUSTER}
    api = Api(instance.kubeconfig)
    _await(instance, "its API server is ready", api.is_ready, timeout_s)
    _await(instance, "its containerd is ready", lambda: containerd.answers(instance), timeout_s)
    containerd.load(instance, archives)
    for path, manifest in build_manifests(system.reference("coredns")).items():
        api.apply(path, dict(manifest))
    _await(instance, "its node is ready", lambda: _is_node_ready(instance), timeout_s)
    _await(instance, "its DNS is ready", lambda: is_ready(instance), timeout_s)


def down(instance: Instance) -> None:
    """Remove the cluster; the cached programs and images stay."""
    with exclusive(instance.command_lock), step(f"remove the cluster {instance.name}"):
        _remove(instance)
        instance.kubeconfig.unlink(missing_ok=True)


def is_ready(instance: Instance) -> bool:
    """Whether the cluster runs, its node is ready and its DNS answers."""
    if not instance.kubeconfig.exists() or running.process_one(instance) is None:
        return False
    try:
        path = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
        status = Api(instance.kubeconfig).get(path).get("status", {})
    except (ApiUnavailable, ApiRefused):
        return False
    return bool(status.get("readyReplicas")) and _is_node_ready(instance)


def _remove(instance: Instance) -> None:
    running.kill(instance)
    cgroups.remove(instance.name)


def _start(instance: Instance) -> None:
    listener = _listen()
    prepare(instance, listener.getsockname()[1])
    folder, descriptor = str(instance.folder), listener.fileno()
    inside = [sys.executable, "-m", SUPERVISOR, instance.name, folder, str(descriptor)]
    with listener, (instance.logs / "supervisor.log").open("ab") as log:
        subprocess.Popen(
            [*_NAMESPACES, *inside],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[descriptor],
            start_new_session=True,
        )


_NAMESPACES = [
    "unshare",
    "--mount",
    "--propagation=private",
    "--uts",
    "--ipc",
    "--net",
    "--pid",
    "--fork",
    "--kill-child=SIGKILL",
    "--mount-proc",
]


def _listen() -> socket.socket:
    """A socket on the host's loopback: the usual port, or any when that one is taken."""
    for port in (_USUAL_PORT, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
            continue
        listener.listen(256)
        return listener
    raise ClusterError("no free port on 127.0.0.1 for the API server")


def _await(instance: Instance, goal: str, condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if not running.supervisors(instance) or time.monotonic() > deadline:
            words = last_words(instance.logs / "supervisor.log")
            raise ClusterError(
                f"the cluster ended or took too long until {goal}; see {instance.logs}:\n{words}"
            )
        time.sleep(0.1)
    say(f"  {goal}")


def _is_node_ready(instance: Instance) -> bool:
    try:
        node = Api(instance.kubeconfig).get(f"/api/v1/nodes/{instance.name}")
    except (ApiUnavailable, ApiRefused):
        return False
    conditions = {each["type"]: each["status"] for each in node["status"].get("conditions", [])}
    return conditions.get("Ready") == "True"
