from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from smarttrade.errors import ConfigurationError
from smarttrade.sweep.splits import Fold, build_folds
from smarttrade.timeframe import Timeframe

UNIT_MS = 60_000


def test_one_fold_is_a_plain_split() -> None:
    assert build_folds(0, 100 * UNIT_MS, 1, Decimal("0.75"), Timeframe.M1) == [
        Fold(0, 75 * UNIT_MS, 100 * UNIT_MS)
    ]


def test_the_windows_roll() -> None:
    folds = build_folds(0, 70 * UNIT_MS, 4, Decimal("0.75"), Timeframe.M1)
    assert folds == [
        Fold(n * 10 * UNIT_MS, (30 + n * 10) * UNIT_MS, (40 + n * 10) * UNIT_MS) for n in range(4)
    ]


@given(
    st.integers(0, 10**12),
    st.integers(1, 10**5),
    st.integers(1, 12),
    st.decimals(Decimal("0.1"), Decimal("0.9"), places=2),
)
def test_out_of_sample_is_all_that_follows_and_never_in_its_own_sample(
    begin: int, length: int, count: int, train: Decimal
) -> None:
    begin_ms = begin // UNIT_MS * UNIT_MS
    end_ms = begin_ms + length * UNIT_MS
    try:
        folds = build_folds(begin_ms, end_ms, count, train, Timeframe.M1)
    except ConfigurationError:
        assume(False)
        return
    assert len(folds) == count
    assert folds[0].begin_ms == begin_ms
    assert folds[-1].end_ms == end_ms
    assert all(fold.begin_ms < fold.split_ms < fold.end_ms for fold in folds)
    assert all(earlier.end_ms == later.split_ms for earlier, later in pairwise(folds))
    assert all(bound % UNIT_MS == 0 for fold in folds for bound in fold)


@pytest.mark.parametrize("timeframe", [Timeframe.D3, Timeframe.W1, Timeframe.MONTH])
def test_no_candle_of_days_weeks_or_months_lies_across_two_folds(timeframe: Timeframe) -> None:
    begin_ms = timeframe.start(1_600_000_000_000)
    end_ms = timeframe.step(begin_ms, 60)
    folds = build_folds(begin_ms, end_ms, 3, Decimal("0.6"), timeframe)
    assert all(timeframe.start(bound) == bound for fold in folds for bound in fold)


@pytest.mark.parametrize(("count", "train"), [(0, "0.5"), (3, "1"), (3, "0"), (60, "0.5")])
def test_folds_that_cannot_be_are_refused(count: int, train: str) -> None:
    with pytest.raises(ConfigurationError):
        build_folds(0, 50 * UNIT_MS, count, Decimal(train), Timeframe.M1)
