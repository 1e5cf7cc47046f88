"""When the candles begin that strategies ask for by date."""

from datetime import UTC, datetime

import pytest

from smarttrade.freqtrade.timeframes import (
    date_minus_candles,
    timeframe_to_next_date,
    timeframe_to_prev_date,
)


@pytest.mark.parametrize(
    ("timeframe", "opened", "following"),
    [
        ("5m", datetime(2024, 1, 2, 13, 5, tzinfo=UTC), datetime(2024, 1, 2, 13, 10, tzinfo=UTC)),
        ("3d", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 4, tzinfo=UTC)),
        ("1w", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 8, tzinfo=UTC)),
    ],
)
def test_a_date_lies_in_the_candle_that_the_feed_delivers(
    timeframe: str, opened: datetime, following: datetime
) -> None:
    now = datetime(2024, 1, 2, 13, 7, 30, tzinfo=UTC)
    assert timeframe_to_prev_date(timeframe, now) == opened
    assert timeframe_to_next_date(timeframe, now) == following
    assert date_minus_candles(timeframe, 1, following) == opened
