"""What a strategy's file gets when it imports `freqtrade` or `technical`.

`provide` puts a finder before Python's own, in this process only, so an installed freqtrade is never
touched. What is not here cannot be imported, with the name in the message. Libraries that strategies import
and mostly never use are given a stand-in where they are not installed; the first use of one says what to
install.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from smarttrade.errors import ConfigurationError

_HERE = "smarttrade.freqtrade"
_TIMEFRAMES = (
    "timeframe_to_minutes timeframe_to_seconds timeframe_to_msecs "
    "timeframe_to_prev_date timeframe_to_next_date"
)
_STRATEGY = {
    "interface": "IStrategy",
    "informative": "informative merge_informative_pair",
    "parameters": "BooleanParameter CategoricalParameter DecimalParameter IntParameter RealParameter",
    "stops": "stoploss_from_absolute stoploss_from_open",
    "timeframes": _TIMEFRAMES,
    "trade": "Trade",
}
_TECHNICAL = "cmf chaikin_money_flow supertrend"
_PROVIDED: dict[str, dict[str, str]] = {
    "freqtrade": {},
    "freqtrade.constants": {"constants": "Config ListPairsWithTimeframes"},
    "freqtrade.data": {},
    "freqtrade.data.dataprovider": {"provider": "DataProvider"},
    "freqtrade.enums": {"provider": "RunMode"},
    "freqtrade.exchange": {"timeframes": f"{_TIMEFRAMES} date_minus_candles"},
    "freqtrade.persistence": {"trade": "Trade"},
    "freqtrade.strategy": _STRATEGY,
    "freqtrade.strategy.interface": {"interface": "IStrategy"},
    "freqtrade.strategy.parameters": {"parameters": _STRATEGY["parameters"]},
    "freqtrade.strategy.strategy_helper": {
        "informative": "merge_informative_pair",
        "stops": _STRATEGY["stops"],
    },
    "freqtrade.vendor": {},
    "freqtrade.vendor.qtpylib": {},
    "freqtrade.vendor.qtpylib.indicators": {"indicators": "*"},
    "technical": {},
    "technical.indicators": {"technical": _TECHNICAL},
    "technical.indicators.indicators": {"technical": _TECHNICAL},
    "technical.qtpylib": {"indicators": "*"},
    "technical.util": {"technical": "resample_to_interval resampled_merge compute_interval"},
}
_OFTEN_UNUSED = {
    "ta": "ta",
    "pandas_ta": "pandas_ta",
    "skopt": "scikit-optimize",
    "sklearn": "scikit-learn",
    "scipy": "scipy",
}


class _Provided(importlib.abc.Loader):
    def exec_module(self, module: ModuleType) -> None:
        module.__path__ = []
        for home, names in _PROVIDED[module.__name__].items():
            source = importlib.import_module(f"{_HERE}.{home}")
            chosen = [n for n in vars(source) if not n.startswith("_")] if names == "*" else names.split()
            vars(module).update({name: getattr(source, name) for name in chosen})


class _Absent(ModuleType):
    """Stands for a library, or for a name of one, until something is done with it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Absent(f"{self.__name__}.{name}")

    def __call__(self, *_: Any, **__: Any) -> Any:
        package = _OFTEN_UNUSED[self.__name__.partition(".")[0]]
        raise ConfigurationError(f"{self.__name__} is not installed: add {package} to the strategy's image")


class _AbsentLoader(importlib.abc.Loader):
    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None: ...


class Finder(importlib.abc.MetaPathFinder):
    """First of all finders while strategies for freqtrade are loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        top = fullname.partition(".")[0]
        if fullname in _PROVIDED:
            return importlib.machinery.ModuleSpec(fullname, _Provided(), is_package=True)
        if top in ("freqtrade", "technical"):
            raise ModuleNotFoundError(
                f"{fullname} is not among the names of freqtrade that strategies can import here",
                name=fullname,
            )
        if top in _OFTEN_UNUSED and not _is_installed(fullname):
            return importlib.machinery.ModuleSpec(fullname, _AbsentLoader(), is_package=True)
        return None


def _is_installed(name: str) -> bool:
    top = name.partition(".")[0]
    if isinstance(sys.modules.get(top), _Absent):
        return False
    return importlib.machinery.PathFinder.find_spec(top, None) is not None


_finder = Finder()


def provide() -> None:
    """Let files that are imported from now on find freqtrade's names here. ConfigurationError without the
    libraries that they need."""
    for library, package in (("pandas", "pandas"), ("talib", "TA-Lib")):
        if importlib.util.find_spec(library) is None:
            raise ConfigurationError(
                f"a strategy for freqtrade needs {package}: install smarttrade[freqtrade], "
                "or use the image that has the research libraries"
            )
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
