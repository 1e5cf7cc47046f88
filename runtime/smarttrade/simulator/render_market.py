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
        "lastUpdateId": data.update_id,
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


def _window_candle(data: MarketData, start_ms: int, end_ms: int) -> Candle:
    """The window's trades; without any, the last price stands still."""
    last = data.state.last_price
    return data.since(start_ms) or Candle(start_ms, end_ms, last, last, last, last)


def build_mini_window(data: MarketData, start_ms: int, end_ms: int) -> Json:
    return _build_mini(data, _window_candle(data, start_ms, end_ms), start_ms, end_ms)


def build_window(data: MarketData, start_ms: int, end_ms: int) -> Json:
    candle = _window_candle(data, start_ms, end_ms)
    return _build_change(candle) | _build_mini(data, candle, start_ms, end_ms)


def build_day_ticker(data: MarketData, start_ms: int, end_ms: int) -> Json:
    """A window with the best quotes and the last trade beside it."""
    candle = _window_candle(data, start_ms, end_ms)
    return {
        **_build_change(candle),
        **_build_mini(data, candle, start_ms, end_ms),
        "prevClosePrice": to_text(candle.open),
        "lastQty": to_text(data.trades[-1].quantity if data.trades else 0),
        **build_book_ticker(data),
    }


def _build_change(candle: Candle) -> Json:
    average = candle.quote_volume * SCALE // candle.volume if candle.volume else 0
    percent = (candle.close - candle.open) * 100_000 // candle.open if candle.open else 0
    return {
        "priceChange": to_text(candle.close - candle.open),
        "priceChangePercent": f"{percent / 1000:.3f}",
        "weightedAvgPrice": to_text(average),
    }


def _build_mini(data: MarketData, candle: Candle, start_ms: int, end_ms: int) -> Json:
    return {
        "symbol": data.market.id,
        "openPrice": to_text(candle.open),
        "highPrice": to_text(candle.high),
        "lowPrice": to_text(candle.low),
        "lastPrice": to_text(candle.close),
        "volume": to_text(candle.volume),
        "quoteVolume": to_text(candle.quote_volume),
        "openTime": start_ms,
        "closeTime": end_ms,
        "firstId": candle.first_trade_id,
        "lastId": candle.last_trade_id,
        "count": candle.trades,
    }
