"""Reading recordings: columns, times, units, and errors that say what to change."""

from decimal import Decimal

import pytest

from smarttrade.errors import ConfigurationError
from smarttrade.simulator.files import load_recording, milliseconds


def write(tmp_path, text, name="data.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "value",
    ["1640991660", "1640991660000", 1640991660000000, "1640991660000000000", "2021-12-31 23:01:00.000000",
     "2021-12-31T23:01:00+00:00", "2022-01-01 00:01:00+01:00"],
)  # fmt: skip
def test_times_of_any_unit_and_form(value):
    assert milliseconds(value) == 1640991660000


def test_candles(tmp_path):
    path = write(tmp_path, "timestamp,open,high,low,close,volume\n60,1.5,2,1,1.75,10\n0,1,2,1,1.5,20\n")
    recording = load_recording(path)
    assert [candle.open_ms for candle in recording.candles] == [0, 60_000]
    assert (recording.interval_ms, recording.start_ms, recording.length_ms) == (60_000, 0, 120_000)


def test_volume_counted_in_quote_becomes_base(tmp_path):
    path = write(tmp_path, "time,open,high,low,close,volume\n0,50,50,50,50,1000\n")
    assert load_recording(path, "quote").candles[0].volume == Decimal(20)


@pytest.mark.parametrize(
    ("header", "row", "sells"),
    [
        ("timestamp,price,amount,side", "1000,5,2,sell", True),
        ("timestamp,price,amount,side", "1000,5,2,buy", False),
        ("time,price,qty,isBuyerMaker", "1000,5,2,true", True),
        ("time,price,quantity,buyer_maker", "1000,5,2,False", False),
    ],
)
def test_trades_and_who_was_the_aggressor(tmp_path, header, row, sells):
    trade = load_recording(write(tmp_path, f"{header}\n{row}\n")).trades[0]
    assert (trade.price, trade.quantity, trade.buyer_is_maker) == (5, 2, sells)


def test_quotes_beside_trades_are_taken_along(tmp_path):
    write(tmp_path, "timestamp,bid,ask,bid_size,ask_size\n1,9,10,1,2\n", "x-quotes.csv")
    path = write(tmp_path, "timestamp,price,amount,side\n2,9,1,sell\n", "x-trades.csv")
    recording = load_recording(path)
    assert (len(recording.trades), recording.quotes[0].ask_size) == (1, 2)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "no rows"),
        ("a.csv", "timestamp,foo\n1,2\n", "neither candles"),
        ("a.csv", "price,amount\n1,2\n", "no time column"),
        ("a.csv", "timestamp,price,amount\n1,abc,2\n", "cannot be read"),
        ("a.txt", "x", "use .csv or .parquet"),
    ],
)
def test_unusable_files_are_named_with_what_is_wrong(tmp_path, name, text, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_recording(write(tmp_path, text, name))
    assert name in str(caught.value)
