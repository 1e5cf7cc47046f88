"""The same sweep, spread over the pods of a Job: `python -m smarttrade.sweep shard` and `... collect`.

Every shard plans the whole sweep, which is the same everywhere, and runs its part of it; the collector reads
what they wrote, judges, and says the verdict in its termination message, which the operator puts into the
object. So no pod needs a network, nor any credentials. Files are renamed into place: a shard is there or not.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smarttrade.api.backtest import BacktestSpec
from smarttrade.backtest import command as backtest
from smarttrade.data.store import load_pyarrow
from smarttrade.errors import ConfigurationError
from smarttrade.sweep.command import Options, Plan, build_plan
from smarttrade.sweep.judge import Verdict, judge
from smarttrade.sweep.page import build_page
from smarttrade.sweep.pool import Unit
from smarttrade.sweep.results import build_fingerprint
from smarttrade.sweep.search import GridSearch
from smarttrade.sweep.table import describe, written
from smarttrade.sweep.unit import Outcome, run_unit

MESSAGE_LIMIT = 4096
_WARNINGS = 8


@dataclass(frozen=True, slots=True)
class Folders:
    """As the operator mounts them. `message` is the file of the termination message."""

    settings: Path
    data: Path
    source: Path
    results: Path
    message: Path


def read_options(folders: Folders) -> tuple[BacktestSpec, Options]:
    """The object's specification as the options of `smarttrade sweep`."""
    text = (folders.settings / "backtest.json").read_text(encoding="utf-8")
    spec = BacktestSpec.model_validate_json(text)
    costs = spec.costs
    single = backtest.Options(
        file=folders.settings / "account.yaml",
        data=folders.data,
        begin=spec.begin,
        end=spec.end,
        timeframe=spec.timeframe.value if spec.timeframe else None,
        fees=f"{costs.maker_fee},{costs.taker_fee}",
        spread=str(costs.spread),
        slippage=str(costs.slippage),
        latency_ms=costs.latency_milliseconds,
        seed=spec.seed,
        volume=spec.data.volume_unit.value.lower(),
        source=folders.source,
    )
    objective = "".join(f"_{c.lower()}" if c.isupper() else c for c in spec.objective.value).lstrip("_")
    return spec, Options(
        backtest=single,
        parameters=spec.parameters,
        steps=spec.steps,
        objective=objective,
        folds=spec.folds,
        train=str(spec.train),
        seed=spec.seed,
    )


def run_shard(folders: Folders, index: int) -> Path:
    """Run one part; the file it wrote. A part that is there already is not run again."""
    load_pyarrow()
    spec, options = read_options(folders)
    plan = build_plan(options)
    path = _shard_file(folders, plan, index)
    if not path.is_file():
        outcomes = [run_unit(plan.work, *unit) for unit in units(plan)[index :: spec.shards]]
        write_outcomes(path, outcomes)
    return path


def units(plan: Plan) -> list[Unit]:
    """Every candidate on every fold, in one order everywhere."""
    assert isinstance(plan.search, GridSearch)
    (batch,) = plan.search.batches()
    return [(candidate, fold) for candidate in batch for fold in range(len(plan.work.folds))]


def run_collector(folders: Folders, name: str) -> dict[str, Any]:
    """Judge all shards; writes NAME.parquet and NAME.html, and the verdict as the termination message.

    ConfigurationError names a shard that is missing: another run wrote into the same folder.
    """
    spec, options = read_options(folders)
    plan = build_plan(options)
    files = [_shard_file(folders, plan, index) for index in range(spec.shards)]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ConfigurationError(f"the results of {', '.join(missing[:5])} are not there: run it anew")
    outcomes = [outcome for file in files for outcome in read_outcomes(file)]
    verdict = judge(outcomes, options.objective, len(plan.work.folds), plan.axes)
    write_outcomes(folders.results / f"{name}.parquet", outcomes)
    page = build_page(verdict, plan.work, plan.axes, options.objective)
    backtest.write_text(folders.results / f"{name}.html", page)
    told = build_message(verdict, f"{name}.parquet")
    folders.message.write_text(json.dumps(told))
    for file in files:
        file.unlink()
    return told


def build_message(verdict: Verdict, results: str) -> dict[str, Any]:
    """The part of the object's status that a run knows; short enough for a termination message."""
    best = verdict.rows[0] if verdict.rows else None
    told: dict[str, Any] = {
        "candidates": len(verdict.rows),
        "results": results,
        "warnings": verdict.warnings[:_WARNINGS],
    }
    if best is not None:
        scores = {"inSample": best.in_sample, "outOfSample": best.out_of_sample}
        told["best"] = {
            "parameters": describe(best.candidate)[:1024],
            **{key: written(score) for key, score in scores.items() if score is not None},
        }
    if verdict.kept is not None:
        told["kept"] = written(verdict.kept, ".0%")
    while len(json.dumps(told).encode()) > MESSAGE_LIMIT and told["warnings"]:
        told["warnings"].pop()
    return told


def _shard_file(folders: Folders, plan: Plan, index: int) -> Path:
    """Named by all that its content follows from, so that a changed account or data is not mixed in."""
    fingerprint = build_fingerprint(plan.work, [axis.name for axis in plan.axes])
    digest = hashlib.sha256(f"{fingerprint} {plan.axes}".encode()).hexdigest()
    return folders.results / f".shard-{digest[:20]}-{index:04d}.parquet"


def write_outcomes(path: Path, outcomes: Sequence[Outcome]) -> None:
    """One row a candidate and fold: parameters as JSON, the figures of both samples as columns."""
    pyarrow = load_pyarrow()
    import pyarrow.parquet as parquet

    table = pyarrow.Table.from_pylist([_row(outcome) for outcome in outcomes], schema=_schema(pyarrow))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    parquet.write_table(table, temporary, compression="zstd")
    temporary.replace(path)


def read_outcomes(path: Path) -> Iterable[Outcome]:
    load_pyarrow()
    import pyarrow.parquet as parquet

    for row in parquet.ParquetFile(path).read().to_pylist():
        yield Outcome(
            json.loads(row["parameters"]),
            row["fold"],
            json.loads(row["in_sample"]),
            json.loads(row["out_of_sample"]),
        )


_SHOWN = ("sharpe", "return", "max_drawdown", "trades")


def _row(outcome: Outcome) -> dict[str, Any]:
    samples = {"in": outcome.in_sample, "out": outcome.out_of_sample}
    shown = {f"{name}_{side}": metrics[name] for side, metrics in samples.items() for name in _SHOWN}
    return {
        "parameters": json.dumps(outcome.candidate),
        "fold": outcome.fold,
        **shown,
        "in_sample": json.dumps(outcome.in_sample),
        "out_of_sample": json.dumps(outcome.out_of_sample),
    }


def _schema(pyarrow: Any) -> Any:
    shown = [
        (f"{name}_{side}", pyarrow.int64() if name == "trades" else pyarrow.float64())
        for side in ("in", "out")
        for name in _SHOWN
    ]
    texts = [(name, pyarrow.string()) for name in ("in_sample", "out_of_sample")]
    return pyarrow.schema([("parameters", pyarrow.string()), ("fold", pyarrow.int32()), *shown, *texts])
