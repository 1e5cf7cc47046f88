"""A class's `protections`: which pairs may not be entered for a while, after which closed trades.

Judged whenever a trade has closed, as freqtrade documents it; a lock lasts from that close for the declared
time, and to the end of the candle in which that is over. What bites: locks and the trades behind them are
this process's memory. A restarted pod begins without; what must outlast one is a limit of the account's
`risk`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from smarttrade.errors import ConfigurationError
from smarttrade.freqtrade.rules import Reason, moment
from smarttrade.freqtrade.trade import Trade

logger = structlog.get_logger()

_MINUTE_MS = 60_000
_REMEMBERED = 10_000
_ALL = "*"
_STOPS = (Reason.STOP_LOSS, Reason.TRAILING_STOP_LOSS)
_NUMBERS = {
    "stop_duration": 60.0,
    "lookback_period": 60.0,
    "trade_limit": 1.0,
    "required_profit": 0.0,
    "max_allowed_drawdown": 0.0,
}
_METHODS = ("CooldownPeriod", "StoplossGuard", "MaxDrawdown", "LowProfitPairs")
_OTHERS = {"method", "unlock_at", "only_per_pair", "only_per_side", "calculation_mode"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One entry of `protections`; `stop_ms` and `lookback_ms` from minutes or candles."""

    method: str
    stop_ms: int
    lookback_ms: int
    trade_limit: int
    required_profit: float
    max_drawdown: float
    only_per_pair: bool = False
    unlock_at: tuple[int, int] | None = None

    def locks(self, pair: str, closed: Iterable[Trade], now_ms: int) -> dict[str, int]:
        """Pairs (or all) to lock, each with the close from which the lock counts."""
        since_ms = now_ms - (self.stop_ms if self.method == "CooldownPeriod" else self.lookback_ms)
        trades = [trade for trade in closed if (trade.close_ms or 0) > since_ms]
        own = [trade for trade in trades if trade.pair == pair]
        match self.method:
            case "CooldownPeriod":
                return _until(pair, own)
            case "LowProfitPairs":
                lost = sum(map(_profit, own)) < self.required_profit
                return _until(pair, own) if len(own) >= self.trade_limit and lost else {}
            case "StoplossGuard":
                among = own if self.only_per_pair else trades
                stops = [
                    trade
                    for trade in among
                    if trade.exit_reason in _STOPS and _profit(trade) < self.required_profit
                ]
                name = pair if self.only_per_pair else _ALL
                return _until(name, stops) if len(stops) >= self.trade_limit else {}
            case _:
                deep = _drawdown(trades) > self.max_drawdown
                return _until(_ALL, trades) if len(trades) >= self.trade_limit and deep else {}

    def end_ms(self, closed_ms: int, candle_ms: int) -> int:
        """When a lock that counts from a close is over: the end of the candle in which its time is."""
        if self.unlock_at is None:
            until_ms = closed_ms + self.stop_ms
        else:
            closed, (hour, minute) = moment(closed_ms), self.unlock_at
            until = closed.replace(hour=hour, minute=minute, second=0, microsecond=0)
            until += timedelta(days=until <= closed)
            until_ms = int(until.timestamp() * 1000)
        return (until_ms // candle_ms + 1) * candle_ms


class Protections:
    """The rules of one strategy and the locks in force."""

    def __init__(self, rules: list[Rule], candle_ms: int) -> None:
        self._rules = rules
        self._candle_ms = candle_ms
        self._closed: deque[Trade] = deque(maxlen=_REMEMBERED)
        self._locks: dict[str, int] = {}

    def closed(self, trade: Trade) -> None:
        """A trade has closed, with its time, price and reason."""
        self._closed.append(trade)
        now_ms = trade.close_ms or 0
        for rule in self._rules:
            for pair, from_ms in rule.locks(trade.pair, self._closed, now_ms).items():
                until_ms = rule.end_ms(from_ms, self._candle_ms)
                if until_ms > self._locks.get(pair, 0):
                    self._locks[pair] = until_ms
                    logger.info(
                        "entries are locked", market=pair, by=rule.method, until=f"{moment(until_ms):%F %T}"
                    )

    def forbid(self, pair: str, now_ms: int) -> bool:
        """Whether the pair may not be entered now."""
        return max(self._locks.get(pair, 0), self._locks.get(_ALL, 0)) > now_ms


def read_protections(entries: Iterable[Mapping[str, Any]] | None, candle_ms: int) -> Protections:
    """ConfigurationError names what cannot be right in a class's `protections`."""
    try:
        return Protections([_read(entry, candle_ms) for entry in entries or ()], candle_ms)
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigurationError(f"protections: {error}") from error


def _read(entry: Mapping[str, Any], candle_ms: int) -> Rule:
    method = str(entry.get("method"))
    if method not in _METHODS:
        raise ValueError(f"there is no method {method!r}: one of {', '.join(_METHODS)}")
    candles = {f"{kind}_candles": kind for kind in ("stop_duration", "lookback_period")}
    unknown = set(entry) - set(_NUMBERS) - set(candles) - _OTHERS
    if unknown:
        raise ValueError(f"{method} has no {', '.join(sorted(unknown))}")
    if entry.get("calculation_mode", "ratios") != "ratios":
        raise ValueError(f"{method}: calculation_mode is 'ratios' here, not {entry['calculation_mode']!r}")
    read = {kind: float(entry.get(kind, default)) for kind, default in _NUMBERS.items()}
    for kind, minutes in candles.items():
        if kind in entry:
            read[minutes] = float(entry[kind]) * candle_ms / _MINUTE_MS
    return Rule(
        method=method,
        stop_ms=int(read["stop_duration"] * _MINUTE_MS),
        lookback_ms=int(read["lookback_period"] * _MINUTE_MS),
        trade_limit=int(entry.get("trade_limit", 10 if method == "StoplossGuard" else 1)),
        required_profit=read["required_profit"],
        max_drawdown=read["max_allowed_drawdown"],
        only_per_pair=bool(entry.get("only_per_pair", False)),
        unlock_at=_clock(str(entry["unlock_at"])) if entry.get("unlock_at") else None,
    )


def _clock(text: str) -> tuple[int, int]:
    hour, minute = map(int, text.split(":"))
    if not (0 <= hour < 24 and 0 <= minute < 60):
        raise ValueError(f"unlock_at {text!r}: write hours and minutes such as 22:00")
    return hour, minute


def _until(pair: str, trades: list[Trade]) -> dict[str, int]:
    return {pair: max(trade.close_ms or 0 for trade in trades)} if trades else {}


def _profit(trade: Trade) -> float:
    return trade.calc_profit_ratio(trade.close_rate or trade.open_rate)


def _drawdown(trades: list[Trade]) -> float:
    """The deepest fall of the summed profits below their highest, which is at least nothing."""
    total = highest = deepest = 0.0
    for trade in sorted(trades, key=lambda trade: trade.close_ms or 0):
        total += _profit(trade)
        highest = max(highest, total)
        deepest = max(deepest, highest - total)
    return deepest
