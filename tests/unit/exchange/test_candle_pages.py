"""Candles come in pages of whatever length an exchange gives, and none of them is left out."""

from typing import Any

import pytest

from smarttrade.api.catalogue import Endpoint
from smarttrade.exchange.ccxt_public import CcxtVenue

MINUTE = 60_000


class Rest:
    """As much of an instance of ccxt as has candles of so many minutes, in pages of `most`."""

    def __init__(self, minutes: int, most: int) -> None:
        self.minutes, self.most = minutes, most
        self.asked: list[int] = []

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
