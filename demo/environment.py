"""Where the demonstration runs: the cluster and the images that `cluster` provides."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster import clusters
from cluster.commands import run
from cluster.errors import ClusterError
from cluster.images import platform
from cluster.paths import cache_folder
from cluster.target import Origin, Target, target

_KIND_FOLDER = "/smarttrade-data"


def ready_cluster() -> Target:
    """The chosen cluster, started when it does not run."""
    where = target()
    if where.origin is not Origin.LOCAL or clusters.is_there(where):
        clusters.up(where)
        return where
    with ThreadPoolExecutor(1) as beside:
        # On a bare machine Debian's packages arrive while the programs are built; `build_images` asks again.
        beside.submit(platform.base_image, use_docker=False)
        clusters.up(where)
    return where


def build_images(where: Target, recording: Path | None) -> dict[str, str]:
    """Short name -> reference; the image with the research libraries comes only where Parquet needs it."""
    return platform.bring(where, research=recording is not None and recording.suffix.lower() != ".csv")


def place_recording(where: Target, source: Path) -> str:
    """Bring the file to the cluster's node; the folder in which the node finds it under its own name."""
    if where.origin is Origin.LOCAL:
        folder = cache_folder() / "demo" / "data"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / source.name).write_bytes(source.read_bytes())
        return str(folder)
    if where.origin is Origin.KIND:
        node = f"{where.context.removeprefix('kind-')}-control-plane"
        run(["docker", "exec", node, "mkdir", "-p", _KIND_FOLDER])
        run(["docker", "cp", str(source), f"{node}:{_KIND_FOLDER}/{source.name}"])
        # Owner and mode came along, but the exchange runs as a user of its own.
        run(["docker", "exec", node, "chmod", "a+r", f"{_KIND_FOLDER}/{source.name}"])
        return _KIND_FOLDER
    raise ClusterError(f"DATA needs a cluster that was made here; {where.context} was not: leave DATA out")
