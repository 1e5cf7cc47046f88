"""Times in microseconds for those who ask for them: answers and events as they are, their times multiplied.

The exchange works in milliseconds, so three zeros follow. What bites: a short name means another thing in
another event (`t` is a trade's id and a candle's time), so each event has its own row of the table.
"""

from __future__ import annotations

from typing import Any

from smarttrade.simulator.errors import ApiError

HEADER = "X-MBX-TIME-UNIT"
PARAMETER = "timeUnit"
_UNITS = {"MILLISECOND": False, "MICROSECOND": True}
_ANSWER_TIMES = frozenset(
    (
        "serverTime",
        "time",
        "transactTime",
        "transactionTime",
        "updateTime",
        "workingTime",
        "createTime",
        "openTime",
        "closeTime",
        "authorizedSince",
        "connectedSince",
        "T",
    )
)
_TICKER = ("E", "O", "C")
_EVENT_TIMES = {
    "trade": ("E", "T"),
    "aggTrade": ("E", "T"),
    "avgPrice": ("E", "T"),
    "24hrTicker": _TICKER,
    "1hTicker": _TICKER,
    "4hTicker": _TICKER,
    "1dTicker": _TICKER,
    "executionReport": ("E", "T", "O", "W"),
    "outboundAccountPosition": ("E", "u"),
    "balanceUpdate": ("E", "T"),
    "listStatus": ("E", "T"),
}
_CANDLE_COLUMNS, _CLOSE_COLUMN = 12, 6
_LAST_US = 999


def wants_microseconds(unit: str | None) -> bool:
    """ApiError for anything but the two units, in capitals or not."""
    wanted = _UNITS.get((unit or "MILLISECOND").upper())
    if wanted is None:
        raise ApiError(-1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")
    return wanted


def fine_answer(content: Any) -> Any:
    """An answer with its times in microseconds; candles are known by their form."""
    if isinstance(content, dict):
        return {
            name: _fine(value) if name in _ANSWER_TIMES and isinstance(value, int) else fine_answer(value)
            for name, value in content.items()
        }
    if not isinstance(content, list):
        return content
    if len(content) == _CANDLE_COLUMNS and isinstance(content[0], int):
        opened, closed = _fine(content[0]), _fine(content[_CLOSE_COLUMN]) + _LAST_US
        return [opened, *content[1:_CLOSE_COLUMN], closed, *content[_CLOSE_COLUMN + 1 :]]
    return [fine_answer(each) for each in content]


def fine_event(event: Any) -> Any:
    """An event, or an array of events, with its times in microseconds."""
    if isinstance(event, list):
        return [fine_event(each) for each in event]
    if "e" not in event:
        return event
    times = _EVENT_TIMES.get(event["e"], ("E",))
    told = {name: _fine(value) if name in times else value for name, value in event.items()}
    if event["e"] == "kline":
        candle = event["k"]
        told["k"] = {**candle, "t": _fine(candle["t"]), "T": _fine(candle["T"]) + _LAST_US}
    return told


def _fine(time_ms: int) -> int:
    return time_ms * 1000 if time_ms > 0 else time_ms
