"""Trades, candles, depth and tickers as the exchange answers them; plain data."""

from typing import Any

from smarttrade.matching import BUY, SELL, PublicTrade
from smarttrade.matching.units import SCALE, notional, to_text
from smarttrade.simulator.candles import Candle
from smarttrade.simulator.marketdata import MarketData

Json = dict[str, Any]


def build_trade(trade: PublicTrade) -> Json:
    return {
        "id": trade.id,
        "price": to_text(trade.price),
        "qty": to_text(trade.quantity),
        "quoteQty": to_text(notional(trade.price, trade.quantity)),
        "time": trade.time_ms,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def build_aggregate_trade(trade: PublicTrade) -> Json:
    return {
        "a": trade.id,
        "p": to_text(trade.price),
        "q": to_text(trade.quantity),
        "f": trade.id,
        "l": trade.id,
        "T": trade.time_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def build_kline(candle: Candle) -> list[Any]:
    return [
        candle.open_ms,
        to_text(candle.open),
        to_text(candle.high),
        to_text(candle.low),
        to_text(candle.close),
        to_text(candle.volume),
        candle.close_ms,
        to_text(candle.quote_volume),
        candle.trades,
        to_text(candle.taker_volume),
        to_text(candle.taker_quote_volume),
        "0",
    ]


def build_levels(levels: list[tuple[int, int]]) -> list[list[str]]:
    return [[to_text(price), to_text(quantity)] for price, quantity in levels]


def build_depth(data: MarketData, count: int) -> Json:
    return {
        "lastUpdateId": data.published_id,
        "bids": build_levels(data.depth(BUY, count)),
        "asks": build_levels(data.depth(SELL, count)),
    }


def build_book_ticker(data: MarketData) -> Json:
    bid, bid_size, ask, ask_size = data.best()
    return {
        "symbol": data.market.id,
        "bidPrice": to_text(bid),
        "bidQty": to_text(bid_size),
        "askPrice": to_text(ask),
        "askQty": to_text(ask_size),
    }


def build_day_ticker(data: MarketData, now_ms: int) -> Json:
    bid, bid_size, ask, ask_size = data.best()
    day = data.day(now_ms) or Candle(now_ms - 86_400_000, now_ms, 0, 0, 0, 0)
    average = day.quote_volume * SCALE // day.volume if day.volume else 0
    percent = (day.close - day.open) * 100_000 // day.open if day.open else 0
    return {
        "symbol": data.market.id,
        "priceChange": to_text(day.close - day.open),
        "priceChangePercent": f"{percent / 1000:.3f}",
        "weightedAvgPrice": to_text(average),
        "prevClosePrice": to_text(day.open),
        "lastPrice": to_text(day.close),
        "lastQty": to_text(data.trades[-1].quantity if data.trades else 0),
        "bidPrice": to_text(bid),
        "bidQty": to_text(bid_size),
        "askPrice": to_text(ask),
        "askQty": to_text(ask_size),
        "openPrice": to_text(day.open),
        "highPrice": to_text(day.high),
        "lowPrice": to_text(day.low),
        "volume": to_text(day.volume),
        "quoteVolume": to_text(day.quote_volume),
        "openTime": now_ms - 86_400_000,
        "closeTime": now_ms,
        "firstId": day.first_trade_id,
        "lastId": day.last_trade_id,
        "count": day.trades,
    }
