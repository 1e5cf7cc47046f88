"""In sample against out of sample: what was chosen, what it was worth then, and when not to believe it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import correlation, fmean

from smarttrade.api import State
from smarttrade.sweep.ranges import Axis, Candidate
from smarttrade.sweep.results import write_candidate
from smarttrade.sweep.unit import Metrics, Outcome

OBJECTIVES = ("sharpe", "sortino", "calmar", "cagr", "return", "profit_factor", "expectancy")
_KEPT = 0.5
_RELATED = 0.2
_FEW_TRADES = 30
_ENOUGH = 8


@dataclass(slots=True)
class Row:
    """One candidate on all folds; scores are means of the objective, None where a fold had none."""

    candidate: Candidate
    inside: list[Metrics] = field(default_factory=list)
    outside: list[Metrics] = field(default_factory=list)
    in_scores: list[float | None] = field(default_factory=list)
    out_scores: list[float | None] = field(default_factory=list)

    @property
    def in_sample(self) -> float | None:
        return mean(self.in_scores)

    @property
    def out_of_sample(self) -> float | None:
        return mean(self.out_scores)

    @property
    def out_trades(self) -> int:
        return sum(metrics["trades"] for metrics in self.outside)

    @property
    def out_drawdown(self) -> float:
        return max(float(metrics["max_drawdown"]) for metrics in self.outside)


@dataclass(frozen=True, slots=True)
class Choice:
    """Of one fold: the candidate that was best in sample, and its scores."""

    fold: int
    row: Row
    in_sample: float | None
    out_of_sample: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rows` best in sample first; `choices` one a fold, `kept` their share of the in-sample score
    (walk-forward efficiency), `related` the rank correlation of both scores over all candidates."""

    rows: list[Row]
    choices: list[Choice]
    kept: float | None
    related: float | None
    warnings: list[str]


def score(metrics: Metrics, objective: str) -> float | None:
    """The objective of one run; more is better."""
    value = metrics[objective]
    return None if value is None else float(value)


def mean(scores: Iterable[float | None]) -> float | None:
    """None if one of them is None: a candidate that could not be judged everywhere is not compared."""
    found = list(scores)
    told = [each for each in found if each is not None]
    return fmean(told) if told and len(told) == len(found) else None


def judge(
    outcomes: Iterable[Outcome],
    objective: str,
    folds: int,
    axes: Sequence[Axis],
    state: State = State.ACTIVE,
) -> Verdict:
    """Candidates that ran on all folds, compared; `state` is the one that the account was in."""
    rows = [row for row in _rows(outcomes, objective) if len(row.inside) == folds]
    rows.sort(key=lambda row: (-_or_worst(row.in_sample), write_candidate(row.candidate)))
    choices = [_choose(rows, fold) for fold in range(folds)] if rows else []
    kept, related = _kept(choices), _related(rows)
    return Verdict(rows, choices, kept, related, list(_warnings(rows, choices, kept, related, axes, state)))


def _rows(outcomes: Iterable[Outcome], objective: str) -> Iterable[Row]:
    rows: dict[str, Row] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.fold):
        row = rows.setdefault(write_candidate(outcome.candidate), Row(outcome.candidate))
        row.inside.append(outcome.in_sample)
        row.outside.append(outcome.out_of_sample)
        row.in_scores.append(score(outcome.in_sample, objective))
        row.out_scores.append(score(outcome.out_of_sample, objective))
    return rows.values()


def _choose(rows: Sequence[Row], fold: int) -> Choice:
    row = max(rows, key=lambda row: _or_worst(row.in_scores[fold]))
    return Choice(fold, row, row.in_scores[fold], row.out_scores[fold])


def _kept(choices: Sequence[Choice]) -> float | None:
    """Walk-forward efficiency: out-of-sample over in-sample score of what was chosen. Source: R. Pardo, "The
    Evaluation and Optimization of Trading Strategies" (2008), who asks for at least half."""
    inside, outside = (
        mean(choice.in_sample for choice in choices),
        mean(choice.out_of_sample for choice in choices),
    )
    return outside / inside if inside is not None and outside is not None and inside > 0 else None


def _related(rows: Sequence[Row]) -> float | None:
    """Spearman's rank correlation of in-sample and out-of-sample scores."""
    pairs = [
        (row.in_sample, row.out_of_sample)
        for row in rows
        if row.in_sample is not None and row.out_of_sample is not None
    ]
    if len(pairs) < _ENOUGH or any(len({pair[side] for pair in pairs}) < 2 for side in (0, 1)):
        return None
    inside, outside = zip(*pairs, strict=True)
    return correlation(_ranks(inside), _ranks(outside))


def _ranks(values: Sequence[float]) -> list[float]:
    """1 for the smallest; equal values share the mean of their ranks."""
    order = sorted(values)
    positions: dict[float, list[int]] = {}
    for position, value in enumerate(order, 1):
        positions.setdefault(value, []).append(position)
    return [fmean(positions[value]) for value in values]


def _warnings(
    rows: Sequence[Row],
    choices: Sequence[Choice],
    kept: float | None,
    related: float | None,
    axes: Sequence[Axis],
    state: State,
) -> Iterable[str]:
    if not rows:
        yield "no candidate ran on all folds: there is nothing to judge yet"
        return
    if state is not State.ACTIVE:
        yield (
            f"the account's spec.state is {state}, in which it opens no position, here as live: test a copy "
            "of it that is Active"
        )
        return
    if any(choice.in_sample is None for choice in choices):
        yield "a fold has no candidate with a score: too little was traded to choose from"
    elif kept is None:
        yield "what was best in sample made nothing there, or could not be judged out of sample"
    elif kept < _KEPT:
        share = (
            f"kept {kept:.0%} of its in-sample score" if kept >= 0 else "turned its in-sample gain to a loss"
        )
        yield (
            f"in-sample and out-of-sample results part: what was chosen {share}, and half kept is the least "
            "to ask for; the parameters are probably fitted to the past"
        )
    if related is not None and related < _RELATED:
        yield (
            f"being better in sample says little of being better out of sample (rank correlation "
            f"{related:.2f}): choosing the best parameters is close to choosing at random"
        )
    trades = sum(choice.row.outside[choice.fold]["trades"] for choice in choices)
    if trades < _FEW_TRADES:
        yield f"only {trades} trades out of sample: too few to conclude from"
    yield from _edges(rows[0].candidate, axes)


def _edges(best: Candidate, axes: Sequence[Axis]) -> Iterable[str]:
    for axis in axes:
        numbers = [value for value in axis.values if isinstance(value, int)]
        low = min(numbers, default=None) if axis.values else axis.write(axis.low)
        high = max(numbers, default=None) if axis.values else axis.write(axis.high)
        if low != high and best[axis.name] in (low, high):
            yield f"the best {axis.name} ({best[axis.name]}) is at the edge of its range: widen the range"


def _or_worst(score: float | None) -> float:
    return float("-inf") if score is None else score
