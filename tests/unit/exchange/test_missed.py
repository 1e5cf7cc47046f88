"""What was traded while nobody listened is read page by page, each trade once, with ids or without."""

from typing import Any

import pytest

from smarttrade.exchange.missed import fetch_missed

PAGE = 1_000


class Exchange:
    """As much of an instance of ccxt as answers with pages of these trades."""

    id = "hollaex"

    def __init__(self, trades: list[dict[str, Any]]) -> None:
        self._trades = trades

    async def fetch_trades(self, market: str, since: int, limit: int, parameters: Any) -> Any:
        return [trade for trade in self._trades if trade["timestamp"] >= since][:limit]


def row(number: int, *, named: bool) -> dict[str, Any]:
    """Three of each millisecond, equal in all but their ids."""
    name = str(number) if named else None
    return {"id": name, "price": "100", "amount": "1", "side": "buy", "timestamp": 10_000 + number // 3}


@pytest.mark.parametrize("named", [True, False])
async def test_pages_that_overlap_give_every_trade_once(named: bool) -> None:
    exchange = Exchange([row(number, named=named) for number in range(2 * PAGE + 500)])
    found = await fetch_missed(exchange, "BTC/USDT", 10_000, 20_000)
    assert [trade.time_ms for trade in found] == [10_000 + number // 3 for number in range(2 * PAGE + 500)]
