"""The strategy author's guide: its commands, in their order, as they stand in `docs/strategies.md`."""

import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component.cli.test_run import Run
from tests.unit.backtest.recordings import random_walk

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
MINUTES = 600


def commands(start: str) -> list[list[str]]:
    """The lines of the one shell block that begins with `start`, with this repository's programs."""
    [block] = [found for found in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if found.startswith(start)]
    lines = [shlex.split(line) for line in block.splitlines()]
    return [[str(ROOT / first) if first.startswith(".venv/") else first, *rest] for first, *rest in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a newcomer stands: a recording, and nothing else."""
    made = tmp_path_factory.mktemp("newcomer")
    rows = [f"{c.open_ms},{c.open},{c.high},{c.low},{c.close},{c.volume}" for c in random_walk(MINUTES)]
    (made / "candles.csv").write_text("time,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    return made


@pytest.fixture(scope="module")
def made(folder: Path) -> Path:
    """Where the guide's strategy has been made."""
    new, *_ = commands(".venv/bin/smarttrade strategy new")
    done = subprocess.run(new, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(new)}\n{done.stdout}{done.stderr}"
    return folder


@pytest.fixture
def running(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Run]]:
    monkeypatch.chdir(made)
    runs: list[Run] = []
    yield runs
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()


def test_a_strategy_is_made_checked_and_backtested(made: Path) -> None:
    _, check, backtest = commands(".venv/bin/smarttrade strategy new")
    for command in (check, backtest):
        done = subprocess.run(command, cwd=made, capture_output=True, text=True)
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
    assert "equity at the end" in done.stdout
    assert (made / "mean-cross" / "account.yaml").exists()


def test_it_trades_on_paper_without_kubernetes(
    running: list[Run], nats_server_binary: Path, tmp_path: Path
) -> None:
    [command] = commands(".venv/bin/smarttrade run")
    run = Run.of(command, tmp_path / "state", nats_server_binary)
    running.append(run)
    run.wait_for(lambda: run.leader, "a pod leads")
    run.process.send_signal(signal.SIGINT)
    assert run.finish() == 0, run.output
