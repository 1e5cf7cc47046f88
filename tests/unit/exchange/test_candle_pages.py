"""Candles come in pages of whatever length an exchange gives, and none of them is left out.

Three exchanges are asked for windows of time, and answer here as they do: what opens in one, with its bounds
or without, in their own order and units.
"""

from typing import Any

import pytest

from smarttrade.api.catalogue import Endpoint
from smarttrade.exchange.ccxt_public import CcxtVenue
from smarttrade.timeframe import Timeframe
from tests.unit.exchange.test_requests import build_market

MINUTE = 60_000
NOW_MS = 1_764_547_200_000 + 5 * MINUTE  # 2025-12-01 00:05


class Rest:
    """As much of an instance of ccxt as has candles of so many minutes, in pages of `most`."""

    def __init__(self, minutes: int, most: int) -> None:
        self.minutes, self.most = minutes, most
        self.asked: list[int] = []

    def parse_timeframe(self, timeframe: str) -> int:
        return MINUTE // 1_000

    def milliseconds(self) -> int:
        return self.minutes * MINUTE

    async def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int) -> list[list[Any]]:
        self.asked.append(limit)
        first = -(-since // MINUTE)
        opens = range(first, min(self.minutes, first + min(limit, self.most)))
        return [[minute * MINUTE, "1", "2", "1", "2", "3"] for minute in opens]


def venue(rest: Rest, name: str = "bitget") -> CcxtVenue:
    made = CcxtVenue(name, Endpoint())
    made._rest = rest
    return made


@pytest.mark.parametrize("most", [37, 200, 1_000])
async def test_a_page_shorter_than_asked_for_is_continued(most: int) -> None:
    rest = Rest(minutes=1_000, most=most)
    found = await venue(rest).fetch_candles("BTC/USDT", "1m", 100 * MINUTE, 301)
    assert [candle.open_ms // MINUTE for candle in found] == list(range(100, 401))
    assert max(rest.asked) <= 200  # more than Bitget gives is an error there


async def test_the_end_of_what_there_is_ends_the_pages() -> None:
    found = await venue(Rest(minutes=150, most=40)).fetch_candles("BTC/USDT", "1m", 100 * MINUTE, 301)
    assert [candle.open_ms // MINUTE for candle in found] == list(range(100, 150))


class Windows:
    """An exchange's candles of one market, from when it began until now, and the windows asked for."""

    def __init__(self, frame: Timeframe, began_ms: int) -> None:
        self.opens, self.windows = [began_ms], list[tuple[int, int]]()
        while (later := frame.step(self.opens[-1])) <= NOW_MS:
            self.opens.append(later)

    def opening(self, first_ms: int, last_ms: int) -> list[int]:
        self.windows.append((first_ms, last_ms))
        return [open_ms for open_ms in self.opens if first_ms <= open_ms <= last_ms]

    async def okx(self, request: dict[str, Any]) -> dict[str, Any]:
        found = self.opening(int(request["before"]) + 1, int(request["after"]) - 1)[-int(request["limit"]) :]
        row = ["24341.4", "24344", "24313.2", "24323", "628", "2.5819", "62800", "1"]
        return {"code": "0", "msg": "", "data": [[str(open_ms), *row] for open_ms in reversed(found)]}

    async def kucoin(self, request: dict[str, Any]) -> dict[str, Any]:
        found = self.opening(int(request["startAt"]) * 1_000, int(request["endAt"]) * 1_000 - 1)[-1_500:]
        row = ["0.025078", "0.025069", "0.025084", "0.025064", "18.9883256", "0.4761861079404"]
        return {"code": "200000", "data": [[str(open_ms // 1_000), *row] for open_ms in reversed(found)]}

    async def gate(self, request: dict[str, Any]) -> list[list[str]]:
        found = self.opening(int(request["from"]) * 1_000, int(request["to"]) * 1_000)[:1_000]
        row = ["346711.933138181617", "33165.23", "33260", "33117.6", "33184.47", "184.47", "true"]
        return [[str(open_ms // 1_000), *row] for open_ms in found]


ENDPOINTS = {
    "okx": ("publicGetMarketCandles", "publicGetMarketHistoryCandles"),
    "kucoin": ("publicGetMarketCandles",),
    "gate": ("publicSpotGetCandlesticks",),
}
AGES = {
    "1M": ("1M", 2, 300),
    "1M, asked for in several pages": ("1M", 2, 1_000),
    "1m": ("1m", 61, 5_000),
    "1w": ("1w", 40, 1_000),
}


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize("age", AGES)
async def test_a_market_younger_than_what_is_asked_for_has_all_of_its_candles(
    name: str, age: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeframe, old, wanted = AGES[age]
    frame = Timeframe(timeframe)
    began_ms = frame.step(frame.start(NOW_MS), -old)
    windows, asked = Windows(frame, began_ms), CcxtVenue(name, Endpoint())
    asked._rest.set_markets([build_market()])
    monkeypatch.setattr(asked._rest, "milliseconds", lambda: NOW_MS)
    monkeypatch.setattr(asked._rest, "seconds", lambda: NOW_MS // 1_000)
    for endpoint in ENDPOINTS[name]:
        monkeypatch.setattr(asked._rest, endpoint, getattr(windows, name))
    since_ms = max(0, frame.step(frame.start(NOW_MS), -wanted))
    found = await asked.fetch_candles("BTC/USDT", timeframe, since_ms, wanted + 1)
    assert [candle.open_ms for candle in found] == windows.opens
    assert len(windows.opens) == old + 1
    pages = (NOW_MS - since_ms) / (frame.milliseconds * (asked._candles_page - 1))
    assert len(windows.windows) <= pages + 4
    await asked.close()


async def test_a_market_without_candles_is_asked_up_to_now_and_no_further() -> None:
    rest = Rest(minutes=1_000, most=200)

    async def nothing(symbol: str, timeframe: str, since: int, limit: int) -> list[list[Any]]:
        rest.asked.append(since // MINUTE)
        return []

    rest.fetch_ohlcv = nothing  # type: ignore[method-assign]
    assert await venue(rest).fetch_candles("BTC/USDT", "1m", 100 * MINUTE, 901) == []
    assert rest.asked == [100, 299, 498, 697, 896]
