"""Lengths of timeframes as strategies ask for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from smarttrade.errors import ConfigurationError
from smarttrade.timeframe import Timeframe

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_MONDAY_S = 345_600
"""Weeks begin on Mondays; 1970 began on a Thursday."""
_CALENDAR = frozenset(each.value for each in Timeframe)


def timeframe_to_seconds(timeframe: str) -> int:
    """ConfigurationError for anything but a number and one of s, m, h, d, w."""
    try:
        return int(timeframe[:-1]) * _SECONDS[timeframe[-1:]]
    except (KeyError, ValueError):
        raise ConfigurationError(
            f"{timeframe!r} is no timeframe: write a number and one of {', '.join(_SECONDS)}, such as 5m"
        ) from None


def timeframe_to_minutes(timeframe: str) -> int:
    return timeframe_to_seconds(timeframe) // 60


def timeframe_to_msecs(timeframe: str) -> int:
    return timeframe_to_seconds(timeframe) * 1000


def timeframe_to_prev_date(timeframe: str, date: datetime | None = None) -> datetime:
    """When the candle that holds `date` opened."""
    if date is None:
        raise ConfigurationError("timeframe_to_prev_date needs a date: a strategy has no clock of its own")
    length = timeframe_to_seconds(timeframe)
    if timeframe in _CALENDAR:
        return datetime.fromtimestamp(Timeframe(timeframe).start(int(date.timestamp()) * 1000) // 1000, UTC)
    offset = _MONDAY_S if timeframe.endswith("w") else 0
    seconds = int(date.timestamp()) - offset
    return datetime.fromtimestamp(seconds - seconds % length + offset, UTC)


def timeframe_to_next_date(timeframe: str, date: datetime | None = None) -> datetime:
    """When the candle after the one that holds `date` opens."""
    return timeframe_to_prev_date(timeframe, date) + timedelta(seconds=timeframe_to_seconds(timeframe))


def date_minus_candles(timeframe: str, candle_count: int, date: datetime | None = None) -> datetime:
    """When the candle `candle_count` before the one that holds `date` opened."""
    back = timedelta(seconds=candle_count * timeframe_to_seconds(timeframe))
    return timeframe_to_prev_date(timeframe, date) - back
