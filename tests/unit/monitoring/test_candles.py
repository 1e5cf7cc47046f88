"""Final candles: none missing, none twice, none out of order, none guessed."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarttrade.messages import Candle
from smarttrade.monitoring.candles import SETTLE_MS, CandleBuilder, contiguous
from smarttrade.timeframe import Timeframe
from tests.unit.monitoring.events import MARKET, MINUTE, candle, moment, trade, venue_candle


def builder(*, trust_trades: bool = True, complete: bool = True) -> CandleBuilder:
    """The newest final candle opened at 0; the next one opens at one minute."""
    made = CandleBuilder(candle(0, "90"), trust_trades=trust_trades)
    if complete:
        made.complete_after(0)
    return made


def shape(made: Candle) -> tuple[str, ...]:
    return tuple(str(value) for value in (made.open, made.high, made.low, made.close, made.volume))


def test_first_trade_of_the_next_interval_makes_a_candle_final() -> None:
    made = builder()
    for number, (offset, price) in enumerate([(0, "100"), (10, "105"), (20, "95"), (59_999, "101")]):
        assert made.on_trade(trade(number, MINUTE + offset, price, "2")) == []
    [final] = made.on_trade(trade(9, 2 * MINUTE, "102"))
    assert shape(final) == ("100", "105", "95", "101", "8")
    assert (final.open_ms, final.close_ms, final.final) == (MINUTE, 2 * MINUTE, True)


def test_the_exchanges_flag_makes_a_candle_final_with_the_exchanges_values() -> None:
    made = builder()
    made.on_trade(trade(1, MINUTE, "100"))
    [final] = made.on_exchange_candle(venue_candle(MINUTE, "103", "7", closed=True))
    assert shape(final) == ("103", "103", "103", "103", "7")


def test_a_running_candle_of_the_exchange_makes_nothing_final() -> None:
    assert builder().on_exchange_candle(venue_candle(MINUTE, closed=False)) == []


def test_an_interval_without_trades_is_flat_two_seconds_after_its_end() -> None:
    made = builder()
    assert made.on_time(2 * MINUTE + SETTLE_MS - 1, fresh=True) == []
    [final] = made.on_time(2 * MINUTE + SETTLE_MS, fresh=True)
    assert shape(final) == ("90", "90", "90", "90", "0")


def test_silence_of_a_stream_that_is_not_fresh_proves_nothing() -> None:
    made = builder()
    assert made.on_time(9 * MINUTE, fresh=False) == []
    assert made.overdue(2 * MINUTE + SETTLE_MS)


def test_a_candle_with_missed_trades_is_fetched_not_guessed() -> None:
    made = builder(complete=False)
    made.on_trade(trade(5, MINUTE + 30_000, "100"))
    made.complete_after(MINUTE + 30_000)
    assert made.on_trade(trade(6, 2 * MINUTE, "101")) == []
    assert made.overdue(2 * MINUTE + SETTLE_MS)
    [final] = made.on_history([venue_candle(MINUTE, "99", "12")], 2 * MINUTE)
    assert shape(final) == ("99", "99", "99", "99", "12")
    [following] = made.on_trade(trade(7, 3 * MINUTE, "104"))
    assert shape(following) == ("101", "101", "101", "101", "1")


def test_an_interruption_makes_the_running_candle_uncertain() -> None:
    made = builder()
    made.on_trade(trade(1, MINUTE, "100"))
    made.incomplete()
    made.complete_after(MINUTE + 10)
    assert made.on_trade(trade(9, 2 * MINUTE)) == []


def test_an_exchange_without_counted_trade_ids_is_never_believed_to_be_complete() -> None:
    made = builder(trust_trades=False)
    made.on_trade(trade(1, MINUTE))
    assert made.on_trade(trade(2, 2 * MINUTE)) == []
    assert made.on_time(9 * MINUTE, fresh=True) == []


def test_intervals_that_the_exchange_leaves_out_are_flat() -> None:
    finals = builder().on_history([venue_candle(3 * MINUTE, "120")], 5 * MINUTE)
    assert [(final.open_ms // MINUTE, str(final.close), str(final.volume)) for final in finals] == [
        (1, "90", "0"),
        (2, "90", "0"),
        (3, "120", "1"),
        (4, "120", "0"),
    ]


def test_a_candle_that_has_not_ended_stays_out_of_fetched_history() -> None:
    assert builder().on_history([venue_candle(MINUTE)], 2 * MINUTE - 1) == []


def test_a_later_closed_candle_waits_for_the_missing_one() -> None:
    made = builder(complete=False)
    assert made.on_exchange_candle(venue_candle(2 * MINUTE, "102", closed=True)) == []
    finals = made.on_exchange_candle(venue_candle(MINUTE, "101", closed=True))
    assert [final.open_ms // MINUTE for final in finals] == [1]
    assert [final.open_ms // MINUTE for final in made.on_time(3 * MINUTE + SETTLE_MS, True)] == [2]


def test_a_flag_that_comes_first_is_compared_with_the_trades_once_they_are_all_there() -> None:
    made = builder()
    made.on_trade(trade(1, MINUTE, "100"))
    [final] = made.on_exchange_candle(venue_candle(MINUTE, "100", "2", closed=True))
    assert final.volume == 2
    assert made.on_trade(trade(2, MINUTE + 59_999, "100")) == []  # behind the flag, and in its volume
    made.on_trade(trade(3, 2 * MINUTE, "100"))
    assert made.mismatches == 0
    made.on_exchange_candle(venue_candle(2 * MINUTE, "100", "7", closed=True))
    made.on_trade(trade(4, 3 * MINUTE, "100"))
    assert made.mismatches == 1


def test_what_was_missed_of_a_flagged_candle_is_not_held_against_it() -> None:
    made = builder(complete=False)
    made.on_trade(trade(1, MINUTE, "100"))
    made.on_exchange_candle(venue_candle(MINUTE, "100", "9", closed=True))
    made.on_trade(trade(2, 2 * MINUTE, "100"))
    assert made.mismatches == 0


def test_intervals_after_a_corrected_candle_are_flat_at_its_close() -> None:
    made = builder()
    made.on_trade(trade(1, MINUTE, "100"))
    [final] = made.on_time(2 * MINUTE + SETTLE_MS, fresh=True)
    made.correct(msgspec.structs.replace(final, close=Decimal(104)))
    [flat] = made.on_time(3 * MINUTE + SETTLE_MS, fresh=True)
    assert shape(flat) == ("104", "104", "104", "104", "0")


@pytest.mark.parametrize(
    ("timeframe", "opens"),
    [
        ("3d", ["2023-12-29", "2024-01-01", "2024-01-04", "2024-01-07"]),
        ("1w", ["2023-12-25", "2024-01-01", "2024-01-08", "2024-01-15"]),
        ("1M", ["2023-12-01", "2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"]),
    ],
)
def test_candles_of_several_days_follow_the_calendar(timeframe: str, opens: list[str]) -> None:
    first, *later = (moment(day) for day in opens)
    made = CandleBuilder(candle(first, "90", later[0] - first, timeframe), trust_trades=True)
    made.complete_after(first)
    finals = []
    for number, open_ms in enumerate(later):
        finals += made.on_trade(trade(number, open_ms, str(100 + number)))
        finals += made.on_trade(trade(10 + number, open_ms + 86_400_000, "90"))
    assert [final.open_ms for final in finals] == later[:-1]
    assert [final.close_ms for final in finals] == later[1:]
    assert [shape(final) for final in finals[:2]] == [
        ("100", "100", "90", "90", "2"),
        ("101", "101", "90", "90", "2"),
    ]
    after = Timeframe(timeframe).step(later[-1])
    assert not made.overdue(after)
    assert made.on_time(after + SETTLE_MS - 1, fresh=True) == []
    [settled] = made.on_time(after + SETTLE_MS, fresh=True)
    assert (settled.open_ms, settled.close_ms) == (later[-1], after)


def test_a_month_that_the_exchange_left_out_is_flat_and_as_long_as_it_was() -> None:
    january, february, march = moment("2024-01-01"), moment("2024-02-01"), moment("2024-03-01")
    rows = [venue_candle(moment("2023-12-01"), "80"), venue_candle(january, "90"), venue_candle(march, "95")]
    made = contiguous(rows, MARKET, "1M", moment("2024-04-01"))
    assert [(c.open_ms, c.close_ms, c.close) for c in made[2:]] == [
        (february, march, Decimal(90)),
        (march, moment("2024-04-01"), Decimal(95)),
    ]
    assert contiguous(rows, MARKET, "1M", moment("2024-03-31"))[-1].open_ms == february


def test_a_fetched_candle_that_begins_where_none_should_shifts_no_other() -> None:
    rows = [venue_candle(moment("2023-12-14"), "70"), venue_candle(moment("2024-01-01"), "90")]
    [made] = contiguous(rows, MARKET, "1M", moment("2024-02-01"))
    assert (made.open_ms, made.close) == (moment("2024-01-01"), 90)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("trade"), st.integers(0, 20 * MINUTE)),
            st.tuples(st.just("flag"), st.integers(0, 20)),
            st.tuples(st.just("time"), st.integers(0, 22 * MINUTE)),
            st.tuples(st.just("cut"), st.just(0)),
            st.tuples(st.just("rest"), st.integers(0, 22 * MINUTE)),
        ),
        max_size=60,
    )
)
def test_whatever_happens_candles_are_contiguous(steps: list[tuple[str, int]]) -> None:
    made = builder()
    finals: list[Candle] = []
    for number, (kind, value) in enumerate(steps):
        match kind:
            case "trade":
                finals += made.on_trade(trade(number, value))
            case "flag":
                finals += made.on_exchange_candle(venue_candle(value * MINUTE, closed=True))
            case "time":
                finals += made.on_time(value, fresh=True)
            case "cut":
                made.incomplete()
            case _:
                finals += made.on_history([], value)
    assert [final.open_ms for final in finals] == [MINUTE * (1 + i) for i in range(len(finals))]


def test_fetched_pages_become_contiguous_candles() -> None:
    rows = [venue_candle(2 * MINUTE, "10"), venue_candle(0, "8"), venue_candle(3 * MINUTE, "11")]
    made = contiguous(rows, MARKET, "1m", 3 * MINUTE)
    assert [(c.open_ms // MINUTE, c.close, c.volume) for c in made] == [
        (0, Decimal(8), Decimal(1)),
        (1, Decimal(8), Decimal(0)),
        (2, Decimal(10), Decimal(1)),
    ]
    assert contiguous([], MARKET, "1m", 3 * MINUTE) == []
