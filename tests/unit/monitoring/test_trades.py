"""Every trade once and in order, and no gap unnoticed."""

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
