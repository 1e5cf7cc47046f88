"""Child processes with a log file each, that die with the process that started them."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def start(
    name: str,
    argv: Sequence[str],
    log_folder: Path,
    inherited: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `argv` with its output appended to `<log_folder>/<name>.log`, and the `inherited` descriptors.

    `environment` is added to this process's own.
    """
    with (log_folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            pass_fds=list(inherited),
            preexec_fn=die_with_parent,
        )


def die_with_parent() -> None:
    """In the child: ask for SIGKILL when the parent thread ends, so that a killed test leaves nothing."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def stop(process: subprocess.Popen[bytes], grace_s: float = 5) -> None:
    """Ask `process` to end, then make it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def last_words(log: Path, lines: int = 15) -> str:
    """The end of a log file, for an error message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"
