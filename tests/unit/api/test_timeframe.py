"""When candles begin: Binance's calendar."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarttrade.api import Timeframe
from smarttrade.simulator.candles import INTERVALS, interval_end, interval_start

DAY = 86_400_000
MOMENTS = st.integers(0, 4_102_444_800_000)


def moment(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("timeframe", "opens", "after"),
    [
        ("4h", "2024-02-29T20:00", "2024-03-01"),
        ("1d", "2024-02-29", "2024-03-01"),
        ("3d", "2017-08-17", "2017-08-20"),
        ("3d", "2024-01-01", "2024-01-04"),
        ("1w", "2017-08-14", "2017-08-21"),
        ("1w", "2024-12-30", "2025-01-06"),
        ("1M", "2024-02-01", "2024-03-01"),
        ("1M", "2023-02-01", "2023-03-01"),
        ("1M", "2024-12-01", "2025-01-01"),
        ("1M", "1970-01-01", "1970-02-01"),
    ],
)
def test_a_candle_begins_by_the_calendar(timeframe: str, opens: str, after: str) -> None:
    frame, open_ms, after_ms = Timeframe(timeframe), moment(opens), moment(after)
    assert frame.start(open_ms) == frame.start(after_ms - 1) == open_ms
    assert frame.start(after_ms) == frame.step(open_ms) == after_ms
    assert frame.step(after_ms, -1) == open_ms
    assert after_ms - open_ms <= frame.milliseconds


@given(st.sampled_from(Timeframe), MOMENTS, st.integers(-200, 200))
def test_steps_lead_from_one_beginning_to_another(frame: Timeframe, time_ms: int, count: int) -> None:
    open_ms = frame.start(time_ms)
    assert open_ms <= time_ms < frame.step(open_ms)
    there = frame.step(open_ms, count)
    assert frame.start(there) == there
    assert frame.step(there, -count) == open_ms


@given(st.sampled_from(Timeframe), MOMENTS)
def test_the_simulated_exchange_has_the_same_calendar(frame: Timeframe, time_ms: int) -> None:
    open_ms = interval_start(frame.value, time_ms)
    assert frame.start(time_ms) == open_ms
    assert frame.step(open_ms) == interval_end(frame.value, open_ms) + 1


def test_every_interval_of_the_exchange_is_a_timeframe() -> None:
    assert set(INTERVALS) == set(Timeframe)


@given(st.sampled_from(Timeframe), MOMENTS, st.integers(1, 100))
def test_a_warm_up_holds_its_candles_wherever_days_begin(frame: Timeframe, time_ms: int, count: int) -> None:
    begin_ms = time_ms - time_ms % min(DAY, frame.milliseconds)
    first_ms = frame.start(begin_ms)
    first_ms = first_ms if first_ms == begin_ms else frame.step(first_ms)
    assert frame.step(first_ms, count) <= begin_ms + frame.span_ms(count)
