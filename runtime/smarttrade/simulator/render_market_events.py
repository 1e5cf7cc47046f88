"""Messages of the market streams; plain data."""

from typing import Any

from smarttrade.matching import Market, PublicTrade
from smarttrade.matching.units import to_text
from smarttrade.simulator.candles import Candle
from smarttrade.simulator.marketdata import Levels, MarketData
from smarttrade.simulator.render_market import build_aggregate_trade, build_day_ticker, build_levels

Json = dict[str, Any]


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
    day = build_day_ticker(data, now_ms)
    return {
        "e": "24hrTicker",
        "E": now_ms,
        "s": day["symbol"],
        "p": day["priceChange"],
        "P": day["priceChangePercent"],
        "w": day["weightedAvgPrice"],
        "x": day["prevClosePrice"],
        "c": day["lastPrice"],
        "Q": day["lastQty"],
        "b": day["bidPrice"],
        "B": day["bidQty"],
        "a": day["askPrice"],
        "A": day["askQty"],
        "o": day["openPrice"],
        "h": day["highPrice"],
        "l": day["lowPrice"],
        "v": day["volume"],
        "q": day["quoteVolume"],
        "O": day["openTime"],
        "C": day["closeTime"],
        "F": day["firstId"],
        "L": day["lastId"],
        "n": day["count"],
    }


def build_mini_ticker_event(data: MarketData, now_ms: int) -> Json:
    full = build_ticker_event(data, now_ms)
    return {"e": "24hrMiniTicker", **{name: full[name] for name in ("E", "s", "c", "o", "h", "l", "v", "q")}}
