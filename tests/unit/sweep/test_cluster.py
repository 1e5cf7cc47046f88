"""The parts of a sweep that pods run, without pods."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
import yaml
from rich.console import Console

from smarttrade.api.backtest import BacktestSpec
from smarttrade.errors import ConfigurationError
from smarttrade.sweep import __main__ as entry
from smarttrade.sweep.cluster import (
    MESSAGE_LIMIT,
    Folders,
    build_message,
    read_options,
    run_collector,
    run_shard,
)
from smarttrade.sweep.command import build_plan, run_sweep
from smarttrade.sweep.judge import Row, Verdict
from smarttrade.sweep.parquet import read_outcomes
from smarttrade.sweep.results import Results, build_fingerprint
from tests.unit.backtest.recordings import account, random_walk

SPEC: dict[str, Any] = {
    "account": "carol",
    "data": {"volume": {"claimName": "candles"}},
    "results": {"claimName": "results"},
    "parameters": ["fast=2,3", "slow=8"],
    "objective": "ProfitFactor",
    "folds": 1,
    "shards": 3,
}


RAISES = """
from smarttrade import Parameter, Strategy


class Raises(Strategy):
    hold = Parameter(2, minimum=2, maximum=9)

    def on_candle(self, candle):
        raise ValueError("of the strategy's own")
