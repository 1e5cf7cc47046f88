"""Running other programs: quiet when they succeed, their last words in the error when they do not."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.errors import ClusterError

_LAST_LINES = 25


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout_s: float | None = None,
) -> str:
    """Run `argv`, return its stdout; raise ClusterError with the end of its output when it fails."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise ClusterError(f"{words[0]} is not installed on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{' '.join(words)} did not end within {timeout_s} s") from error
    if done.returncode != 0:
        raise ClusterError(
            f"{' '.join(words)} failed ({done.returncode}):\n{_tail(done.stdout, done.stderr)}"
        )
    return done.stdout


def succeeds(argv: Sequence[str | Path], timeout_s: float = 30) -> bool:
    """Whether `argv` exists and ends with 0 in time."""
    try:
        run(argv, timeout_s=timeout_s)
    except ClusterError:
        return False
    return True


def _tail(stdout: str, stderr: str) -> str:
    return "\n".join((stdout + stderr).strip().splitlines()[-_LAST_LINES:])
