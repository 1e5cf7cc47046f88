"""What an exchange's answers prove of its time, and how little an absent one does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarttrade.errors import VenueError
from smarttrade.exchange.exchange_time import OffsetBounds, ToldTime, ask_time, read_date

DATE = {"Date": "Mon, 30 Nov 2026 12:00:07 GMT"}
AT_MS = 1_796_040_007_000


class Ccxt:
    """As much of an instance of ccxt as is asked for its time."""

    def __init__(self, headers: dict[str, str] | None, time_ms: int | None = None) -> None:
        self.has = {"fetchTime": time_ms is not None}
        self.last_response_headers = headers
        self._time_ms = time_ms

    async def fetch_time(self) -> Any:
        return self._time_ms

    async def fetch_order_book(self, symbol: str) -> Any:
        return {"bids": [], "asks": []}


async def test_the_clock_of_an_exchange_counts_before_the_date_of_its_answer() -> None:
    assert await ask_time(Ccxt(DATE, 5_000), "BTC/USDT") == ToldTime(5_000, 0)
    assert await ask_time(Ccxt(DATE), "BTC/USDT") == ToldTime(AT_MS, 1_000)


@pytest.mark.parametrize("headers", [None, {}, {"Date": "yesterday"}, {**DATE, "Age": "old"}])
async def test_an_exchange_that_tells_no_time_says_so(headers: dict[str, str] | None) -> None:
    with pytest.raises(VenueError, match="does not tell its time"):
        await ask_time(Ccxt(headers), "BTC/USDT")


def test_a_cached_answer_is_as_much_older_as_it_says() -> None:
    assert read_date({"date": DATE["Date"], "age": "30"}) == ToldTime(AT_MS + 30_000, 1_000)


@given(
    st.integers(-(10**9), 10**9),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400), st.integers(0, 5_000)), min_size=1),
)
def test_the_true_offset_is_always_within_the_bounds(
    offset_ms: int, answers: list[tuple[int, int, int]]
) -> None:
    bounds, local_ms = OffsetBounds(), 0
    for there_ms, back_ms, pause_ms in answers:
        told = (local_ms + there_ms + offset_ms) // 1_000 * 1_000
        bounds.add(local_ms, ToldTime(told, 1_000), local_ms + there_ms + back_ms)
        best = bounds.best()
        assert best is not None
        assert abs(best.ms - offset_ms) <= best.error_ms + 1e-6
        local_ms += there_ms + back_ms + pause_ms


def test_asked_when_a_second_should_begin_every_date_halves_the_doubt() -> None:
    bounds, offset_ms, local_ms = OffsetBounds(), 123_456.7, 0.0
    for _ in range(7):
        told = int(local_ms + 5 + offset_ms) // 1_000 * 1_000
        bounds.add(local_ms, ToldTime(told, 1_000), local_ms + 10)
        local_ms += 100
        local_ms += bounds.wait_ms(local_ms)
    best = bounds.best()
    assert best is not None
    assert best.error_ms < 25
    assert abs(best.ms - offset_ms) <= best.error_ms
