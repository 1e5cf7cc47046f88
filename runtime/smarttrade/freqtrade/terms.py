"""What a freqtrade strategy declares of profit targets, stops and signals, read once and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smarttrade.errors import ConfigurationError
from smarttrade.freqtrade.timeframes import timeframe_to_minutes

_OLD_NAMES = {
    "use_exit_signal": "use_sell_signal",
    "exit_profit_only": "sell_profit_only",
    "exit_profit_offset": "sell_profit_offset",
    "ignore_roi_if_entry_signal": "ignore_roi_if_buy_signal",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Ratios are of the price (stops) or of what was paid (`targets`: minutes since entry and profit, falling
    by minutes)."""

    minutes: int
    targets: tuple[tuple[int, float], ...]
    stoploss: float
    trailing_stop: bool
    trailing_stop_positive: float | None
    trailing_stop_positive_offset: float
    trailing_only_offset_is_reached: bool
    use_custom_stoploss: bool
    use_exit_signal: bool
    exit_profit_only: bool
    exit_profit_offset: float
    ignore_roi_if_entry_signal: bool

    def target(self, minutes: int) -> tuple[int, float] | None:
        """The profit target in force so long after the entry, and since when."""
        return next((each for each in self.targets if each[0] <= minutes), None)


def read_terms(strategy: Any) -> Terms:
    """ConfigurationError names the attribute that cannot be right."""
    own = {name: _old_or_new(strategy, name, old) for name, old in _OLD_NAMES.items()}
    positive, offset = strategy.trailing_stop_positive, strategy.trailing_stop_positive_offset or 0.0
    name = type(strategy).__name__
    if strategy.stoploss is None or not -1 <= float(strategy.stoploss) < 0:
        raise ConfigurationError(
            f"{name}.stoploss is {strategy.stoploss!r}: it is a ratio from -1 to below 0"
        )
    if strategy.trailing_stop and strategy.trailing_only_offset_is_reached and offset <= 0:
        raise ConfigurationError(
            f"{name}.trailing_only_offset_is_reached needs a trailing_stop_positive_offset above 0"
        )
    if strategy.trailing_stop and positive and 0 < offset <= positive:
        raise ConfigurationError(
            f"{name}.trailing_stop_positive_offset {offset} must be above trailing_stop_positive {positive}"
        )
    return Terms(
        minutes=timeframe_to_minutes(strategy.timeframe),
        targets=_targets(name, strategy.minimal_roi or {}),
        stoploss=float(strategy.stoploss),
        trailing_stop=bool(strategy.trailing_stop),
        trailing_stop_positive=positive,
        trailing_stop_positive_offset=offset,
        trailing_only_offset_is_reached=bool(strategy.trailing_only_offset_is_reached),
        use_custom_stoploss=bool(strategy.use_custom_stoploss),
        use_exit_signal=bool(own["use_exit_signal"]),
        exit_profit_only=bool(own["exit_profit_only"]),
        exit_profit_offset=float(own["exit_profit_offset"]),
        ignore_roi_if_entry_signal=bool(own["ignore_roi_if_entry_signal"]),
    )


def _old_or_new(strategy: Any, name: str, old: str) -> Any:
    return getattr(strategy, old) if hasattr(strategy, old) else getattr(strategy, name)


def _targets(name: str, table: Mapping[Any, Any]) -> tuple[tuple[int, float], ...]:
    try:
        return tuple(sorted(((int(after), float(ratio)) for after, ratio in table.items()), reverse=True))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name}.minimal_roi {table!r}: write minutes and ratios") from error
