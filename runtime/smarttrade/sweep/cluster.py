"""The same sweep, spread over the pods of Jobs: `python -m smarttrade.sweep shard ROUND` and `... collect`.

Every shard plans the whole sweep, which is the same everywhere, and runs its part of it; the collector reads
what they wrote, judges, and says the verdict in its termination message, which the operator puts into the
object. So no pod needs a network, nor any credentials. A search goes on in rounds: what is tried next follows
from the seed and the results of the rounds before, so every shard finds it out by itself and nobody keeps a
study. Files are renamed into place: a shard is there or not.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smarttrade.api.backtest import BacktestSpec
from smarttrade.backtest import command as backtest
from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.sweep.command import Options, Plan, build_plan
from smarttrade.sweep.judge import Verdict, judge, mean, score
from smarttrade.sweep.page import build_page
from smarttrade.sweep.parquet import read_outcomes, require_libraries, write_outcomes
from smarttrade.sweep.pool import Unit
from smarttrade.sweep.ranges import Candidate
from smarttrade.sweep.results import build_fingerprint, write_candidate
from smarttrade.sweep.table import describe, written
from smarttrade.sweep.unit import Outcome, run_unit

MESSAGE_LIMIT = 4096
_WARNINGS = 8
_ABANDONED_S = 8 * 86_400  # above the longest timeoutSeconds


@dataclass(frozen=True, slots=True)
class Folders:
    """As the operator mounts them. `message` is the file of the termination message; `run` is the object's
    name for its own parts, whatever else writes into the folder of results."""

    settings: Path
    data: Path
    source: Path
    results: Path
    message: Path
    run: str = ""


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
        trials=spec.trials,
        objective=objective,
        folds=spec.folds,
        train=str(spec.train),
        seed=spec.seed,
    )


def run_shard(folders: Folders, number: int, index: int) -> Path:
    """Run one part of one round; the file it wrote. A part that is there already is not run again."""
    run = _open(folders)
    path = run.file(number, index)
    if not path.is_file():
        part = _units_of_round(run, number)[index :: run.spec.shards]
        write_outcomes(path, [run_unit(run.plan.work, *unit) for unit in part], run.plan.work.folds)
    return path


def run_collector(folders: Folders, name: str) -> dict[str, Any]:
    """Judge all shards; writes NAME.parquet and NAME.html, and the verdict as the termination message.

    ConfigurationError names a shard that is missing: account or data have changed on the way.
    """
    run = _open(folders)
    work, objective = run.plan.work, run.options.objective
    outcomes = [outcome for number in range(run.spec.rounds) for outcome in run.read(number)]
    verdict = judge(outcomes, objective, len(work.folds), run.plan.axes, work.account.spec.state)
    write_outcomes(folders.results / f"{name}.parquet", outcomes, work.folds)
    page = build_page(verdict, work, run.plan.axes, objective)
    backtest.write_text(folders.results / f"{name}.html", page)
    told = build_message(verdict, f"{name}.parquet")
    folders.message.write_text(json.dumps(told))
    _tidy(run)
    return told


def forget_run(folders: Folders) -> None:
    """A run has failed for good: remove its parts. One whose settings cannot be read has none."""
    with contextlib.suppress(SmartTradeError):
        _tidy(_open(folders))


@dataclass(frozen=True, slots=True)
class _Run:
    """One object's sweep, and where its parts lie: named by all that their content follows from, so that
    changed data or an object of another question is never mixed in."""

    folders: Folders
    spec: BacktestSpec
    options: Options
    plan: Plan
    digest: str

    def file(self, number: int, index: int) -> Path:
        return self.folders.results / f".shard-{self.digest}-{number:03d}-{index:04d}.parquet"

    def read(self, number: int) -> list[Outcome]:
        """All parts of a round, in the order of the parts."""
        files = [self.file(number, index) for index in range(self.spec.shards)]
        missing = [file.name for file in files if not file.is_file()]
        if missing:
            raise ConfigurationError(f"the results of {', '.join(missing[:5])} are not there: run it anew")
        return [outcome for file in files for outcome in read_outcomes(file)]


def _open(folders: Folders) -> _Run:
    require_libraries()
    spec, options = read_options(folders)
    plan = build_plan(options)
    asked = spec.model_dump_json(exclude={"results", "parallelism", "resources", "timeout_seconds"})
    swept = [axis.name for axis in plan.axes]
    text = f"{folders.run} {build_fingerprint(plan.work, swept)} {asked}"
    return _Run(folders, spec, options, plan, hashlib.sha256(text.encode()).hexdigest()[:20])


def _units_of_round(run: _Run, number: int) -> list[Unit]:
    """What the round runs, in one order everywhere: every candidate on every fold but those known already."""
    folds = range(len(run.plan.work.folds))
    known: dict[tuple[str, int], Outcome] = {}
    for turn, batch in enumerate(run.plan.search.batches()):
        wanted = {
            (write_candidate(candidate), fold): (candidate, fold) for candidate in batch for fold in folds
        }
        if turn == number:
            return [unit for key, unit in wanted.items() if key not in known]
        known |= {(write_candidate(each.candidate), each.fold): each for each in run.read(turn)}
        run.plan.search.tell([_score(run, known, candidate) for candidate in batch])
    return []


def _score(run: _Run, known: dict[tuple[str, int], Outcome], candidate: Candidate) -> float | None:
    key = write_candidate(candidate)
    found = [known[key, fold].in_sample for fold in range(len(run.plan.work.folds))]
    return mean(score(metrics, run.options.objective) for metrics in found)


def _tidy(run: _Run) -> None:
    """Remove the parts, and those that a run which never ended has left longer ago than any may last."""
    for number in range(run.spec.rounds):
        for index in range(run.spec.shards):
            run.file(number, index).unlink(missing_ok=True)
    for pattern in (".shard-*", "..shard-*.tmp"):
        for file in run.folders.results.glob(pattern):
            if time.time() - file.stat().st_mtime > _ABANDONED_S:
                file.unlink(missing_ok=True)


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
            **{key: written(value) for key, value in scores.items() if value is not None},
        }
    if verdict.kept is not None:
        told["kept"] = written(verdict.kept, ".0%")
    while len(json.dumps(told).encode()) > MESSAGE_LIMIT and told["warnings"]:
        told["warnings"].pop()
    return told
