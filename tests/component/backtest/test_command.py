from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

from tests.unit.backtest.recordings import account, random_walk


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "smarttrade.cli.main", "backtest", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def prepare(folder: Path) -> tuple[Path, Path]:
    manifest, data = folder / "account.yaml", folder / "candles.csv"
    written = account(parameters={"fast": 3, "slow": 8}).model_dump(
        mode="json", by_alias=True, exclude_unset=True
    )
    manifest.write_text(yaml.safe_dump(written))
    rows = [f"{c.open_ms},{c.open},{c.high},{c.low},{c.close},{c.volume}" for c in random_walk(400)]
    data.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    return manifest, data


def test_the_command_prints_a_table_and_writes_the_result(tmp_path: Path) -> None:
    manifest, data = prepare(tmp_path)
    result = tmp_path / "result.json"
    done = run(str(manifest), "--data", str(data), "--fees", "0.0002,0.0004", "--json", str(result))
    assert done.returncode == 0, done.stderr
    assert "Sharpe" in done.stdout
    assert "fees 0.0002 maker, 0.0004 taker" in done.stdout
    assert "fill model" in done.stdout
    document = json.loads(result.read_text())
    assert document["metrics"]["trades"] == sum(trip["profit"] is not None for trip in document["trips"]) > 0
    assert document["equity"][-1][1] == document["metrics"]["equity_end"]


def test_what_cannot_be_used_is_said_in_one_sentence(tmp_path: Path) -> None:
    manifest, data = prepare(tmp_path)
    done = run(str(manifest), "--data", str(tmp_path / "missing.csv"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    done = run(str(manifest), "--data", str(data), "--from", "soon")
    assert done.returncode == 2
    assert "--from 'soon' is no date" in done.stderr
