"""What a market has traded while nobody listened, read by REST: so that a paper exchange can catch up.

Up to an hour ago trade by trade; before that by minutes, of which only the extremes matter: whatever rests
is filled by a trade through its price, and a candle's low and high say whether there was one. The first
minute is read by trades too, because a part of it lies before the beginning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from smarttrade.exchange.ccxt_feed import trade_from_ccxt
from smarttrade.exchange.endpoints import BINANCE_PROTOCOL
from smarttrade.messages import Side, Trade

BY_TRADES_MS = 3_600_000
_MINUTE_MS = 60_000
_PAGE = 1000


async def fetch_missed(exchange: Any, market: str, since_ms: int, now_ms: int) -> list[Trade]:
    """Trades from `since_ms` on, oldest first, those of minutes long past as two at their extremes.

    `exchange` is a ccxt instance that knows the market. Raises what ccxt raises.
    """
    whole_ms = -(-since_ms // _MINUTE_MS) * _MINUTE_MS
    recent_ms = (now_ms - BY_TRADES_MS) // _MINUTE_MS * _MINUTE_MS
    if recent_ms <= whole_ms:
        return [trade async for trade in _trades(exchange, market, since_ms, now_ms)]
    found = [trade async for trade in _trades(exchange, market, since_ms, whole_ms)]
    found += [trade async for trade in _extremes(exchange, market, whole_ms, recent_ms)]
    return found + [trade async for trade in _trades(exchange, market, recent_ms, now_ms)]


async def _trades(exchange: Any, market: str, since_ms: int, end_ms: int) -> AsyncIterator[Trade]:
    """Page by page; a page of one and the same millisecond is the end of what can be told apart."""
    parameters = {"fetchTradesMethod": "publicGetAggTrades"} if exchange.id in BINANCE_PROTOCOL else {}
    seen: set[tuple[Any, ...]] = set()
    while since_ms < end_ms:
        page = await exchange.fetch_trades(market, since_ms, _PAGE, parameters)
        marks = _marks(page)
        fresh = [
            row
            for row, mark in zip(page, marks, strict=True)
            if mark not in seen and row["timestamp"] >= since_ms
        ]
        seen.update(marks)
        for row in fresh:
            if row["timestamp"] < end_ms:
                yield trade_from_ccxt(market, row)
        if not fresh or len(page) < _PAGE:
            return
        since_ms = fresh[-1]["timestamp"]


def _marks(page: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What each trade is recognised by: its id, or what is told of it, and the how manieth of such it is."""
    told = [
        (row["id"],) if row.get("id") else (row["timestamp"], row["price"], row["amount"], row["side"])
        for row in page
    ]
    count: Counter[tuple[Any, ...]] = Counter()
    marks = []
    for each in told:
        count[each] += len(each) > 1
        marks.append((*each, count[each]))
    return marks


async def _extremes(exchange: Any, market: str, since_ms: int, end_ms: int) -> AsyncIterator[Trade]:
    """Each minute as a sale at its low and a purchase at its high, of no size worth mentioning."""
    while since_ms < end_ms:
        rows = await exchange.fetch_ohlcv(market, "1m", since_ms, _PAGE)
        fresh = [row for row in rows if since_ms <= row[0] < end_ms]
        for opened_ms, _, high, low, _, volume in fresh:
            if Decimal(str(volume)):
                yield _extreme(market, opened_ms, Decimal(str(low)), Side.SELL)
                yield _extreme(market, opened_ms, Decimal(str(high)), Side.BUY)
        if not fresh:
            return
        since_ms = fresh[-1][0] + _MINUTE_MS


def _extreme(market: str, opened_ms: int, price: Decimal, side: Side) -> Trade:
    return Trade(
        market=market,
        id=f"{opened_ms}{side.value}",
        price=price,
        quantity=Decimal("0.00000001"),
        side=side,
        time_ms=opened_ms + _MINUTE_MS - 1,
    )
