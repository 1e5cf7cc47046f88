"""One candidate on one fold: two backtests, in sample and out of sample."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smarttrade.api import Timeframe, TradingAccount
from smarttrade.backtest.exchange import FILL_MODEL, TRADE_MODEL
from smarttrade.backtest.history import History
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.result import build_metrics
from smarttrade.backtest.run import Backtest
from smarttrade.backtest.trades import TradeHistory
from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.loading import build_strategy
from smarttrade.evaluation.strategy import Strategy
from smarttrade.sweep.cut import cut
from smarttrade.sweep.ranges import Candidate
from smarttrade.sweep.splits import Fold

Metrics = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """What all units share; the largest part, the candles, is inherited by the workers as it is."""

    account: TradingAccount
    history: History
    assumptions: Assumptions
    folds: tuple[Fold, ...]
    source: Path

    @property
    def fill_model(self) -> str:
        """In the words of the report."""
        return TRADE_MODEL if isinstance(self.history, TradeHistory) else FILL_MODEL


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figures of both parts of one fold."""

    candidate: Candidate
    fold: int
    in_sample: Metrics
    out_of_sample: Metrics


def with_parameters(account: TradingAccount, candidate: Candidate) -> TradingAccount:
    """The account with these parameters in the place of its own of the same names."""
    strategy = account.spec.strategy
    changed = strategy.model_copy(update={"parameters": {**strategy.parameters, **candidate}})
    return account.model_copy(update={"spec": account.spec.model_copy(update={"strategy": changed})})


def is_possible(account: TradingAccount, candidate: Candidate, source: Path) -> bool:
    """Whether the strategy accepts the combination."""
    try:
        build_strategy(with_parameters(account, candidate).spec, source)
    except ConfigurationError:
        return False
    return True


def warmup_ms(strategy: Strategy, declared: int | None) -> int:
    """The time that the strategy has to be shown before it may trade."""
    frames = (strategy.timeframe, *strategy.timeframes)
    return max(Timeframe(frame).span_ms(max(declared or strategy.warmup, 2)) for frame in frames)


def run_unit(work: Work, candidate: Candidate, fold: int) -> Outcome:
    """Both backtests. ConfigurationError where the candidate cannot run."""
    span = work.folds[fold]
    account = with_parameters(work.account, candidate)
    return Outcome(
        candidate,
        fold,
        _run(work, account, span.begin_ms, span.split_ms),
        _run(work, account, span.split_ms, span.end_ms),
    )


def _run(work: Work, account: TradingAccount, from_ms: int, to_ms: int) -> Metrics:
    """As live would: only the candles of the warm-up before the first that is traded."""
    strategy = build_strategy(account.spec, work.source)
    history = cut(work.history, from_ms - warmup_ms(strategy, account.spec.strategy.warmup), to_ms)
    recorded = Backtest(
        account, history, work.assumptions, from_ms=from_ms, to_ms=to_ms, source=work.source
    ).run()
    return build_metrics(recorded, recorded.trips(), recorded.curve(), len(recorded.denials()))
