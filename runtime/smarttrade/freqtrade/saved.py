"""What freqtrade's hyperopt saves beside a strategy's file, as `MyStrategy.json`: it goes before the class.

Profit targets, stops and the tables of parameters' values; `strategy.parameters` of the account goes before
both. What bites: a file of another strategy is refused, as freqtrade does, and so is one that is no JSON, of
which freqtrade only warns: the trades would be others than its author meant.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from smarttrade.errors import ConfigurationError

_SPACES = ("buy", "sell", "protection")
_NESTED = ("stoploss", "max_open_trades")
_TRAILING = (
    "trailing_stop",
    "trailing_stop_positive",
    "trailing_stop_positive_offset",
    "trailing_only_offset_is_reached",
)


class _Saved(msgspec.Struct):
    strategy_name: str
    params: dict[str, Any] = {}


def apply_saved(strategy_class: type) -> None:
    """Give the class what its file says, if it has one; ConfigurationError if that cannot be its own."""
    module = sys.modules.get(strategy_class.__module__)
    place = getattr(module, "__file__", None)
    path = Path(place).with_suffix(".json") if place else None
    if path is None or not path.is_file():
        return
    saved, name = _read(path), strategy_class.__name__
    if saved.strategy_name != name:
        raise ConfigurationError(
            f"{path.name} was saved for the strategy {saved.strategy_name}, not for {name}: take it out"
        )
    for attribute, value in _attributes(strategy_class, saved.params).items():
        setattr(strategy_class, attribute, value)


def _attributes(strategy_class: type, params: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if "roi" in params:
        told["minimal_roi"] = params["roi"]
    told |= {name: params[name][name] for name in _NESTED if name in params.get(name, {})}
    trailing = params.get("trailing", {})
    told |= {name: trailing[name] for name in _TRAILING if name in trailing}
    for space in _SPACES:
        if space in params:
            table = f"{space}_params"
            told[table] = {**(getattr(strategy_class, table, None) or {}), **params[space]}
    return told


def _read(path: Path) -> _Saved:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Saved)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(f"{path.name} is not what freqtrade saves: {error}") from error
