"""The cluster's containerd, spoken to from outside."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.commands import run
from cluster.errors import ClusterError
from cluster.images import layers
from cluster.node import running
from cluster.node.configuration import CONTAINERD_SOCKET
from cluster.node.layout import Instance
from cluster.paths import scratch_folder
from cluster.progress import step


def inside(instance: Instance, argv: Sequence[str]) -> list[str]:
    """`argv` as a command that runs in the cluster's mount, network and process namespaces."""
    pid = running.process_one(instance)
    if pid is None:
        raise ClusterError(f"the cluster {instance.name} does not run; start it with `python -m cluster up`")
    return ["nsenter", f"--target={pid}", "--mount", "--net", "--pid", "--", *argv]


def ctr(instance: Instance, *arguments: str) -> str:
    """Run ctr on the images and containers that the kubelet sees."""
    return run(inside(instance, ["ctr", "-a", str(CONTAINERD_SOCKET), "-n", "k8s.io", *arguments]))


def answers(instance: Instance) -> bool:
    """Whether containerd can be asked."""
    try:
        ctr(instance, "version")
    except ClusterError:
        return False
    return True


def images(instance: Instance) -> set[str]:
    """References of the images that the node has."""
    return set(ctr(instance, "images", "list", "-q").split())


def remove(instance: Instance, reference: str) -> None:
    """Remove the image, if the node has it; containers that run from it go on."""
    ctr(instance, "images", "delete", reference)


def load(instance: Instance, archives: Mapping[str, Path]) -> None:
    """Load those of `archives`, by reference, that the node lacks."""
    present = images(instance)
    for reference, archive in archives.items():
        if reference not in present:
            with step(f"load {reference}"):
                _send(instance, reference, archive)


def _send(instance: Instance, reference: str, archive: Path) -> None:
    """Send the layers that the node lacks; the rest of a whole image would take many times longer."""
    blobs = set(ctr(instance, "content", "list", "-q").split())
    with scratch_folder("layers") as folder:
        reduced = folder / "image.tar"
        layers.cut_down(archive, reduced, reference, blobs)
        ctr(instance, "images", "import", str(reduced))
