from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet as parquet
import pytest

from smarttrade.backtest.history import build_history, check_timeframes, load_history
from smarttrade.backtest.reading import read_candles
from smarttrade.errors import ConfigurationError
from smarttrade.simulator.files import load_recording
from smarttrade.simulator.recorded import RecordedTrade, Recording
from tests.unit.backtest.recordings import MINUTE_MS, START_MS, flat, history, random_walk


def test_intervals_that_are_missing_are_flat_at_the_close_before() -> None:
    candles = random_walk(10)
    told = history(candles[:4] + candles[6:]).candles["BTC/USDT"]
    assert len(told) == 10
    assert [(c.open, c.high, c.low, c.close, c.volume) for c in told[4:6]] == [
        (candles[3].close,) * 4 + (Decimal(0),)
    ] * 2


def test_a_longer_candle_is_made_of_whole_parts_only() -> None:
    candles = random_walk(13)[2:]
    steps = list(history(candles).steps(["5m", "1m"]))
    fives = [candle for step in steps for candle in step.told if candle.timeframe == "5m"]
    assert [candle.open_ms for candle in fives] == [START_MS + 5 * MINUTE_MS]
    parts = random_walk(13)[5:10]
    assert fives[0].open == parts[0].open
    assert fives[0].high == max(part.high for part in parts)
    assert fives[0].low == min(part.low for part in parts)
    assert fives[0].close == parts[-1].close
    assert fives[0].volume == sum(part.volume for part in parts)


def test_shorter_timeframes_come_first_within_an_instant() -> None:
    last = list(history(random_walk(5)).steps(["5m", "1m"]))[-1]
    assert [candle.timeframe for candle in last.told] == ["1m", "5m"]


def test_finer_candles_than_the_data_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot be made of candles of 60 s"):
        check_timeframes(history(flat(5)), ["1s"])


def test_a_directory_holds_one_file_a_market(tmp_path: Path) -> None:
    rows = "timestamp,open,high,low,close,volume\n0,1,2,1,2,5\n60,2,3,2,3,5\n"
    for name in ("BTC-USDT.csv", "ETHUSDT.csv"):
        (tmp_path / name).write_text(rows)
    told = load_history(tmp_path, ["BTC/USDT", "ETH/USDT"])
    assert [candle.close for candle in told.candles["ETH/USDT"]] == [Decimal(2), Decimal(3)]
    with pytest.raises(ConfigurationError, match="no file for XRP/USDT: name it XRP-USDT"):
        load_history(tmp_path, ["XRP/USDT"])


def test_one_file_cannot_serve_two_markets(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="give a directory"):
        load_history(tmp_path / "x.csv", ["BTC/USDT", "ETH/USDT"])


def test_trades_are_refused_with_what_to_do() -> None:
    trades = [RecordedTrade(START_MS, Decimal(1), Decimal(1), False)]
    with pytest.raises(ConfigurationError, match="has no candles"):
        build_history({"BTC/USDT": Recording([], trades, [])})


def test_a_file_of_candles_reads_as_its_recording_does(tmp_path: Path) -> None:
    file = tmp_path / "BTC-USDT.csv"
    rows = [f"{c.open_ms},{c.open},{c.high},{c.low},{c.close},{c.volume}" for c in random_walk(50)]
    file.write_text("Timestamp,open,high,low,close,volume\n" + "\n".join([*rows[30:], *rows[:30]]) + "\n")
    read, built = load_history(file, ["BTC/USDT"]), build_history({"BTC/USDT": load_recording(file)})
    assert list(read.candles["BTC/USDT"]) == list(built.candles["BTC/USDT"])
    assert read.candles["BTC/USDT"][0].open == random_walk(1)[0].open


def test_a_value_that_is_no_number_is_named_with_its_row(tmp_path: Path) -> None:
    file = tmp_path / "BTC-USDT.csv"
    file.write_text("timestamp,open,high,low,close\n0,1,1,1,1\n60,1,x,1,1\n")
    with pytest.raises(ConfigurationError, match="row 3"):
        load_history(file, ["BTC/USDT"])


def test_numbers_beyond_64_bits_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "BTC-USDT.csv"
    file.write_text("timestamp,open,high,low,close,volume\n0,1,1,1,1,123456789012345.5\n60,1,1,1,1,1\n")
    assert load_history(file, ["BTC/USDT"]).candles["BTC/USDT"][0].volume == Decimal("123456789012345.5")


def test_parquet_and_rows_out_of_order_read_as_the_file_in_order_does(tmp_path: Path) -> None:
    rows = [(c.open_ms, c.open, c.high, c.low, c.close, c.volume) for c in random_walk(30)]
    names = ("timestamp", "Open", "High", "Low", "Close", "Volume")
    for name, told in (("ordered", rows), ("shuffled", rows[20:] + rows[:20])):
        text = "\n".join(",".join(map(str, row)) for row in told)
        (tmp_path / f"{name}.csv").write_text(f"{','.join(names)}\n{text}\n")
    table = pyarrow.table({name: [row[n] for row in rows] for n, name in enumerate(names)})
    parquet.write_table(table, tmp_path / "table.parquet", row_group_size=7)
    files = ("ordered.csv", "shuffled.csv", "table.parquet")
    ordered, *others = (list(read_candles(tmp_path / file, "BTC/USDT")) for file in files)
    assert len(ordered) == 30
    assert others == [ordered, ordered]
