"""A recorded stream gives the same decisions, whenever and by whichever Python it is replayed."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from smarttrade.strategies import BUILT_IN

ROOT = Path(__file__).parents[3]
SCRIPT = "tests.component.evaluation.replayed"


def replay(python: Path | str, *options: str, seed: str = "0") -> bytes:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'runtime'}", "PYTHONHASHSEED": seed}
    done = subprocess.run(
        [str(python), "-m", SCRIPT, *options], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    return done.stdout


def pythons() -> list[Path]:
    """Interpreters of supported versions: this one, and what others the machine has on the path, or beside
    pyenv's."""
    folders = [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if "shims" not in part]
    folders += sorted((Path.home() / ".pyenv" / "versions").glob("*/bin"))
    here = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    found = {sys.version_info.minor: here}
    for minor in range(11, 16):
        every = [folder / f"python3.{minor}" for folder in folders]
        if existing := [path for path in every if path.exists()]:
            found.setdefault(minor, existing[0])
    return list(found.values())


def prepared(python: Path) -> Path:
    """An environment of that Python in the cache, with what the decisions need."""
    wanted = f"msgspec=={version('msgspec')}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "smarttrade" / "pythons" / f"{python.name}-{wanted}"
    inside, mark = home / "bin" / "python", home / "installed"
    if not mark.exists():
        subprocess.run([str(python), "-m", "venv", "--clear", str(home)], check=True)
        install = [str(inside), "-m", "pip", "install", "-q", "--only-binary", ":all:", wanted]
        subprocess.run(install, check=True)
        mark.touch()
    return inside


def test_two_replays_are_the_same_to_the_byte() -> None:
    first, second = replay(sys.executable, seed="1"), replay(sys.executable, seed="2")
    assert first == second
    for name in BUILT_IN:
        assert first.count(f'"strategy":"{name}"'.encode()) >= 10, f"{name} decided too little to compare"


@pytest.mark.parametrize("python", pythons(), ids=lambda path: path.name)
def test_a_python_with_nothing_but_the_decoder_decides_the_same_after_rounding(python: Path) -> None:
    assert replay(prepared(python), "--rounded") == replay(sys.executable, "--rounded")
