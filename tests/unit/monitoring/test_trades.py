"""Every trade once and in order, and no gap unnoticed."""

from decimal import Decimal

import msgspec

from smarttrade.messages import Trade
from smarttrade.monitoring.trades import TradeSequence
from tests.unit.monitoring.events import trade


def numbers(trades: list[Trade]) -> list[int]:
    return [int(each.id) for each in trades]


def trades(*ids: int) -> list[Trade]:
    return [trade(number, number) for number in ids]


def test_repeated_and_disordered_trades_come_once_and_in_order() -> None:
    sequence = TradeSequence(consecutive=True)
    assert numbers(sequence.accept(trades(12, 11, 11)).trades) == [11, 12]
    assert numbers(sequence.accept(trades(12, 13, 11)).trades) == [13]


def test_what_comes_after_a_gap_is_held() -> None:
    sequence = TradeSequence(consecutive=True)
    sequence.accept(trades(1))
    accepted = sequence.accept(trades(2, 5, 6))
    assert numbers(accepted.trades) == [2]
    assert numbers(accepted.held) == [5, 6]
    assert (accepted.first_missing, accepted.last_missing) == (3, 4)


def test_a_filled_gap_releases_what_was_held() -> None:
    sequence = TradeSequence(consecutive=True)
    sequence.accept(trades(1))
    held = sequence.accept(trades(4)).held
    assert numbers(sequence.accept([*trades(2, 3), *held]).trades) == [2, 3, 4]


def test_a_gap_that_cannot_be_filled_is_skipped_on_purpose_only() -> None:
    sequence = TradeSequence(consecutive=True)
    sequence.accept(trades(1))
    held = sequence.accept(trades(4)).held
    assert sequence.accept(held).gap
    assert numbers(sequence.skip_to(held).trades) == [4]
    assert numbers(sequence.accept(trades(5)).trades) == [5]


def test_without_counted_ids_repeated_trades_are_recognised() -> None:
    sequence = TradeSequence(consecutive=False)
    first = trades(7, 3)
    assert sequence.accept(first).trades == first
    assert numbers(sequence.accept(trades(3, 9)).trades) == [9]


def test_what_was_before_the_start_is_not_checked_for_holes() -> None:
    sequence = TradeSequence(consecutive=True)
    sequence.start_after(trades(3, 5, 9))
    assert numbers(sequence.accept(trades(5, 9, 10)).trades) == [10]


def test_a_market_whose_ids_have_holes_goes_on_without_them() -> None:
    sequence = TradeSequence(consecutive=True)
    sequence.start_after(trades(1, 3))
    sequence.consecutive = False
    assert numbers(sequence.accept(trades(3, 6, 8)).trades) == [6, 8]


def nameless(*times_ms: int, price: str = "100") -> list[Trade]:
    return [msgspec.structs.replace(trade(0, time_ms, price), id="") for time_ms in times_ms]


def test_equal_trades_without_ids_of_one_connection_are_two_with_names_of_their_own() -> None:
    sequence = TradeSequence(consecutive=False)
    first = sequence.accept(nameless(5, 5)).trades
    second = sequence.accept(nameless(5)).trades
    assert len({each.id for each in first + second}) == 3
    elsewhere = TradeSequence(consecutive=False).accept(nameless(5, 5, 5)).trades
    assert elsewhere == first + second


def test_a_page_repeats_no_trade_that_another_way_told_with_whole_seconds_or_an_id() -> None:
    sequence = TradeSequence(consecutive=False)
    sequence.accept(nameless(7_250, 7_800))
    assert sequence.accept([trade(41, 7_000), trade(42, 7_000)], overlapping=True).trades == []
    assert numbers(sequence.accept([trade(42, 7_000), trade(43, 9_000)], overlapping=True).trades) == [43]


def test_a_page_of_another_price_is_another_trade_and_what_is_too_old_stays_out() -> None:
    sequence = TradeSequence(consecutive=False)
    sequence.accept(nameless(1_000, 8_000))
    page = [*nameless(4_000, price="99"), *nameless(8_000, price="101")]
    assert [each.price for each in sequence.accept(page, overlapping=True).trades] == [Decimal(101)]
    assert not sequence.overlaps(nameless(8_500, price="98"))
    assert sequence.overlaps(nameless(8_000))
