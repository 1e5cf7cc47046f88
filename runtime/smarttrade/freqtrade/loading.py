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


def make_strategy(
    strategy_class: type[IStrategy],
    pairs: tuple[str, ...],
    config: Mapping[str, Any],
    runmode: RunMode,
    parameters: Mapping[str, object] | None = None,
) -> Any:
    """An instance that knows its data, parameters and configuration, begun with `bot_start`."""
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


def find_unheeded(strategy_class: type[IStrategy]) -> list[str]:
    """What a class overrides without effect here, each with what happens instead."""
    found = [
        f"{name} is not called: {instead}"
        for name, instead in _CHANGES_TRADES.items()
        if hasattr(strategy_class, name)
    ]
    if strategy_class.protections:
        found.append("protections have no effect: write limits into the account's risk")
    if strategy_class.can_short:
        found.append("can_short has no effect: on spot only the long side is traded")
    return found
