"""Messages of the market streams; plain data."""

from typing import Any

from smarttrade.matching import Market, PublicTrade
from smarttrade.matching.units import to_text
from smarttrade.simulator.book_changes import Levels
from smarttrade.simulator.candles import Candle
from smarttrade.simulator.marketdata import MarketData
from smarttrade.simulator.render_market import (
    build_aggregate_trade,
    build_day_ticker,
    build_levels,
    build_window,
)

Json = dict[str, Any]
DAY_MS = 86_400_000
WINDOWS_MS = {"1h": 3_600_000, "4h": 4 * 3_600_000, "1d": DAY_MS}


def build_trade_event(trade: PublicTrade, now_ms: int) -> Json:
    return {
        "e": "trade",
        "E": now_ms,
        "s": trade.market.id,
        "t": trade.id,
        "p": to_text(trade.price),
        "q": to_text(trade.quantity),
        "T": trade.time_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def build_aggregate_trade_event(trade: PublicTrade, now_ms: int) -> Json:
    return {"e": "aggTrade", "E": now_ms, "s": trade.market.id, **build_aggregate_trade(trade)}


def build_kline_event(market: Market, interval: str, candle: Candle, closed: bool, now_ms: int) -> Json:
    return {
        "e": "kline",
        "E": now_ms,
        "s": market.id,
        "k": {
            "t": candle.open_ms,
            "T": candle.close_ms,
            "s": market.id,
            "i": interval,
            "f": candle.first_trade_id,
            "L": candle.last_trade_id,
            "o": to_text(candle.open),
            "c": to_text(candle.close),
            "h": to_text(candle.high),
            "l": to_text(candle.low),
            "v": to_text(candle.volume),
            "n": candle.trades,
            "x": closed,
            "q": to_text(candle.quote_volume),
            "V": to_text(candle.taker_volume),
            "Q": to_text(candle.taker_quote_volume),
            "B": "0",
        },
    }


def build_book_ticker_event(data: MarketData) -> Json:
    bid, bid_size, ask, ask_size = data.best()
    return {
        "u": data.update_id,
        "s": data.market.id,
        "b": to_text(bid),
        "B": to_text(bid_size),
        "a": to_text(ask),
        "A": to_text(ask_size),
    }


def build_depth_event(market: Market, changes: tuple[int, int, Levels, Levels], now_ms: int) -> Json:
    first, last, bids, asks = changes
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "s": market.id,
        "U": first,
        "u": last,
        "b": build_levels(sorted(bids.items(), reverse=True)),
        "a": build_levels(sorted(asks.items())),
    }


def build_ticker_event(data: MarketData, now_ms: int) -> Json:
    """The last 24 hours, with quotes."""
    day = build_day_ticker(data, now_ms - DAY_MS, now_ms)
    event = _build_window_event("24hrTicker", day, now_ms)
    for short, name in (
        ("x", "prevClosePrice"),
        ("Q", "lastQty"),
        ("b", "bidPrice"),
        ("B", "bidQty"),
        ("a", "askPrice"),
        ("A", "askQty"),
    ):
        event[short] = day[name]
    return event


def build_window_event(data: MarketData, window: str, now_ms: int) -> Json:
    """The last hour, four hours or day."""
    start_ms = now_ms - WINDOWS_MS[window]
    return _build_window_event(f"{window}Ticker", build_window(data, start_ms, now_ms), now_ms)


def _build_window_event(name: str, shown: Json, now_ms: int) -> Json:
    return {
        "e": name,
        "E": now_ms,
        "s": shown["symbol"],
        "p": shown["priceChange"],
        "P": shown["priceChangePercent"],
        "w": shown["weightedAvgPrice"],
        "o": shown["openPrice"],
        "h": shown["highPrice"],
        "l": shown["lowPrice"],
        "c": shown["lastPrice"],
        "v": shown["volume"],
        "q": shown["quoteVolume"],
        "O": shown["openTime"],
        "C": shown["closeTime"],
        "F": shown["firstId"],
        "L": shown["lastId"],
        "n": shown["count"],
    }


def build_average_price_event(data: MarketData, now_ms: int) -> Json:
    return {
        "e": "avgPrice",
        "E": now_ms,
        "s": data.market.id,
        "i": "0m",
        "w": to_text(data.state.last_price),
        "T": data.trades[-1].time_ms if data.trades else now_ms,
    }


def build_mini_ticker_event(data: MarketData, now_ms: int) -> Json:
    full = build_ticker_event(data, now_ms)
    return {"e": "24hrMiniTicker", **{name: full[name] for name in ("E", "s", "c", "o", "h", "l", "v", "q")}}
