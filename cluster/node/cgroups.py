"""The cgroup under which a cluster's pods live, in every hierarchy of this machine."""

import os
import time
from pathlib import Path

from cluster.errors import ClusterError

ROOT = Path("/sys/fs/cgroup")
_NEEDED = ("cpu", "cpuset", "memory", "pids")


def folders(name: str, root: Path = ROOT) -> list[Path]:
    """Where the cgroup `name` is or would be: once with cgroup v2, once a controller with v1."""
    if (root / "cgroup.controllers").exists():
        return [root / name]
    return [hierarchy / name for hierarchy in sorted(root.iterdir()) if (hierarchy / "cgroup.procs").exists()]


def create(name: str) -> None:
    """Make the cgroup; with v2 also pass on the controllers that the kubelet insists on."""
    if (ROOT / "cgroup.controllers").exists():
        for controller in _NEEDED:
            (ROOT / "cgroup.subtree_control").write_text(f"+{controller}")
    for folder in folders(name):
        folder.mkdir(exist_ok=True)


def remove(name: str, timeout_s: float = 20) -> None:
    """Remove the cgroup and everything in it; its processes must be dead or dying."""
    deadline = time.monotonic() + timeout_s
    for folder in folders(name):
        while not _is_removed(folder):
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"cgroup {folder} is still in use; see the processes in its cgroup.procs files"
                )
            time.sleep(0.05)


def _is_removed(folder: Path) -> bool:
    for place, _, _ in os.walk(folder, topdown=False):
        try:
            os.rmdir(place)
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True
