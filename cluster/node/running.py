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


def kill(instance: Instance, timeout_s: float = 30) -> None:
    """End every process of `instance` and wait until they are gone.

    The kernel takes process 1 out of its tables only after all others of its namespace, so it is enough to
    wait for that, but not for its command line, which it loses first.
    """
    ending: set[int] = set()
    deadline = time.monotonic() + timeout_s
    while (found := supervisors(instance)) or any(_exists(pid) for pid in ending):
        ending.update(found)
        for pid in found:
            _kill(pid)
        if time.monotonic() > deadline:
            raise ClusterError(
                f"processes {sorted(ending)} of {instance.name} do not end; see /proc/<pid>/stack"
            )
        time.sleep(0.02)


def _exists(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    # Nobody may be there to collect it, for instance in a container.
    return state != "Z"


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
