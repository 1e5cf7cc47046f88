from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from smarttrade.api import Exchange
from smarttrade.backtest.command import read_history
from smarttrade.data.check import check, inspect
from smarttrade.data.coverage import Span, united
from smarttrade.data.history import choose_series, is_store
from smarttrade.data.series import Series, find_series
from smarttrade.data.store import SeriesStore
from smarttrade.errors import ConfigurationError
from smarttrade.simulator.recorded import RecordedCandle
from tests.unit.backtest.recordings import MINUTE_MS, START_MS, account, random_walk

SERIES = Series("binance", "Production", "BTC/USDT", "1m")


def span(candles: list[RecordedCandle]) -> Span:
    return Span(candles[0].open_ms, candles[-1].open_ms + MINUTE_MS)


def fill(root: Path, candles: list[RecordedCandle], series: Series = SERIES) -> SeriesStore:
    store = SeriesStore(root, series)
    with store.locked():
        store.add(candles, span(candles))
    return store


def test_candles_come_back_exactly(tmp_path: Path) -> None:
    candles = random_walk(100)
    candles[7] = replace(candles[7], low=Decimal("0.000000012345678901"), volume=Decimal("99999999999.5"))
    assert fill(tmp_path, candles).read() == candles


def test_units_are_those_of_the_candles_however_large(tmp_path: Path) -> None:
    candles = random_walk(300)
    candles[7] = replace(candles[7], volume=Decimal("99999999999999.12345678"))
    told = list(fill(tmp_path, candles).read_units())
    assert [row[0] for row in told] == [candle.open_ms for candle in candles]
    assert [row[4] for row in told] == [int(candle.close * 10**8) for candle in candles]
    assert [row[5] for row in told] == [int(candle.volume * 10**8) for candle in candles]


def test_a_price_that_is_finer_than_the_backtest_counts_is_refused(tmp_path: Path) -> None:
    candles = random_walk(3)
    candles[1] = replace(candles[1], low=Decimal("0.000000012345"))
    fill(tmp_path, candles)
    with pytest.raises(ConfigurationError, match="more than eight decimals"):
        read_history(tmp_path, account())


@pytest.mark.parametrize("dropped", [(), (0,), (1, 2, 7), (49,), tuple(range(0, 50, 2))])
def test_spans_that_are_present_are_those_of_the_candles(tmp_path: Path, dropped: tuple[int, ...]) -> None:
    february_ms = START_MS + 31 * 1440 * MINUTE_MS
    candles = [replace(c, open_ms=february_ms + (n - 20) * MINUTE_MS) for n, c in enumerate(random_walk(50))]
    kept = [candle for number, candle in enumerate(candles) if number not in dropped]
    assert fill(tmp_path, kept).read_present() == united(span([candle]) for candle in kept)


def test_months_are_files_of_their_own(tmp_path: Path) -> None:
    february_ms = START_MS + 31 * 1440 * MINUTE_MS
    candles = [replace(c, open_ms=february_ms + (n - 3) * MINUTE_MS) for n, c in enumerate(random_walk(6))]
    store = fill(tmp_path, candles)
    assert [file.name for file in store.files()] == ["2022-01.parquet", "2022-02.parquet"]
    assert store.read() == candles


def test_parts_merge_whatever_their_order_and_the_newer_one_counts(tmp_path: Path) -> None:
    candles = random_walk(60)
    store = fill(tmp_path, candles[30:])
    corrected = [replace(candle, volume=Decimal(77)) for candle in candles[20:40]]
    with store.locked():
        store.add(candles[:20], span(candles[:20]))
        store.add(corrected, span(corrected))
    assert store.read() == [*candles[:20], *corrected, *candles[40:]]
    assert store.covered == [span(candles)]


def test_two_downloads_do_not_write_one_series(tmp_path: Path) -> None:
    store = SeriesStore(tmp_path, SERIES)
    with (
        store.locked(),
        pytest.raises(ConfigurationError, match="another download writes binance BTC/USDT 1m"),
        SeriesStore(tmp_path, SERIES).locked(),
    ):
        pass