"""


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(*(tmp_path / name for name in ("settings", "data", "source", "results", "message")))
    for folder in (made.settings, made.data):
        folder.mkdir()
    rows = [f"{c.open_ms},{c.open},{c.high},{c.low},{c.close},{c.volume}" for c in random_walk(400)]
    (made.data / "BTC-USDT.csv").write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows))
    manifest = account().model_dump(mode="json", by_alias=True, exclude_unset=True)
    (made.settings / "account.yaml").write_text(yaml.safe_dump(manifest))
    write(made)
    return made


def write(folders: Folders, **changes: Any) -> None:
    spec = BacktestSpec.model_validate({**SPEC, **changes})
    (folders.settings / "backtest.json").write_text(spec.model_dump_json(by_alias=True, exclude_none=True))


def test_the_object_says_what_the_options_of_the_command_say(folders: Folders) -> None:
    costs = {"makerFee": "0.0002", "takerFee": "0.0007", "latencyMilliseconds": 9}
    write(folders, **{"from": "2022-01-01T03:00", "costs": costs, "seed": 5, "timeframe": "5m"})
    _, options = read_options(folders)
    assert options.objective == "profit_factor"
    assert (options.backtest.fees, options.backtest.latency_ms) == ("0.0002,0.0007", 9)
    assert (options.backtest.begin, options.backtest.end, options.seed) == ("2022-01-01T03:00", None, 5)
    assert options.backtest.timeframe == "5m"


def test_shards_together_are_the_sweep_and_the_collector_leaves_one_file(folders: Folders) -> None:
    made = {run_shard(folders, 0, index) for index in range(3)}
    assert len(made) == 3
    told = run_collector(folders, "sweep")
    assert json.loads(folders.message.read_text()) == told
    assert told["candidates"] == 2
    assert sorted(path.name for path in folders.results.iterdir()) == ["sweep.html", "sweep.parquet"]
    outcomes = list(read_outcomes(folders.results / "sweep.parquet"))
    assert [outcome.candidate["fast"] for outcome in outcomes] == [2, 3]


def test_a_shard_that_is_there_is_not_run_again_and_one_of_another_question_is(folders: Folders) -> None:
    path = run_shard(folders, 0, 0)
    written = path.stat().st_mtime_ns
    assert run_shard(folders, 0, 0) == path
    assert path.stat().st_mtime_ns == written
    for change in ({"costs": {"takerFee": "0.01"}}, {"shards": 4}, {"steps": 3}):
        write(folders, **change)
        assert run_shard(folders, 0, 0) != path
    write(folders)
    assert run_shard(replace(folders, run="another"), 0, 0) != path


def test_a_search_in_rounds_of_shards_is_the_search_of_one_process(folders: Folders, tmp_path: Path) -> None:
    write(folders, parameters=["fast=2:6", "slow=8:20"], trials=18, seed=4, folds=2, objective="Return")
    for number in range(3):
        for index in reversed(range(3)):
            run_shard(folders, number, index)
    told = run_collector(folders, "sweep")
    _, options = read_options(folders)
    alone = replace(options, workers=1, out=tmp_path / "alone.sqlite")
    verdict = run_sweep(alone, Console(quiet=True))
    plan = build_plan(alone)
    fingerprint = build_fingerprint(plan.work, [axis.name for axis in plan.axes])
    with Results.open(alone.out, fingerprint) as results:
        expected = list(results.all())
    found = list(read_outcomes(folders.results / "sweep.parquet"))
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    assert 18 >= told["candidates"] == len(verdict.rows) > 8
    assert told == build_message(verdict, "sweep.parquet")


def test_a_round_that_lacks_the_one_before_says_so(folders: Folders) -> None:
    write(folders, parameters=["fast=2:6", "slow=8:20"], trials=9)
    run_shard(folders, 0, 1)
    with pytest.raises(ConfigurationError, match=r"000-0000.parquet, .*000-0002.parquet are not there"):
        run_shard(folders, 1, 0)


def test_parts_that_were_abandoned_long_ago_go_and_what_is_the_users_stays(folders: Folders) -> None:
    old, mine = folders.results / ".shard-0-0-0.parquet", folders.results / "shard-notes.txt"
    for index in range(3):
        run_shard(folders, 0, index)
    for path in (old, mine):
        path.touch()
        os.utime(path, (0, 0))
    run_collector(folders, "sweep")
    assert not old.exists()
    assert mine.exists()


def test_every_run_tells_its_fold_and_both_samples(folders: Folders) -> None:
    write(folders, folds=2)
    for index in range(3):
        run_shard(folders, 0, index)
    run_collector(folders, "sweep")
    rows = parquet.read_table(folders.results / "sweep.parquet").to_pylist()
    assert [row["fold"] for row in rows] == [0, 1, 1, 0]
    assert all(row["from"] < row["split"] < row["to"] for row in rows)
    assert {row["split"] for row in rows if row["fold"] == 1} == {
        row["to"] for row in rows if row["fold"] == 0
    }
    assert {"sharpe_in", "sharpe_out", "return_in", "return_out", "trades_in", "trades_out"} <= set(rows[0])


def test_a_missing_shard_is_named(folders: Folders) -> None:
    run_shard(folders, 0, 1)
    with pytest.raises(ConfigurationError, match=r"0000.parquet, .*0002.parquet are not there"):
        run_collector(folders, "sweep")


def test_a_strategy_that_raises_is_a_mistake_and_not_tried_again(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = yaml.safe_load((folders.settings / "account.yaml").read_text())
    source = {"configMapRef": {"name": "mine"}, "class": "raises.Raises"}
    manifest["spec"]["strategy"] = {"source": source, "timeframe": "1m", "parameters": {}}
    (folders.settings / "account.yaml").write_text(yaml.safe_dump(manifest))
    folders.source.mkdir()
    (folders.source / "raises.py").write_text(RAISES)
    write(folders, parameters=["hold=2,3"])
    monkeypatch.setattr(entry, "_FOLDERS", folders)
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    assert entry.main(["shard", "0"]) == 2
    assert folders.message.read_text().endswith("ValueError: of the strategy's own")


def test_the_parts_of_a_run_that_failed_for_good_go(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "_FOLDERS", folders)
    run_shard(folders, 0, 1)
    anothers = run_shard(replace(folders, run="another"), 0, 0)
    assert entry.main(["collect", "sweep"]) == 2
    assert list(folders.results.iterdir()) == [anothers]


@pytest.mark.parametrize(("ends_in_s", "stays"), [(-1, 0), (5, 0), (3600, 1)])
def test_the_parts_of_a_run_whose_time_is_over_go_and_those_of_an_evicted_pods_run_stay(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, ends_in_s: int, stays: int
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    run_shard(folders, 0, 1)
    monkeypatch.setattr(entry, "_FOLDERS", folders)
    monkeypatch.setattr(entry, "_ENDS_S", time.time() + ends_in_s)
    monkeypatch.setattr(entry, "run_shard", lambda *_: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    try:
        assert entry.main(["shard", "0"]) == 143
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(list(folders.results.iterdir())) == stays


def test_a_verdict_fits_into_a_termination_message() -> None:
    metrics = {"trades": 1, "max_drawdown": 0.1}
    row = Row({"x": "y" * 3000}, [metrics], [metrics], [1.0], [None])
    verdict = Verdict([row], [], 0.5, None, ["w" * 900] * 8)
    told = build_message(verdict, "sweep.parquet")
    assert len(json.dumps(told).encode()) <= MESSAGE_LIMIT
    assert told["best"]["inSample"] == "1.00"
    assert "outOfSample" not in told["best"]
    assert told["warnings"]
    short = build_message(replace(verdict, warnings=["few"]), "sweep.parquet")
    assert (short["warnings"], short["kept"]) == (["few"], "50%")
