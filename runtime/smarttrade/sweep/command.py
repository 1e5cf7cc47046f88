"""`smarttrade sweep`: an account, data and ranges in; a verdict, a results file and a plot out."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from smarttrade.api import TradingAccount, load_account
from smarttrade.backtest import command as backtest
from smarttrade.backtest.history import History
from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.loading import SOURCE_DIRECTORY, build_strategy, load_class
from smarttrade.evaluation.parameters import declared_parameters
from smarttrade.sweep.judge import OBJECTIVES, Verdict, judge, mean, score
from smarttrade.sweep.page import build_page
from smarttrade.sweep.pool import Pool
from smarttrade.sweep.ranges import Axis, Candidate, build_axes, grid
from smarttrade.sweep.results import Results, build_fingerprint
from smarttrade.sweep.search import GridSearch, OptunaSearch, Search
from smarttrade.sweep.splits import Fold, build_folds
from smarttrade.sweep.table import print_verdict
from smarttrade.sweep.unit import Work, is_possible, warmup_ms, with_parameters

_MOST = 20_000
_LINE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says. `backtest` has what a single backtest takes as well."""

    backtest: backtest.Options
    parameters: Sequence[str] = ()
    steps: int = 5
    trials: int | None = None
    objective: str = "sharpe"
    folds: int = 3
    train: str = "0.75"
    workers: int | None = None
    seed: int = 0
    out: Path = Path("sweep.sqlite")
    page: Path | None = None


@dataclass(slots=True)
class Plan:
    """Everything settled before the first run."""

    work: Work
    axes: list[Axis]
    search: Search


def run_sweep(options: Options, console: Console | None = None) -> Verdict:
    """Run what is missing, then print the verdict; ConfigurationError says what to change."""
    console = console or Console()
    if options.objective not in OBJECTIVES:
        raise ConfigurationError(f"--objective {options.objective} is not one of {', '.join(OBJECTIVES)}")
    plan = build_plan(options)
    names = [axis.name for axis in plan.axes]
    with Results.open(options.out, build_fingerprint(plan.work, names)) as results:
        _run(plan, options, results, console)
        outcomes = [each for each in results.all() if set(each.candidate) == set(names)]
    work = plan.work
    verdict = judge(outcomes, options.objective, len(work.folds), plan.axes, work.account.spec.state)
    print_verdict(verdict, options.objective, work.folds, console)
    if options.page is not None:
        page = build_page(verdict, work, plan.axes, options.objective)
        backtest.write_text(options.page, page)
    return verdict


def build_plan(options: Options) -> Plan:
    """Read manifest and data, settle axes, candidates and folds."""
    given = options.backtest
    account = backtest.with_timeframe(load_account(given.file), given.timeframe)
    source = given.source or SOURCE_DIRECTORY
    axes = build_axes(declared_parameters(load_class(account.spec.strategy, source)), options.parameters)
    search, tried = _build_search(account, axes, source, options)
    history = backtest.read_history(given.data, account, given.volume)
    folds = _folds(account, history, tried, source, options)
    work = Work(account, history, backtest.build_assumptions(given), tuple(folds), source)
    return Plan(work, axes, search)


def _build_search(
    account: TradingAccount, axes: list[Axis], source: Path, options: Options
) -> tuple[Search, list[Candidate]]:
    """The search, and candidates from whose warm-ups the first fold's begin follows."""

    def fits(candidate: Candidate) -> bool:
        return is_possible(account, candidate, source)

    steps = options.steps if options.trials is None else 2
    size = 1
    for axis in axes:
        size *= len(axis.divided(steps))
    if size > _MOST:
        raise ConfigurationError(
            f"{size:,} combinations are too many: name fewer with --parameter, lower --steps, or let "
            "--trials N search them"
        )
    candidates = [candidate for candidate in grid(axes, steps) if fits(candidate)]
    if not candidates:
        raise ConfigurationError("the strategy accepts none of these combinations: give other ranges")
    if options.trials is None:
        return GridSearch(candidates), candidates
    return OptunaSearch(axes, options.trials, options.seed, fits), candidates


def _folds(
    account: TradingAccount, history: History, tried: Sequence[Candidate], source: Path, options: Options
) -> list[Fold]:
    """All candidates trade the same spans, so the first one begins after the longest warm-up."""
    declared = account.spec.strategy.warmup
    strategies = (build_strategy(with_parameters(account, each).spec, source) for each in tried)
    longest_ms = max(warmup_ms(strategy, declared) for strategy in strategies)
    given = options.backtest
    begin_ms = max(history.first_ms + longest_ms, backtest.read_moment(given.begin, "--from") or 0)
    end_ms = min(history.last_ms, backtest.read_moment(given.end, "--to") or history.last_ms)
    if begin_ms >= end_ms:
        raise ConfigurationError(
            f"the slowest candidate needs {longest_ms / 86_400_000:.1f} days of candles before its first "
            "decision, and the data ends before that: give more data or narrower ranges"
        )
    timeframe = account.spec.strategy.timeframe
    return build_folds(begin_ms, end_ms, options.folds, Decimal(options.train), timeframe)


def _run(plan: Plan, options: Options, results: Results, console: Console) -> None:
    folds = range(len(plan.work.folds))
    workers = options.workers or os.cpu_count() or 1
    with Pool(plan.work, workers) as pool, _Bar(console, plan.search.total * len(folds)) as bar:
        for batch in plan.search.batches():
            units = [(candidate, fold) for candidate in batch for fold in folds]
            missing = [unit for unit in units if results.get(*unit) is None]
            bar.step(len(units) - len(missing))
            for outcome in pool.run(missing):
                results.add(outcome)
                bar.step(1)
            plan.search.tell([_score(results, candidate, folds, options.objective) for candidate in batch])


def _score(results: Results, candidate: Candidate, folds: range, objective: str) -> float | None:
    found = [results.get(candidate, fold) for fold in folds]
    return mean(score(outcome.in_sample, objective) if outcome else None for outcome in found)


class _Bar:
    """A bar on a terminal, elsewhere a line now and then. No thread: the pool forks."""

    def __init__(self, console: Console, total: int) -> None:
        self._console, self._total, self._done, self._told_s = console, total, 0, time.monotonic()
        columns = (TextColumn("backtests"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(
            *columns, console=console, auto_refresh=False, disable=not console.is_terminal
        )
        self._task = self._progress.add_task("sweep", total=total)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, count: int) -> None:
        self._done += count
        self._progress.update(self._task, completed=self._done, refresh=True)
        if not self._console.is_terminal and time.monotonic() - self._told_s >= _LINE_EVERY_S:
            self._told_s = time.monotonic()
            self._console.print(f"{self._done:,} of {self._total:,} runs", highlight=False)
