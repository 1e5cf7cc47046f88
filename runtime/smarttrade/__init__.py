"""SmartTrade: an isolated, replicated trading environment for every account.

What a strategy author imports is here: `from smarttrade import Candle, Parameter, Strategy`, loaded when
first used, since most processes need no strategy.
"""

from typing import TYPE_CHECKING, Any

from smarttrade._version import __version__

if TYPE_CHECKING:
    from smarttrade.evaluation.strategy import (
        Book,
        Candle,
        Fill,
        OrderStyle,
        Parameter,
        Quote,
        Remembered,
        RestingOrder,
        Side,
        Strategy,
        Trade,
        Wants,
        Wish,
    )

__all__ = [
    "Book",
    "Candle",
    "Fill",
    "OrderStyle",
    "Parameter",
    "Quote",
    "Remembered",
    "RestingOrder",
    "Side",
    "Strategy",
    "Trade",
    "Wants",
    "Wish",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from smarttrade.evaluation import strategy

        return getattr(strategy, name)
    raise AttributeError(f"module 'smarttrade' has no attribute {name!r}")
