"""Walk-forward folds: parameters are chosen on a window, and judged on the one after it.

Source: R. Pardo, "The Evaluation and Optimization of Trading Strategies" (2nd edition, 2008), chapter 11. The
windows roll: the out-of-sample ones follow each other without a gap up to the end of the data.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from smarttrade.errors import ConfigurationError
from smarttrade.timeframe import Timeframe


class Fold(NamedTuple):
    """In sample from `begin_ms` to `split_ms`, out of sample from there to `end_ms`."""

    begin_ms: int
    split_ms: int
    end_ms: int


def build_folds(begin_ms: int, end_ms: int, count: int, train: Decimal, timeframe: Timeframe) -> list[Fold]:
    """`count` folds whose in-sample part is the share `train` of each; bounds between begin and end are
    where candles begin, so that each candle is in a fold.

    With i in-sample and o out-of-sample time, i / (i + o) = train and i + count * o is the whole.
    """
    if count < 1:
        raise ConfigurationError(f"--folds {count}: give at least 1")
    if not 0 < train < 1:
        raise ConfigurationError(f"--train {train}: give a share between 0 and 1, such as 0.75")
    ratio = train / (1 - train)
    tested = Decimal(end_ms - begin_ms) / (ratio + count)
    trained = tested * ratio
    bounds = [begin_ms + trained + n * tested for n in range(count + 1)]
    splits = [timeframe.start(int(bound)) for bound in bounds[:-1]] + [end_ms]
    first_ms = [timeframe.start(int(bound - trained)) for bound in bounds[:-1]]
    folds = [
        Fold(max(begin, begin_ms), split, end)
        for begin, split, end in zip(first_ms, splits, splits[1:], strict=False)
    ]
    least_ms = 2 * timeframe.milliseconds
    if any(min(fold.split_ms - fold.begin_ms, fold.end_ms - fold.split_ms) < least_ms for fold in folds):
        raise ConfigurationError(f"the data is too short for {count} folds: give more data or fewer folds")
    return folds
