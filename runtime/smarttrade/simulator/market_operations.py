"""Public questions: what is traded, and at which prices."""

import json
from typing import Any

from smarttrade.matching.units import to_text
from smarttrade.simulator import render_market
from smarttrade.simulator.call import Call
from smarttrade.simulator.candles import INTERVALS
from smarttrade.simulator.errors import ApiError
from smarttrade.simulator.limits import RATE_LIMITS
from smarttrade.simulator.marketdata import MarketData


def ping(call: Call) -> Any:
    del call
    return {}


def server_time(call: Call) -> Any:
    return {"serverTime": call.now_ms()}


def system_status(call: Call) -> Any:
    del call
    return {"status": 0, "msg": "normal"}


def selected_markets(call: Call) -> tuple[list[MarketData], bool]:
    """The markets of `symbol` or `symbols` (all without either), and whether one alone was named."""
    single, several = call.parameters.get("symbol"), call.parameters.get("symbols")
    if single and several:
        raise ApiError(-1128, "Combination of optional parameters invalid.")
    if single:
        return [call.find_market(single)], True
    if several is None:
        return list(call.venue.data.values()), False
    try:
        names = json.loads(several)
        return [call.find_market(str(name)) for name in names], False
    except (ValueError, TypeError) as error:
        raise ApiError(-1100, "Illegal characters found in parameter 'symbols'.") from error


def exchange_info(call: Call) -> Any:
    """Rules of the markets asked for; each market's part is encoded once for good."""
    markets, _ = selected_markets(call)
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms(),
        "rateLimits": RATE_LIMITS,
        "exchangeFilters": [],
        "symbols": [data.rules for data in markets],
        "sors": [],
    }


def no_derivatives(call: Call) -> Any:
    """Clients that load all of an exchange's markets find that it has no futures and no options."""
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms(),
        "rateLimits": [],
        "symbols": [],
        "optionSymbols": [],
    }


def depth(call: Call) -> Any:
    data = call.market()
    data.note_snapshot()
    return render_market.build_depth(data, call.parameters.limit(100, 5000))


def trades(call: Call) -> Any:
    data = call.market()
    return [
        render_market.build_trade(trade) for trade in list(data.trades)[-call.parameters.limit(500, 1000) :]
    ]


def historical_trades(call: Call) -> Any:
    first = call.parameters.integer("fromId")
    if first is None:
        return trades(call)
    limit = call.parameters.limit(500, 1000)
    rows = [trade for trade in call.market().trades if trade.id >= first]
    return [render_market.build_trade(trade) for trade in rows[:limit]]


def aggregate_trades(call: Call) -> Any:
    limit = call.parameters.limit(500, 1000)
    first = call.parameters.integer("fromId")
    start, end = call.parameters.moment("startTime"), call.parameters.moment("endTime")
    rows = list(call.market().trades)
    if end is not None:
        rows = [trade for trade in rows if trade.time_ms <= end]
    if first is None and start is None:
        return [render_market.build_aggregate_trade(trade) for trade in rows[-limit:]]
    rows = [t for t in rows if (first is None or t.id >= first) and (start is None or t.time_ms >= start)]
    return [render_market.build_aggregate_trade(trade) for trade in rows[:limit]]


def klines(call: Call) -> Any:
    data = call.market()
    interval = call.parameters.need("interval")
    if interval not in INTERVALS:
        raise ApiError(-1120, "Invalid interval.")
    start, end = call.parameters.moment("startTime"), call.parameters.moment("endTime")
    data.candles.advance(call.venue.clock.now_ms())
    rows = data.candles.query(interval, start, end, call.parameters.limit(500, 1000))
    return [render_market.build_kline(candle) for candle in rows]


def average_price(call: Call) -> Any:
    data = call.market()
    last = to_text(data.state.last_price)
    return {"mins": 0, "price": last, "closeTime": data.trades[-1].time_ms if data.trades else 0}
