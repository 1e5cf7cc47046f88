import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import __main__ as harness

ROW = {
    "metric": "time",
    "unit": "s",
    "ours": 2.0,
    "reference": 1.0,
    "reference_name": "bare",
    "ratio": 2.0,
    "target": "ratio <= 2.5",
    "met": True,
}


def module(monkeypatch: pytest.MonkeyPatch, rows: object) -> None:
    made = ModuleType("made")
    made.run = lambda: rows  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "benchmarks.made", made)


def test_a_result_carries_rows_and_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    module(monkeypatch, [ROW])
    harness.run_one("made", tmp_path)
    document = json.loads((tmp_path / "made.json").read_text())
    assert document["rows"] == [ROW]
    assert document["machine"]["cores"] >= 1
    assert document["machine"]["memory_gib"] > 0


@pytest.mark.parametrize("rows", [[], {}, [{"metric": "time"}]])
def test_rows_that_are_not_complete_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rows: object
):
    module(monkeypatch, rows)
    with pytest.raises(TypeError, match="made"):
        harness.run_one("made", tmp_path)


def test_discovery_leaves_the_harness_itself_out(tmp_path: Path):
    for name in ("__main__.py", "_common.py", "log.py", "bus.py", "notes.md"):
        (tmp_path / name).touch()
    assert harness.discover(tmp_path) == ["bus", "log"]


def test_an_unknown_name_is_refused_with_what_there_is(capsys: pytest.CaptureFixture[str]):
    assert harness.main(["nothing"]) == 2
    assert "recovery" in capsys.readouterr().err


def test_a_target_that_is_missed_is_no_failure_but_a_crash_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    monkeypatch.setattr(harness, "discover", lambda: ["made"])
    monkeypatch.setattr(harness.run_one, "__defaults__", (tmp_path, "benchmarks"))
    module(monkeypatch, [ROW | {"met": False}, ROW | {"reference": None, "ratio": None, "met": None}])
    assert harness.main([]) == 0
    assert "time" in capsys.readouterr().out
    module(monkeypatch, None)
    assert harness.main(["made"]) == 1
