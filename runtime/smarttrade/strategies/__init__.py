"""Strategies that come with SmartTrade: examples of the interface, each with its weaknesses, none advice."""

from __future__ import annotations

from importlib import import_module

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.strategy import Strategy

BUILT_IN = {
    "ma-cross": "smarttrade.strategies.ma_cross:MovingAverageCross",
    "rsi-reversion": "smarttrade.strategies.rsi_reversion:RsiReversion",
    "bollinger": "smarttrade.strategies.bollinger:BollingerReversion",
    "donchian": "smarttrade.strategies.donchian:DonchianBreakout",
    "grid": "smarttrade.strategies.grid:Grid",
    "avellaneda-stoikov": "smarttrade.strategies.avellaneda_stoikov:AvellanedaStoikov",
    "pairs": "smarttrade.strategies.pairs:Pairs",
    "dca": "smarttrade.strategies.dca:DollarCostAverage",
}


def load_built_in(name: str) -> type[Strategy]:
    """The class of a built-in strategy; ConfigurationError lists what there is."""
    if name not in BUILT_IN:
        raise ConfigurationError(
            f"strategy.name: no built-in strategy {name!r}; there is: {', '.join(BUILT_IN)}"
        )
    module, _, class_name = BUILT_IN[name].partition(":")
    strategy: type[Strategy] = getattr(import_module(module), class_name)
    return strategy
