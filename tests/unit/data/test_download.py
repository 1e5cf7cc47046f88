"""What a download asks for, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from smarttrade.data import download as downloading
from smarttrade.data.command import check_timeframe
from smarttrade.data.coverage import Span
from smarttrade.data.download import Download, whole_span
from smarttrade.data.series import Series
from smarttrade.data.store import SeriesStore
from smarttrade.errors import ConfigurationError, VenueError
from smarttrade.exchange.candle import VenueCandle
from smarttrade.simulator.recorded import RecordedCandle
from smarttrade.timeframe import Timeframe
from tests.unit.backtest.recordings import MINUTE_MS, START_MS, random_walk

SERIES = Series("binance", "Production", "BTC/USDT", "1m")


class Exchange:
    """Answers as Binance does: the first candles from an instant on. `failures` are raised first."""

    def __init__(self, candles: list[RecordedCandle], failures: Sequence[Exception] = ()) -> None:
        self.candles = candles
        self.failures = list(failures)
        self.asked: list[int] = []

    async def fetch_candles(
        self, symbol: str, timeframe: str, since_ms: int, limit: int
    ) -> Sequence[VenueCandle]:
        self.asked.append(since_ms)
        if self.failures:
            raise self.failures.pop(0)
        later = [c for c in self.candles if c.open_ms >= since_ms][:limit]
        return [VenueCandle(c.open_ms, c.open, c.high, c.low, c.close, c.volume, closed=True) for c in later]


@pytest.fixture(autouse=True)
def pages_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "PAGE", 10)


def span(begin: int, end: int) -> Span:
    return Span(START_MS + begin * MINUTE_MS, START_MS + end * MINUTE_MS)


def build(root: Path, exchange: Exchange, wanted: Span) -> Download:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    return Download(SeriesStore(root, SERIES), exchange, wanted, sleep=sleep)


async def test_everything_is_fetched_once_page_by_page(tmp_path: Path) -> None:
    candles = random_walk(35)
    exchange = Exchange(candles)
    told: list[int] = []
    download = build(tmp_path, exchange, span(0, 35))
    download.told = told.append
    await download.run()
    assert SeriesStore(tmp_path, SERIES).read() == candles
    assert exchange.asked == [START_MS + n * MINUTE_MS for n in (0, 10, 20, 30)]
    assert told == [n * MINUTE_MS for n in (0, 10, 20, 30, 35)]
    await build(tmp_path, exchange, span(0, 35)).run()
    assert len(exchange.asked) == 4


async def test_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    candles = random_walk(60)
    await build(tmp_path, Exchange(candles), span(20, 40)).run()
    exchange = Exchange(candles)
    await build(tmp_path, exchange, span(0, 60)).run()
    assert exchange.asked == [START_MS + n * MINUTE_MS for n in (0, 10, 40, 50)]
    assert SeriesStore(tmp_path, SERIES).read() == candles


async def test_a_gap_of_the_exchange_is_asked_for_once_only(tmp_path: Path) -> None:
    candles = random_walk(60)
    exchange = Exchange(candles[:15] + candles[48:])
    await build(tmp_path, exchange, span(0, 60)).run()
    store = SeriesStore(tmp_path, SERIES)
    assert store.read() == candles[:15] + candles[48:]
    assert store.missing(span(0, 60)) == []
    asked = len(exchange.asked)
    await build(tmp_path, exchange, span(0, 60)).run()
    assert len(exchange.asked) == asked


async def test_a_market_that_did_not_exist_yet_costs_one_question_a_page(tmp_path: Path) -> None:
    exchange = Exchange([])
    await build(tmp_path, exchange, span(0, 30)).run()
    assert len(exchange.asked) == 3
    assert SeriesStore(tmp_path, SERIES).missing(span(0, 30)) == []


async def test_a_failure_is_tried_again_and_told(tmp_path: Path) -> None:
    candles = random_walk(10)
    download = build(tmp_path, Exchange(candles, [VenueError("502"), VenueError("503")]), span(0, 10))
    paused: list[tuple[str, float]] = []
    download.paused = lambda error, pause_s: paused.append((str(error), pause_s))
    await download.run()
    assert paused == [("502", 1.0), ("503", 2.0)]
    assert SeriesStore(tmp_path, SERIES).read() == candles


async def test_a_failure_for_good_keeps_what_had_come(tmp_path: Path) -> None:
    candles = random_walk(30)
    exchange = Exchange(candles)
    download = build(tmp_path, exchange, span(0, 30))

    def fail_from_now_on(done_ms: int) -> None:
        exchange.failures = [VenueError("down")] * 6 if done_ms >= 20 * MINUTE_MS else []

    download.told = fail_from_now_on
    with pytest.raises(VenueError, match="down"):
        await download.run()
    store = SeriesStore(tmp_path, SERIES)
    assert store.read() == candles[:20]
    assert store.missing(span(0, 30)) == [span(20, 30)]


def test_the_running_candle_is_not_part_of_the_span() -> None:
    assert whole_span(1, 10**12, 125_000, Timeframe.M1) == Span(60_000, 120_000)
    assert whole_span(60_000, 119_999, 10**12, Timeframe.M1) == Span(60_000, 60_000)


def test_a_span_of_weeks_begins_and_ends_on_mondays() -> None:
    monday, day = 1_704_067_200_000, 86_400_000
    asked = whole_span(monday - day, monday + 15 * day, 10**13, Timeframe.W1)
    assert asked == Span(monday, monday + 14 * day)


def test_months_are_not_downloaded_but_made_of_days() -> None:
    assert check_timeframe("3d") == "3d"
    with pytest.raises(ConfigurationError, match="made of those of 1d"):
        check_timeframe("1M")
