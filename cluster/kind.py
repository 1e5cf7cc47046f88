"""The local cluster where a Docker engine answers: kind, with a kubeconfig file of its own.

The user's ~/.kube/config is never written. KIND_NODE_IMAGE replaces the node image that kind would pull.
"""

import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from cluster import binaries, kind_bandwidth
from cluster.commands import run, succeeds
from cluster.errors import ClusterError
from cluster.locks import exclusive
from cluster.paths import cache_folder
from cluster.progress import say, step

CONFIGURATION = Path(__file__).with_name("kind.yaml")
_COMES_BACK_WITHIN_S = 90
# On a node: kind got to the end. Killed before, it leaves clusters that are ready and yet run no pods.
_COMPLETE = "/kind/smarttrade-complete"


def kubeconfig(name: str) -> Path:
    """Where the kubeconfig of the kind cluster `name` is or will be."""
    return cache_folder() / "cluster" / f"kind-{name}" / "kubeconfig"


def up(name: str) -> None:
    """Create the cluster; nothing happens when it runs, and one that was stopped is started again."""
    with exclusive(kubeconfig(name).with_name("lock")):
        if name in clusters() and not _comes_back(name):
            say(f"the kind cluster {name} exists but is not whole: making it anew")
            run(delete_words(kind_program(), name))
        if name not in clusters():
            with step(f"create the kind cluster {name}"):
                run(create_words(kind_program(), name, os.environ))
            _on_every_node(name, "touch", _COMPLETE)
        for node in nodes(name):
            kind_bandwidth.enable(node)


def down(name: str) -> None:
    """Delete the cluster."""
    with exclusive(kubeconfig(name).with_name("lock")), step(f"delete the kind cluster {name}"):
        run(delete_words(kind_program(), name))
        kubeconfig(name).unlink(missing_ok=True)


def load(name: str, references: Sequence[str]) -> None:
    """Load images of the Docker engine into the cluster's nodes."""
    run([kind_program(), "load", "docker-image", f"--name={name}", *references])


def lacking(name: str, references: Sequence[str]) -> list[str]:
    """Those of `references`, short as Docker shows them, that some node does not have under that name."""
    return absent(references, [_ctr(node, "list", "--quiet").split() for node in nodes(name)])


def absent(references: Sequence[str], present: Sequence[Collection[str]]) -> list[str]:
    """Those of `references` that are missing on a node; `present` holds each node's, as containerd lists."""
    return [each for each in references if not all(_long(each) in images for images in present)]


def remove(name: str, reference: str) -> None:
    """Remove the image from the nodes that have it; containers that run from it go on."""
    for node in nodes(name):
        _ctr(node, "delete", _long(reference))


def nodes(name: str) -> list[str]:
    """The containers of the Docker engine that are the cluster's nodes."""
    return run([kind_program(), "get", "nodes", f"--name={name}"]).split()


def _ctr(node: str, *arguments: str) -> str:
    return run(["docker", "exec", node, "ctr", "--namespace=k8s.io", "images", *arguments])


def _long(reference: str) -> str:
    return f"docker.io/library/{reference}"


def clusters() -> set[str]:
    """Names of all kind clusters of the engine."""
    return set(run([kind_program(), "get", "clusters", "--quiet"]).split())


def is_ready(name: str) -> bool:
    """Whether the nodes of the cluster are ready now."""
    export = ["export", "kubeconfig", f"--name={name}", f"--kubeconfig={kubeconfig(name)}"]
    wait = ["wait", "--for=condition=Ready", "node", "--all", "--timeout=5s"]
    return succeeds([kind_program(), *export]) and succeeds(
        [binaries.ensure("kubectl"), f"--kubeconfig={kubeconfig(name)}", *wait]
    )


def _comes_back(name: str) -> bool:
    """Whether what is there gets ready; an engine that was restarted leaves the nodes stopped."""
    try:
        run(["docker", "start", *nodes(name)])
        _on_every_node(name, "test", "-e", _COMPLETE)
    except ClusterError:
        return False
    deadline = time.monotonic() + _COMES_BACK_WITHIN_S
    while not is_ready(name) and time.monotonic() < deadline:
        time.sleep(1)
    return is_ready(name)


def _on_every_node(name: str, *words: str) -> None:
    for node in nodes(name):
        run(["docker", "exec", node, *words])


def create_words(program: Path, name: str, environment: Mapping[str, str]) -> list[str]:
    """The command line that creates the cluster."""
    image = environment.get("KIND_NODE_IMAGE")
    return [
        str(program),
        "create",
        "cluster",
        f"--name={name}",
        f"--config={CONFIGURATION}",
        f"--kubeconfig={kubeconfig(name)}",
        "--wait=180s",
        *([f"--image={image}"] if image else []),
    ]


def delete_words(program: Path, name: str) -> list[str]:
    """The command line that deletes the cluster."""
    return [str(program), "delete", "cluster", f"--name={name}", f"--kubeconfig={kubeconfig(name)}"]


def kind_program() -> Path:
    """The kind executable."""
    return binaries.ensure("kind")
