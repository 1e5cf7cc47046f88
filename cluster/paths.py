"""Where the cluster keeps what outlives the checkout: one cache folder for all checkouts of a user."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def cache_folder() -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/smarttrade`, made when absent."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(home) / "smarttrade"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """A folder for the time of the block; what commands that were killed have left there goes first."""
    home = cache_folder() / "scratch"
    home.mkdir(exist_ok=True)
    for left in home.iterdir():
        if not Path("/proc", left.name.partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{os.getpid()}-{purpose}-", dir=home) as name:
        yield Path(name)


def write_at_once(path: Path, text: str) -> None:
    """Write a file that only its owner reads; whoever is killed meanwhile leaves the old content, or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        file.write(text)
    os.replace(file.name, path)
