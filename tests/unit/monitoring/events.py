"""Short ways to write market events in tests."""

from datetime import UTC, datetime
from decimal import Decimal

from smarttrade.exchange.candle import VenueCandle
from smarttrade.messages import Book, Candle, Quote, Side, Trade

MARKET = "BTC/USDT"
MINUTE = 60_000


def moment(day: str) -> int:
    """Milliseconds at which a day such as 2024-01-01 begins, in UTC."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def trade(number: int, time_ms: int, price: str = "100", quantity: str = "1") -> Trade:
    return Trade(
        market=MARKET,
        id=str(number),
        price=Decimal(price),
        quantity=Decimal(quantity),
        side=Side.BUY,
        time_ms=time_ms,
    )


def quote(bid: str, ask: str, update_id: int = 1) -> Quote:
    return Quote(
        market=MARKET,
        bid=Decimal(bid),
        bid_quantity=Decimal(1),
        ask=Decimal(ask),
        ask_quantity=Decimal(1),
        time_ms=1,
        update_id=update_id,
    )


def book(bids: list[str], asks: list[str], update_id: int = 1) -> Book:
    return Book(
        market=MARKET,
        bids=[(Decimal(price), Decimal(1)) for price in bids],
        asks=[(Decimal(price), Decimal(1)) for price in asks],
        time_ms=1,
        update_id=update_id,
    )


def candle(open_ms: int, close: str = "100", length_ms: int = MINUTE, timeframe: str = "1m") -> Candle:
    price = Decimal(close)
    return Candle(
        market=MARKET,
        timeframe=timeframe,
        open_ms=open_ms,
        close_ms=open_ms + length_ms,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1),
        final=True,
    )


def venue_candle(open_ms: int, close: str = "100", volume: str = "1", closed: bool = False) -> VenueCandle:
    price = Decimal(close)
    return VenueCandle(open_ms, price, price, price, price, Decimal(volume), closed)
