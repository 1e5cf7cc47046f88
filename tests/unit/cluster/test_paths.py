"""What a killed command leaves in the cache folder is neither believed nor kept."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.paths import scratch_folder, write_at_once


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "smarttrade"


def test_scratch_folders_go_with_their_block() -> None:
    with scratch_folder("test") as folder:
        (folder / "file").write_text("content")
    assert not folder.exists()


def test_folders_of_killed_commands_are_removed_and_those_of_living_ones_stay(own_cache: Path) -> None:
    code = "import os; from cluster.paths import scratch_folder as s; x = s('x'); x.__enter__(); os._exit(9)"
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": os.getcwd()}, check=False)
    assert len(list((own_cache / "scratch").iterdir())) == 1
    with scratch_folder("outer") as outer, scratch_folder("inner") as inner:
        assert {each.name for each in (own_cache / "scratch").iterdir()} == {outer.name, inner.name}


def test_a_file_is_replaced_at_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "keys.json"
    write_at_once(path, "old")
    write_at_once(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["keys.json"]
