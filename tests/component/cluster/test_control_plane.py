"""The bare control plane behaves like a Kubernetes without nodes."""

import os
import subprocess
import time
from collections.abc import Callable

from cluster import binaries
from cluster.api import Api, ApiRefused
from cluster.controlplane import ControlPlane

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace"}


def eventually(condition: Callable[[], bool], within_s: float = 60) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def is_gone(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except ApiRefused as refusal:
        return refusal.status == 404
    return False


def test_kubectl_works_with_the_kubeconfig(control_plane: ControlPlane) -> None:
    kubectl = binaries.ensure("kubectl")
    done = subprocess.run(
        [kubectl, "--kubeconfig", control_plane.kubeconfig, "get", "namespace", "default", "-o", "name"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "namespace/default\n"


def test_deleting_a_namespace_deletes_its_content(control_plane: ControlPlane) -> None:
    api = Api(control_plane.kubeconfig)
    path = "/api/v1/namespaces/short-lived"
    api.apply(path, {**NAMESPACE, "metadata": {"name": "short-lived"}})
    api.apply(
        f"{path}/configmaps/note",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "note"}, "data": {"a": "b"}},
    )
    api.call("DELETE", path)
    assert eventually(lambda: is_gone(api, path))


def test_dependents_of_a_deleted_owner_are_collected(control_plane: ControlPlane) -> None:
    api = Api(control_plane.kubeconfig)
    folder = "/api/v1/namespaces/default/configmaps"
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}}
    api.apply(f"{folder}/owner", owner)
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": api.get(f"{folder}/owner")["metadata"]["uid"],
    }
    dependent = {"name": "dependent", "ownerReferences": [reference]}
    api.apply(f"{folder}/dependent", {**owner, "metadata": dependent})
    api.call("DELETE", f"{folder}/owner")
    assert eventually(lambda: is_gone(api, f"{folder}/dependent"))


def test_stopping_leaves_neither_processes_nor_files() -> None:
    control_plane = ControlPlane(controllers=False)
    folder = control_plane.folder
    pids = [process.pid for process in control_plane._processes.values()]
    assert len(pids) == 2
    control_plane.stop()
    assert not folder.exists()
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
