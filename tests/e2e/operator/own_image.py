"""An image of a strategy's own: the platform's runtime and one module more, on the node under its digest.

A registry would give the digest; here the node's containerd is asked which one it has computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster import kind
from cluster.commands import run
from cluster.images import buildah, docker
from cluster.images.context import digest_of
from cluster.node import containerd
from cluster.node.layout import Instance
from cluster.paths import scratch_folder
from cluster.target import Origin, Target
from smarttrade.evaluation.loading import SOURCE_DIRECTORY

REPOSITORY = "localhost/strategies"


@contextmanager
def own_image(where: Target, runtime: str, name: str, module: str) -> Iterator[str]:
    """The image with `mine.py`, as `strategy.source.image` names it, for as long as the block lasts."""
    if where.origin is Origin.GIVEN:
        pytest.skip("a cluster that was not made here takes images from its registry alone")
    with scratch_folder("own-image") as folder:
        (folder / "mine.py").write_text(module)
        base = runtime if where.origin is Origin.KIND else f"docker.io/library/{runtime}"
        (folder / "Dockerfile").write_text(f"FROM {base} AS own\nCOPY mine.py {SOURCE_DIRECTORY}/\n")
        tag = digest_of(sorted(folder.iterdir()), root=folder)
        reference = f"{REPOSITORY}/{name}:{tag}"
        if where.origin is Origin.KIND:
            yield from _on_kind(where.context.removeprefix("kind-"), folder, reference)
        else:
            yield from _on_ours(Instance(where.context), folder, reference)


def _on_ours(instance: Instance, folder: Path, reference: str) -> Iterator[str]:
    def ctr(*words: str) -> str:
        return containerd.ctr(instance, "images", *words)

    archive = folder.with_suffix(".tar")
    buildah.build(folder, reference)
    buildah.save(reference, archive)
    containerd.load(instance, {reference: archive})
    archive.unlink()
    pinned = _pin(reference, ctr("list", f"name=={reference}"))
    try:
        ctr("tag", "--force", reference, pinned)
        yield pinned
    finally:
        ctr("delete", reference, pinned)
        buildah.remove(reference)


def _on_kind(cluster: str, folder: Path, reference: str) -> Iterator[str]:
    docker.build(folder, reference, "own", {})
    kind.load(cluster, [reference])
    nodes = [["docker", "exec", node, "ctr", "--namespace=k8s.io", "images"] for node in kind.nodes(cluster)]
    [pinned] = {_pin(reference, run([*ctr, "list", f"name=={reference}"])) for ctr in nodes}
    try:
        for ctr in nodes:
            run([*ctr, "tag", "--force", reference, pinned])
        yield pinned
    finally:
        for ctr in nodes:
            run([*ctr, "delete", reference, pinned])
        docker.remove(reference)


def _pin(reference: str, listed: str) -> str:
    """By its digest, which is the third word of containerd's line."""
    [row] = [line.split() for line in listed.splitlines() if line.startswith(f"{reference} ")]
    return f"{reference.rpartition(':')[0]}@{row[2]}"
