"""From a class for freqtrade to an instance that knows its data, parameters and configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smarttrade.errors import ConfigurationError
from smarttrade.freqtrade.interface import IStrategy
from smarttrade.freqtrade.parameters import set_parameters
from smarttrade.freqtrade.provider import DataProvider, RunMode

_CHANGES_TRADES = {
    "custom_entry_price": "entries are made at the market",
    "custom_exit_price": "exits are made at the market",
    "custom_roi": "profit targets come from minimal_roi",
    "adjust_order_price": "orders are not priced again while they rest",
    "adjust_entry_price": "orders are not priced again while they rest",
    "adjust_exit_price": "orders are not priced again while they rest",
    "adjust_trade_position": "a position is entered and left once",
}
_SWITCHES = {"custom_roi": "use_custom_roi", "adjust_trade_position": "position_adjustment_enable"}
"""What freqtrade itself calls only where the class switches it on."""
_UNHEEDED = {
    "check_entry_timeout": "an order never rests longer than one candle",
    "check_exit_timeout": "an order never rests longer than one candle",
    "order_filled": "nobody calls it",
    "ignore_buying_expired_candle_after": "an entry that comes later than its candle's end is not made",
}


def make_strategy(
    strategy_class: type[IStrategy],
    pairs: tuple[str, ...],
    config: Mapping[str, Any],
    runmode: RunMode,
    parameters: Mapping[str, object] | None = None,
) -> Any:
    """An instance that knows its data, parameters and configuration, begun with `bot_start`."""
    uncalled = find_uncalled(strategy_class)
    if uncalled:
        raise ConfigurationError(f"{strategy_class.__name__}: {'; '.join(uncalled)}")
    strategy = strategy_class({"runmode": runmode, **config})
    strategy.timeframe = (
        strategy.timeframe or getattr(strategy, "ticker_interval", "") or str(config.get("timeframe", ""))
    )
    if not strategy.timeframe:
        raise ConfigurationError(f"{strategy_class.__name__} declares no timeframe: write one")
    set_parameters(strategy, dict(parameters or {}))
    strategy.dp = DataProvider(pairs, strategy.timeframe, runmode)
    strategy.bot_start()
    return strategy


def find_uncalled(strategy_class: type[IStrategy]) -> list[str]:
    """What a class would have freqtrade call and nobody calls here, each with what to know: without it the
    trades would be others than its author meant."""
    return [
        f"{name} would not be called ({instead}): take it out"
        for name, instead in _CHANGES_TRADES.items()
        if hasattr(strategy_class, name) and getattr(strategy_class, _SWITCHES.get(name, name))
    ]


def find_unheeded(strategy_class: type[IStrategy]) -> list[str]:
    """What a class declares without effect here, each with what happens instead."""
    found = [
        f"{name} has no effect: {instead}"
        for name, instead in _UNHEEDED.items()
        if hasattr(strategy_class, name)
    ]
    if strategy_class.can_short:
        found.append("can_short has no effect: on spot only the long side is traded")
    if strategy_class.max_open_trades != IStrategy.max_open_trades:
        found.append("max_open_trades has no effect: capital.maxOpenPositions of the account is the limit")
    return found
