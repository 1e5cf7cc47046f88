"""Past and present are one sequence of candles."""

import pytest

from smarttrade.errors import VenueError
from smarttrade.exchange.candle import VenueCandle
from smarttrade.messages import Candle
from smarttrade.monitoring.history import CandleHistory
from tests.unit.monitoring.events import MARKET, MINUTE, moment, trade, venue_candle

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
    return CandleHistory(exchange, MARKET, "1m", lambda: NOW, trust_trades=True)


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


class Months:
    """An exchange of candles whose beginnings the test gives; asked for times before 1970 it refuses."""

    def __init__(self, *opens: int) -> None:
        self.opens = opens

    async def fetch_candles(
        self, symbol: str, timeframe: str, since_ms: int, limit: int
    ) -> list[VenueCandle]:
        if since_ms < 0:
            raise VenueError("startTime is below zero")
        return [venue_candle(open_ms) for open_ms in self.opens if open_ms >= since_ms][:limit]


async def test_a_history_of_months_goes_as_far_back_as_the_market_does() -> None:
    opens = [moment(f"{2017 + n // 12}-{n % 12 + 1:02}-01") for n in range(7, 86)]
    made = CandleHistory(
        Months(*opens), MARKET, "1M", lambda: moment("2024-02-01") + 5_000, trust_trades=True
    )
    assert [candle.open_ms for candle in await made.newest(2)] == opens[-3:-1]
    assert [candle.open_ms for candle in await made.newest(1_000)] == opens[:-1]
    builder = await made.open()
    assert builder.next_open_ms == moment("2024-02-01")
    assert not builder.overdue(moment("2024-03-01") + 1_999)
    assert builder.overdue(moment("2024-03-01") + 2_000)


async def test_an_exchange_whose_weeks_begin_on_another_day_is_not_believed_to_have_had_none() -> None:
    thursdays = [moment("2024-01-04"), moment("2024-01-11"), moment("2024-01-18")]
    made = CandleHistory(Months(*thursdays), MARKET, "1w", lambda: moment("2024-01-20"), trust_trades=True)
    with pytest.raises(VenueError, match=r"1w candles .* begin at other times than ours"):
        await made.newest(2)


# --- corrections -----------------------------------------------------------------------------------------


class Later:
    """An exchange whose candles and time the test sets; `slowly` is how long its answer is on its way."""

    def __init__(self) -> None:
        self.now = 10 * MINUTE + 30_000
        self.rows = {minute: venue_candle(minute * MINUTE, "100") for minute in range(11)}
        self.slowly = 0
        self.asked = 0

    async def fetch_candles(
        self, symbol: str, timeframe: str, since_ms: int, limit: int
    ) -> list[VenueCandle]:
        self.asked += 1
        found = [row for _, row in sorted(self.rows.items()) if row.open_ms >= since_ms]
        self.now += self.slowly
        return found[:limit]


def later() -> tuple[Later, CandleHistory]:
    exchange = Later()
    return exchange, CandleHistory(exchange, MARKET, "1m", lambda: exchange.now, trust_trades=True)


async def pass_minutes(exchange: Later, made: CandleHistory, until: int) -> None:
    """Candles up to that minute are final and without a trade, two seconds after its beginning."""
    builder = await made.open()
    del exchange.rows[10]
    builder.complete_after(0)
    exchange.now = until * MINUTE + 2_000
    made.append(builder.on_time(exchange.now, fresh=True))


async def test_a_candle_that_the_exchange_has_otherwise_is_corrected_once() -> None:
    exchange, made = later()
    await pass_minutes(exchange, made, 11)
    assert not made.is_review_due()
    exchange.now += 5_000
    assert made.is_review_due()
    exchange.rows[10] = venue_candle(10 * MINUTE, "103", "4")
    [correction] = await made.review()
    assert (correction.close, correction.volume, correction.final) == (103, 4, True)
    assert correction.correction
    [kept] = await made.newest(1)
    assert (kept.close, kept.correction) == (103, False)
    assert made.corrected == 1
    assert not made.is_review_due()
    exchange.now += 60_000
    assert not made.is_review_due()  # no candle has ended since


async def test_a_candle_that_ended_within_a_review_is_in_the_next_one() -> None:
    exchange, made = later()
    await pass_minutes(exchange, made, 11)
    builder = await made.open()
    made.append(builder.on_time(12 * MINUTE + 2_000, fresh=True))
    exchange.now = 12 * MINUTE + 4_000  # the end of the newest is not five seconds ago
    await made.review()
    exchange.rows[11] = venue_candle(11 * MINUTE, "109")
    exchange.now += 90_000
    assert 109 in [candle.close for candle in await made.review()]


async def test_what_was_flat_after_a_corrected_candle_is_flat_at_the_new_close() -> None:
    exchange, made = later()
    await pass_minutes(exchange, made, 12)
    exchange.rows[10] = venue_candle(10 * MINUTE, "103", "4")
    exchange.now += 5_000
    first, second = await made.review()
    assert (first.open_ms // MINUTE, second.open_ms // MINUTE) == (10, 11)
    assert (second.open, second.close, second.volume) == (103, 103, 0)
    builder = await made.open()
    assert [candle.close for candle in builder.on_time(13 * MINUTE + 2_000, fresh=True)] == [103]


async def test_candles_as_the_exchange_has_them_are_not_corrected() -> None:
    exchange, made = later()
    await made.open()
    exchange.now = 11 * MINUTE + 2_000
    made.append(await made.fetch_missing())
    exchange.now += 10_000
    assert await made.review() == []


async def test_a_candle_that_ran_when_the_exchange_answered_is_not_closed_by_a_slow_answer() -> None:
    exchange, made = later()
    await made.open()
    exchange.now, exchange.slowly = 10 * MINUTE + 59_000, 10_000
    assert await made.fetch_missing() == []
    exchange.rows[10] = venue_candle(10 * MINUTE, "105")
    assert [candle.close for candle in await made.fetch_missing()] == [105]


async def test_a_review_corrects_nothing_of_a_candle_that_still_runs() -> None:
    exchange, made = later()
    await pass_minutes(exchange, made, 11)
    exchange.now += 5_000
    exchange.rows[11] = venue_candle(11 * MINUTE, "107")
    assert await made.review() == []
    assert [candle.open_ms // MINUTE for candle in await made.newest(1)] == [10]
