"""Finding and ending the processes of one cluster from outside.

They are found by the exact command line of process 1 and of the `unshare` before it, so nothing has to
be remembered: a killed `up`, a reboot or a lost file changes nothing.
"""

import os
import signal
import time
from pathlib import Path

from cluster.errors import ClusterError
from cluster.node.layout import Instance

SUPERVISOR = "cluster.node.supervisor"


def supervisors(instance: Instance, proc: Path = Path("/proc")) -> list[int]:
    """Process ids, on the host, of process 1 of `instance` and of what started it."""
    wanted = [SUPERVISOR, instance.name, str(instance.folder)]
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit() and _has(entry, wanted)]


def process_one(instance: Instance) -> int | None:
    """Process 1 as the host sees it; None when the cluster does not run."""
    own_namespace = os.readlink("/proc/self/ns/pid")
    for pid in supervisors(instance):
        try:
            if os.readlink(f"/proc/{pid}/ns/pid") != own_namespace:
                return pid
        except OSError:
            continue
    return None


def kill(instance: Instance, timeout_s: float = 30) -> bool:
    """End every process of `instance` and wait until they are gone; False when there was none."""
    found = supervisors(instance)
    deadline = time.monotonic() + timeout_s
    while pids := supervisors(instance):
        for pid in pids:
            _kill(pid)
        if time.monotonic() > deadline:
            raise ClusterError(f"processes {pids} of {instance.name} do not end; see /proc/<pid>/stack")
        time.sleep(0.05)
    return bool(found)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _has(entry: Path, wanted: list[str]) -> bool:
    try:
        words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words)))
