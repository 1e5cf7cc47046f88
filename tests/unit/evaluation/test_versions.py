"""One version's modules give way to the next one's, and come back if that cannot be loaded."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.loading import load_module
from smarttrade.evaluation.versions import Versions, sweep
from smarttrade.source import pack, refer

MAIN = "import versioned_part\ndef told():\n    import versioned_part as part\n    return part.WORD\n"


def version(word: str, main: str = MAIN):
    return pack("mine", {"versioned_main.py": main, "versioned_part.py": f"WORD = {word!r}\n"})


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Versions]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = Versions()
    yield made
    made.close()
    for name in ("versioned_main", "versioned_part"):
        sys.modules.pop(name, None)


def load(versions: Versions, word: str, main: str = MAIN):
    with versions.change(version(word, main)) as folder:
        return load_module(folder, "versioned_main")


def test_a_new_version_brings_all_of_its_own_modules(versions: Versions, tmp_path: Path) -> None:
    first = load(versions, "one")
    assert first.told() == "one"
    assert load(versions, "two").told() == "two"
    [folder] = tmp_path.iterdir()
    assert [place for place in sys.path if place.startswith(str(tmp_path))] == [str(folder)]


def test_one_that_cannot_be_loaded_leaves_the_one_before_whole(versions: Versions, tmp_path: Path) -> None:
    first = load(versions, "one")
    search = list(sys.path)
    with pytest.raises(ConfigurationError, match="cannot be imported"):
        load(versions, "two", "import versioned_part\n1 / 0\n")
    assert first.told() == "one"
    assert importlib.import_module("versioned_main") is first
    assert sys.path == search
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_strategy_does_to_its_files_is_not_what_it_runs_next(versions: Versions) -> None:
    first = load(versions, "one")
    assert first.__file__ is not None
    Path(first.__file__).with_name("versioned_part.py").write_text("WORD = 'forged'\n")
    assert load(versions, "one").told() == "one"


def test_an_image_s_modules_are_where_the_image_has_them_and_stay_there(
    versions: Versions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "image"
    place.mkdir()
    monkeypatch.setattr("smarttrade.evaluation.versions.SOURCE_DIRECTORY", place)
    (place / "versioned_main.py").write_text(MAIN)
    (place / "versioned_part.py").write_text("WORD = 'in the image'\n")
    named = refer(f"registry.example/mine@sha256:{'a1' * 32}")
    with versions.change(named) as folder:
        assert load_module(folder, "versioned_main").told() == "in the image"
    assert named.name == "registry.example/mine@a1a1a1a1a1a1"
    versions.close()
    assert sorted(path.name for path in place.glob("*.py")) == ["versioned_main.py", "versioned_part.py"]
    assert not {"versioned_main", "versioned_part"} & sys.modules.keys()


def test_a_built_in_strategy_has_no_modules(versions: Versions, tmp_path: Path) -> None:
    load(versions, "one")
    with versions.change(None):
        pass
    assert "versioned_part" not in sys.modules
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_others_use_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = [f"strategy-{os.getpid()}-a", f"strategy-{ended.pid}-b"]
    kept = [f"strategy-{os.getppid()}-c", "strategy-mine-1", "strategy-1"]
    for name in left + kept:
        (tmp_path / name).mkdir()
    sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
