"""What to try next: all of a grid, or what Optuna's sampler proposes from what it has been told.

Proposals come in batches of a fixed size, and their scores are told in the order in which they were proposed:
the same seed gives the same candidates however many workers there are, and after a resume.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Protocol

from smarttrade.api.backtest import TRIALS_A_ROUND
from smarttrade.errors import ConfigurationError
from smarttrade.sweep.ranges import Axis, Candidate

_WORST = -1e9


class Search(Protocol):
    """Batches of candidates; the scores of one are told before the next is asked for."""

    total: int

    def batches(self) -> Iterator[list[Candidate]]: ...
    def tell(self, scores: Sequence[float | None]) -> None: ...


class GridSearch:
    """One batch with everything."""

    def __init__(self, candidates: list[Candidate]) -> None:
        self._candidates = candidates
        self.total = len(candidates)

    def batches(self) -> Iterator[list[Candidate]]:
        yield self._candidates

    def tell(self, scores: Sequence[float | None]) -> None:
        """A grid does not learn."""


class OptunaSearch:
    """Tree-structured Parzen estimator, seeded. `is_possible` filters: an impossible one scores worst."""

    def __init__(
        self, axes: Sequence[Axis], trials: int, seed: int, is_possible: Callable[[Candidate], bool]
    ) -> None:
        self._optuna = _load_optuna()
        self._distributions = {axis.name: self._distribution(axis) for axis in axes}
        self._axes, self.total, self._is_possible = axes, trials, is_possible
        sampler = self._optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
        self._study = self._optuna.create_study(direction="maximize", sampler=sampler)
        self._asked: list[Any] = []

    def batches(self) -> Iterator[list[Candidate]]:
        left = self.total
        while left > 0:
            trials = [self._study.ask(self._distributions) for _ in range(min(TRIALS_A_ROUND, left))]
            left -= len(trials)
            candidates = [self._candidate(trial) for trial in trials]
            possible = [self._is_possible(candidate) for candidate in candidates]
            for trial, fits in zip(trials, possible, strict=True):
                if not fits:
                    self._study.tell(trial, _WORST)
            self._asked = [trial for trial, fits in zip(trials, possible, strict=True) if fits]
            yield [candidate for candidate, fits in zip(candidates, possible, strict=True) if fits]

    def tell(self, scores: Sequence[float | None]) -> None:
        for trial, score in zip(self._asked, scores, strict=True):
            self._study.tell(trial, _WORST if score is None else score)

    def _candidate(self, trial: Any) -> Candidate:
        return {
            axis.name: trial.params[axis.name]
            if axis.values or axis.whole
            else axis.write(Decimal(repr(trial.params[axis.name])))
            for axis in self._axes
        }

    def _distribution(self, axis: Axis) -> Any:
        kinds = self._optuna.distributions
        if axis.values:
            return kinds.CategoricalDistribution(axis.values)
        if axis.whole:
            return kinds.IntDistribution(int(axis.low), int(axis.high), log=axis.wide)
        return kinds.FloatDistribution(float(axis.low), float(axis.high), log=axis.wide)


def _load_optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ConfigurationError(
            "a search (trials) needs Optuna; install the extra `research`: pip install 'smarttrade[research]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
