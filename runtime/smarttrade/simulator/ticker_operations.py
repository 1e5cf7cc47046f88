"""Statistics over a window of time, last prices and best quotes of one, several or all markets."""

import re
from typing import Any

from smarttrade.matching.units import to_text
from smarttrade.simulator import render_market
from smarttrade.simulator.call import Call
from smarttrade.simulator.errors import ApiError
from smarttrade.simulator.market_operations import selected_markets
from smarttrade.simulator.marketdata import MarketData

DAY_MS = 86_400_000
_WINDOW = re.compile(r"^([1-9]|[1-5][0-9])m$|^([1-9]|1[0-9]|2[0-3])h$|^([1-7])d$")
_UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": DAY_MS}
_TIME_ZONE = re.compile(r"^([+-]?)(\d{1,2})(?::(\d{2}))?$")
_MOST_SYMBOLS = 100


def day(call: Call) -> Any:
    """The last 24 hours."""
    markets, single = selected_markets(call)
    now_ms = call.now_ms()
    build = render_market.build_mini_window if _is_mini(call) else render_market.build_day_ticker
    rows = [build(data, now_ms - DAY_MS, now_ms) for data in markets]
    return rows[0] if single else rows


def trading_day(call: Call) -> Any:
    """Since midnight of `timeZone` (UTC by default)."""
    now_ms, offset_ms = call.now_ms(), _zone_ms(call)
    start_ms = (now_ms + offset_ms) // DAY_MS * DAY_MS - offset_ms
    return _windows(call, start_ms, start_ms + DAY_MS - 1)


def window(call: Call) -> Any:
    """The last `windowSize`, to the minute."""
    text = call.parameters.get("windowSize") or "1d"
    if not _WINDOW.match(text):
        raise ApiError(-1139, "Invalid windowSize.")
    now_ms = call.now_ms()
    start_ms = now_ms - int(text[:-1]) * _UNITS_MS[text[-1]]
    return _windows(call, start_ms - start_ms % 60_000, now_ms)


def _windows(call: Call, start_ms: int, end_ms: int) -> Any:
    markets, single = _named_markets(call)
    build = render_market.build_mini_window if _is_mini(call) else render_market.build_window
    rows = [build(data, start_ms, end_ms) for data in markets]
    return rows[0] if single else rows


def _named_markets(call: Call) -> tuple[list[MarketData], bool]:
    if call.parameters.get("symbol") is None and call.parameters.get("symbols") is None:
        raise ApiError(-1128, "Combination of optional parameters invalid.")
    markets, single = selected_markets(call)
    if len(markets) > _MOST_SYMBOLS:
        raise ApiError(
            -1101, f"Too many parameters; expected '{_MOST_SYMBOLS}' and received '{len(markets)}'."
        )
    return markets, single


def _is_mini(call: Call) -> bool:
    kind = call.parameters.get("type") or "FULL"
    if kind not in ("FULL", "MINI"):
        raise ApiError(-1130, "Data sent for parameter 'type' is not valid.")
    return kind == "MINI"


def _zone_ms(call: Call) -> int:
    """`timeZone` as 8, -1:00 or 05:45."""
    found = _TIME_ZONE.match(call.parameters.get("timeZone") or "0")
    if not found:
        raise ApiError(-1130, "Data sent for parameter 'timeZone' is not valid.")
    minutes = int(found.group(2)) * 60 + int(found.group(3) or 0)
    return (-minutes if found.group(1) == "-" else minutes) * 60_000


def price(call: Call) -> Any:
    markets, single = selected_markets(call)
    rows = [{"symbol": data.market.id, "price": to_text(data.state.last_price)} for data in markets]
    return rows[0] if single else rows


def book(call: Call) -> Any:
    markets, single = selected_markets(call)
    rows = [render_market.build_book_ticker(data) for data in markets]
    return rows[0] if single else rows
