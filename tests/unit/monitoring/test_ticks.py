"""Impossible ticks are withheld, extraordinary ones are not."""

import pytest

from smarttrade.monitoring.ticks import impossible_book, impossible_quote, impossible_trade
from tests.unit.monitoring.events import book, quote, trade


@pytest.mark.parametrize(
    ("price", "quantity"), [("0", "1"), ("-5", "1"), ("NaN", "1"), ("5", "0"), ("5", "-1")]
)
def test_impossible_trades_are_named(price: str, quantity: str) -> None:
    assert impossible_trade(trade(1, 1, price, quantity))


@pytest.mark.parametrize(("bid", "ask"), [("0", "1"), ("-1", "1"), ("2", "1"), ("1", "1"), ("1", "Infinity")])
def test_impossible_quotes_are_named(bid: str, ask: str) -> None:
    assert impossible_quote(quote(bid, ask))


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        (["2"], ["1"]),
        (["1"], ["1"]),
        (["1", "2"], ["3"]),
        (["1"], ["3", "2"]),
        (["0"], ["1"]),
        (["NaN"], ["1"]),
    ],
)
def test_impossible_books_are_named(bids: list[str], asks: list[str]) -> None:
    assert impossible_book(book(bids, asks))


def test_a_book_may_be_thin_or_empty() -> None:
    assert impossible_book(book(["2", "1"], ["3", "4"])) == ""
    assert impossible_book(book([], ["3"])) == ""
    assert impossible_book(book([], [])) == ""


def test_a_crash_is_real() -> None:
    assert impossible_trade(trade(1, 1, "0.00000001")) == ""
    assert impossible_quote(quote("0.01", "60000")) == ""