def test_a_crash_before_the_coverage_is_written_costs_nothing_but_asking_again(tmp_path: Path) -> None:
    candles = random_walk(30)
    store = fill(tmp_path, candles[:20])
    store._merge("2022-01", candles[20:])
    again = SeriesStore(tmp_path, SERIES)
    assert again.missing(span(candles)) == [span(candles[20:])]
    with again.locked():
        again.add(candles[20:], span(candles[20:]))
    assert again.read() == candles


def test_gaps_of_the_exchange_and_what_was_not_downloaded_are_told_apart(tmp_path: Path) -> None:
    candles = random_walk(100)
    store = SeriesStore(tmp_path, SERIES)
    with store.locked():
        store.add(candles[:40] + candles[45:50], span(candles[:50]))
        store.add(candles[70:], span(candles[70:]))
    found = inspect(tmp_path, SERIES)
    assert found.gaps == [span(candles[40:45])]
    assert found.holes == [span(candles[50:70])]
    assert found.candles == 75


def test_a_sound_series_has_no_problems_and_a_spoilt_one_names_them(tmp_path: Path) -> None:
    candles = random_walk(50)
    fill(tmp_path, candles)
    assert check(tmp_path, SERIES).problems == []
    spoilt = [replace(candles[3], high=Decimal(1)), replace(candles[4], open=Decimal(-1), low=Decimal(-1))]
    fill(tmp_path, spoilt)
    problems = check(tmp_path, SERIES).problems
    assert len(problems) == 2
    assert "open or close is outside of low and high" in problems[0]
    assert "a price is not above zero" in problems[1]


def test_a_broken_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    store = fill(tmp_path, random_walk(5))
    store.files()[0].write_bytes(b"PAR1 is not enough")
    assert "delete it and coverage.json beside it" in check(tmp_path, SERIES).problems[0]
    (store.folder / "coverage.json").write_text(json.dumps({"covered": 3}))
    assert "download again to have it made anew" in check(tmp_path, SERIES).problems[0]


def test_the_backtest_reads_a_store(tmp_path: Path) -> None:
    candles = random_walk(200)
    fill(tmp_path, candles)
    assert is_store(tmp_path)
    told = read_history(tmp_path, account())
    assert [candle.close for candle in told.candles["BTC/USDT"]] == [candle.close for candle in candles]


SIMULATOR = Exchange.model_validate({"name": "binance", "environment": "Simulator"})


def test_the_own_environment_comes_first_then_production_and_the_finest_candles() -> None:
    there = [
        SERIES,
        SERIES._replace(timeframe="1h"),
        SERIES._replace(environment="Simulator", timeframe="5m"),
        SERIES._replace(exchange="kraken", timeframe="1s"),
    ]
    assert choose_series(there, SIMULATOR, ["BTC/USDT"]) == {"BTC/USDT": there[2]}
    assert choose_series(there[:2], SIMULATOR, ["BTC/USDT"]) == {"BTC/USDT": SERIES}
    assert choose_series(there[3:], SIMULATOR, ["BTC/USDT"]) == {"BTC/USDT": there[3]}
    assert choose_series(there, SIMULATOR, ["BTC/USDT"], ["1h"]) == {"BTC/USDT": there[1]}


def test_all_markets_must_be_there_in_one_timeframe() -> None:
    there = [SERIES, SERIES._replace(market="ETH/USDT", timeframe="1h")]
    with pytest.raises(ConfigurationError, match="smarttrade data download binance BTC/USDT ETH/USDT"):
        choose_series(there, SIMULATOR, ["BTC/USDT", "ETH/USDT"])


def test_data_of_several_strange_exchanges_is_not_guessed_at() -> None:
    there = [SERIES._replace(exchange="kraken"), SERIES._replace(exchange="okx")]
    with pytest.raises(ConfigurationError, match="kraken Production, okx Production"):
        choose_series(there, SIMULATOR, ["BTC/USDT"])


def test_series_are_found_by_their_folders(tmp_path: Path) -> None:
    names = [SERIES, SERIES._replace(market="ETH/USDT"), SERIES._replace(environment="Simulator")]
    for name in names:
        fill(tmp_path, random_walk(2), name)
    assert find_series(tmp_path) == sorted(names)
