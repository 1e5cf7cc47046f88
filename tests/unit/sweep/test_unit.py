from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.trades import TradeHistory, build_trade_history
from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.loading import SOURCE_DIRECTORY
from smarttrade.simulator.recorded import RecordedTrade, Recording
from smarttrade.sweep.cut import cut
from smarttrade.sweep.results import Results, build_fingerprint
from smarttrade.sweep.splits import Fold, build_folds
from smarttrade.sweep.unit import Work, is_possible, run_unit, with_parameters
from smarttrade.timeframe import Timeframe
from tests.unit.backtest.recordings import MINUTE_MS, START_MS, account, history, random_walk

CANDLES = random_walk(600)
FOLDS = build_folds(START_MS + 100 * MINUTE_MS, START_MS + 600 * MINUTE_MS, 2, Decimal("0.6"), Timeframe.M1)


def build(**account_fields: object) -> Work:
    return Work(
        account(parameters={"fast": 3, "slow": 8}, **account_fields),
        history(CANDLES),
        Assumptions(),
        tuple(FOLDS),
        SOURCE_DIRECTORY,
    )


def test_a_cut_history_is_the_same_candles() -> None:
    part = cut(history(CANDLES), START_MS + 10 * MINUTE_MS, START_MS + 20 * MINUTE_MS)
    assert list(part.candles["BTC/USDT"]) == list(history(CANDLES).candles["BTC/USDT"])[10:20]
    assert (part.first_ms, part.last_ms) == (START_MS + 10 * MINUTE_MS, START_MS + 20 * MINUTE_MS)


def test_a_cut_beyond_the_data_is_the_data() -> None:
    whole = cut(history(CANDLES), 0, 2 * START_MS)
    assert list(whole.candles["BTC/USDT"]) == list(history(CANDLES).candles["BTC/USDT"])


def test_a_cut_history_of_trades_has_the_trades_of_that_time() -> None:
    trades = [
        RecordedTrade(START_MS + n * 700, Decimal(100) + n % 7, Decimal(1), bool(n % 2)) for n in range(400)
    ]
    whole = build_trade_history({"BTC/USDT": Recording([], trades, [])})
    begin_ms, end_ms = START_MS + 60_000, START_MS + 120_000
    part = cut(whole, begin_ms, end_ms)
    assert isinstance(part, TradeHistory)
    assert (part.first_ms, part.last_ms) == (begin_ms, end_ms)
    expected = [each for each in whole.events["BTC/USDT"] if begin_ms <= each.time_ms < end_ms]
    assert part.events["BTC/USDT"] == expected
    assert expected


def test_both_samples_trade_exactly_their_own_time() -> None:
    outcome = run_unit(build(), {"fast": 2, "slow": 9}, 1)
    fold = FOLDS[1]
    assert outcome.in_sample["bars"] == (fold.split_ms - fold.begin_ms) // MINUTE_MS
    assert outcome.out_of_sample["bars"] == (fold.end_ms - fold.split_ms) // MINUTE_MS
    assert outcome.in_sample["trades"] > 0


def test_the_parameters_replace_those_of_the_manifest() -> None:
    changed = with_parameters(build().account, {"fast": 4})
    assert changed.spec.strategy.parameters == {"fast": 4, "slow": 8}
    assert is_possible(changed, {"slow": 5}, SOURCE_DIRECTORY)
    assert not is_possible(changed, {"slow": 4}, SOURCE_DIRECTORY)


def test_results_come_back_and_belong_to_one_sweep(tmp_path: Path) -> None:
    work, path = build(), tmp_path / "sweep.sqlite"
    outcome = run_unit(work, {"fast": 2, "slow": 9}, 0)
    with Results.open(path, build_fingerprint(work, ["fast"])) as results:
        results.add(outcome)
    with Results.open(path, build_fingerprint(work, ["fast"])) as results:
        assert results.get({"slow": 9, "fast": 2}, 0) == outcome
        assert results.get({"slow": 9, "fast": 2}, 1) is None
        assert list(results.all()) == [outcome]
    with pytest.raises(ConfigurationError, match="the results of another sweep"):
        Results.open(path, build_fingerprint(build(state="Paused"), ["fast"]))


def test_a_result_depends_on_everything_but_the_swept_parameters() -> None:
    work = build()
    known = build_fingerprint(work, ["fast"])
    swept = Work(with_parameters(work.account, {"fast": 5}), *_rest(work))
    other = Work(with_parameters(work.account, {"slow": 9}), *_rest(work))
    folds = Work(work.account, work.history, work.assumptions, (Fold(0, 1, 2),), work.source)
    data = Work(work.account, history(random_walk(600, seed=2)), *_rest(work)[1:])
    assert build_fingerprint(swept, ["fast"]) == known
    assert len({known, *(build_fingerprint(each, ["fast"]) for each in (other, folds, data))}) == 4


def _rest(work: Work) -> tuple[object, ...]:
    return work.history, work.assumptions, work.folds, work.source


def test_a_file_that_is_no_results_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, and certainly not a database\n" * 99)
    with pytest.raises(ConfigurationError, match=r"notes\.txt cannot hold results"):
        Results.open(path, "x")
