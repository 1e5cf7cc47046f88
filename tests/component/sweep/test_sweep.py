"""`smarttrade sweep` as a program: killed and gone on with, on any number of workers, on any search."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.unit.backtest.recordings import account, random_walk

BARS = 600


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sweep")
    manifest = account().model_dump(mode="json", by_alias=True, exclude_unset=True)
    (made / "account.yaml").write_text(yaml.safe_dump(manifest))
    rows = [f"{c.open_ms},{c.open},{c.high},{c.low},{c.close},{c.volume}" for c in random_walk(BARS)]
    (made / "candles.csv").write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    return made


def command(folder: Path, out: Path, *more: str) -> list[str]:
    program = [sys.executable, "-m", "smarttrade.cli.main", "sweep", str(folder / "account.yaml")]
    data = ["--data", str(folder / "candles.csv"), "--out", str(out), "--folds", "2"]
    return [*program, *data, "--parameter", "fast=2:5:1", "--parameter", "slow=8,12", *more]


def run(folder: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, out, *more), capture_output=True, text=True, timeout=240, check=False
    )


def verdict(done: subprocess.CompletedProcess[str]) -> str:
    """What is printed after the progress, which depends on the time it took."""
    return done.stdout[done.stdout.index("best of") :]


def rows(path: Path) -> list[tuple[str, ...]]:
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT * FROM runs ORDER BY candidate, fold").fetchall()


def test_a_killed_sweep_goes_on_and_ends_as_one_that_was_not(folder: Path, tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed.sqlite", tmp_path / "whole.sqlite"
    process = subprocess.Popen(
        command(folder, killed, "--workers", "1"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    deadline = time.monotonic() + 120
    while not (killed.exists() and _count(killed) >= 2):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)
    done = rows(killed)
    assert 2 <= len(done) < 16

    page = tmp_path / "sweep.html"
    again = run(folder, killed, "--workers", "2", "--report", str(page))
    assert again.returncode == 0, again.stderr
    other = run(folder, whole, "--workers", "1")
    assert other.returncode == 0, other.stderr
    assert rows(killed) == rows(whole)
    assert len(rows(whole)) == 16
    assert set(done) <= set(rows(whole))
    assert verdict(again) == verdict(other)
    assert "best of 8 in sample" in again.stdout
    assert "out of sample" in page.read_text()


def _count(path: Path) -> int:
    try:
        return len(rows(path))
    except sqlite3.Error:
        return 0


def test_a_search_is_the_same_for_the_same_seed(folder: Path, tmp_path: Path) -> None:
    more = ["--trials", "10", "--seed", "3"]
    one = run(folder, tmp_path / "one.sqlite", *more, "--workers", "1")
    two = run(folder, tmp_path / "two.sqlite", *more, "--workers", "2")
    assert one.returncode == 0, one.stderr
    assert rows(tmp_path / "one.sqlite") == rows(tmp_path / "two.sqlite")
    assert verdict(one) == verdict(two)


def test_what_cannot_be_swept_is_said(folder: Path, tmp_path: Path) -> None:
    done = run(folder, tmp_path / "x.sqlite", "--parameter", "nope=1:2")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no parameter 'nope'" in done.stderr
