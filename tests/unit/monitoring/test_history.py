"""Past and present are one sequence of candles."""

import pytest

from smarttrade.errors import VenueError
from smarttrade.exchange.candle import VenueCandle
from smarttrade.messages import Candle
from smarttrade.monitoring.history import CandleHistory
from tests.unit.monitoring.events import MARKET, MINUTE, trade, venue_candle

NOW = 5_000 * MINUTE + 30_000


class Exchange:
    """Candles of every minute since `first`, except the ones left out."""

    def __init__(self, first: int = 0, left_out: tuple[int, ...] = ()) -> None:
        self.first, self.left_out = first, left_out
        self.asked = 0

    async def fetch_candles(
        self, symbol: str, timeframe: str, since_ms: int, limit: int
    ) -> list[VenueCandle]:
        self.asked += 1
        begin = max(self.first, -(-since_ms // MINUTE))
        minutes = [minute for minute in range(begin, NOW // MINUTE + 1) if minute not in self.left_out]
        return [venue_candle(minute * MINUTE, str(minute + 1)) for minute in minutes[:limit]]


def history(exchange: Exchange) -> CandleHistory:
    return CandleHistory(exchange, MARKET, "1m", MINUTE, lambda: NOW, trust_trades=True)


def minutes(candles: list[Candle]) -> list[int]:
    return [candle.open_ms // MINUTE for candle in candles]


async def test_the_newest_candles_end_with_the_last_one_that_has_ended() -> None:
    assert minutes(await history(Exchange()).newest(3)) == [4_997, 4_998, 4_999]


async def test_long_histories_are_fetched_in_pages_and_without_holes() -> None:
    newest = await history(Exchange(left_out=(3_000, 3_001))).newest(2_500)
    assert minutes(newest) == list(range(2_500, 5_000))
    assert newest[500].volume == 0
    assert newest[500].close == newest[499].close


async def test_pages_before_a_time_continue_each_other() -> None:
    made = history(Exchange())
    newer = await made.newest(400)
    older = await made.newest(400, newer[0].open_ms)
    assert minutes(older + newer) == list(range(4_200, 5_000))


async def test_a_young_market_gives_what_there_is() -> None:
    assert minutes(await history(Exchange(first=4_990)).newest(1_000)) == list(range(4_990, 5_000))


async def test_a_market_without_candles_says_so() -> None:
    with pytest.raises(VenueError, match="no 1m candles"):
        await history(Exchange(first=9_999)).newest(1)


async def test_live_candles_follow_the_fetched_ones() -> None:
    made = history(Exchange())
    builder = await made.open()
    builder.complete_after(0)
    made.append(builder.on_trade(trade(1, 5_001 * MINUTE)))
    assert minutes(await made.newest(2)) == [4_999, 5_000]


async def test_what_was_fetched_is_not_fetched_again() -> None:
    exchange = Exchange()
    made = history(exchange)
    await made.newest(300)
    asked = exchange.asked
    await made.newest(250)
    assert exchange.asked == asked
