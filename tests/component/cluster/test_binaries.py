"""Programs are built from pinned modules, once, whoever asks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster import binaries, toolchain
from cluster.commands import run
from cluster.paths import REPOSITORY


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache folder without any program."""
    # Go's own cache would move along, and the standard library be compiled anew.
    monkeypatch.setenv("GOCACHE", run([toolchain.go(), "env", "GOCACHE"]).strip())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "smarttrade" / "bin"


def test_program_is_built_into_its_versioned_folder(empty_cache: Path) -> None:
    program = binaries.ensure("pause")
    assert program.parent.parent == empty_cache
    assert os.access(program, os.X_OK)
    assert [entry.name for entry in empty_cache.iterdir() if "unfinished" in entry.name] == []


def test_second_request_builds_nothing(empty_cache: Path) -> None:
    first = binaries.ensure("pause").stat()
    assert binaries.ensure("pause").stat().st_mtime_ns == first.st_mtime_ns


def test_left_over_of_a_killed_build_is_no_program(empty_cache: Path) -> None:
    half = empty_cache / f"{binaries.PROGRAMS['pause'].folder.name}.unfinished-1"
    half.mkdir(parents=True)
    (half / "pause").write_bytes(b"half")
    assert (
        subprocess.run(
            [binaries.ensure("netpol-cni")], env={"CNI_COMMAND": "VERSION"}, check=False
        ).returncode
        == 0
    )


def test_concurrent_commands_share_one_build(empty_cache: Path) -> None:
    command = [sys.executable, "-m", "cluster", "binaries", "relay"]
    running = [
        subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=200) for process in running]
    assert {out for out, _ in outputs} == {f"{binaries.PROGRAMS['relay'].path}\n"}
    assert sum("done" in progress for _, progress in outputs) == 1


def test_nats_server_is_the_pinned_version(nats_server_binary: Path) -> None:
    said = subprocess.run(
        [nats_server_binary, "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert said.strip() == f"nats-server: v{binaries.PROGRAMS['nats-server'].version}"
