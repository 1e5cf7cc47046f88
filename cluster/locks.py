"""Locks between processes: several commands may want the same binary, image or cluster at once."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import ClusterError


@contextmanager
def exclusive(path: Path, timeout_s: float = 3600) -> Iterator[None]:
    """Hold the lock file `path`; the kernel frees it when the holder dies, however it dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with path.open("a") as file:
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"another command has held {path} for {timeout_s:.0f} s; wait for it or end it"
                )
            time.sleep(0.1)
        yield


def is_held(path: Path) -> bool:
    """Whether some living process holds `path`."""
    if not path.exists():
        return False
    with path.open("a") as file:
        return not _try_lock(file.fileno())


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
