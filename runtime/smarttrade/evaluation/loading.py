"""From the object's `strategy` to a strategy instance.

A user's own modules are in one folder; they are imported from there and nowhere else. A file
that imports freqtrade is given the names of `smarttrade.freqtrade`, which nothing else here needs: it is
loaded then.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import sysconfig
import traceback
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import msgspec

from smarttrade.api import Strategy as StrategySpec
from smarttrade.api import TradingAccountSpec
from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.foreign import imports_freqtrade, is_for_freqtrade
from smarttrade.evaluation.strategy import AccountSetup, Strategy
from smarttrade.messages import BOOK_LEVELS, StrategyVersion

SOURCE_DIRECTORY = Path("/etc/smarttrade/strategy")
"""Where an image of the strategy's own has its modules, and a backtest in the cluster the ConfigMap."""
_LAST_FRAMES = 3


def build_setup(spec: TradingAccountSpec) -> AccountSetup:
    """What the strategy may know of the object."""
    capital = spec.capital
    markets = tuple(market.symbol for market in spec.markets)
    return AccountSetup(
        markets=markets,
        timeframe=spec.strategy.timeframe.value,
        timeframe_ms=spec.strategy.timeframe.milliseconds,
        currency=capital.currency,
        allocation=capital.allocation,
        per_market=capital.per_market or capital.allocation / len(markets),
        price_collar=spec.risk.price_collar,
    )


def strategy_name(spec: StrategySpec) -> str:
    """The name that decisions carry: of the built-in strategy, or the class."""
    return spec.name or (spec.source.class_name if spec.source else "")


def mark_strategy(spec: TradingAccountSpec) -> str:
    """The same for the same strategy in any of its versions: all of the specification that one is built from,
    but for where its modules come from. What a later release adds, with a default, does not change it."""
    setup = build_setup(spec)
    unsaid = {"source": {"config_map_ref", "image"}}
    stated = spec.strategy.model_dump(mode="json", exclude_defaults=True, exclude=unsaid)
    relevant = (stated, setup.markets, setup.allocation, setup.per_market, setup.price_collar)
    written = msgspec.json.encode(relevant, order="sorted")
    return hashlib.sha256(written).hexdigest()[:16]


def build_strategy(spec: TradingAccountSpec, directory: Path = SOURCE_DIRECTORY) -> Strategy:
    """A new instance; ConfigurationError says which parameter or name is wrong."""
    strategy_class = load_class(spec.strategy, directory)
    if strategy_class.book_levels not in (0, *BOOK_LEVELS):
        raise ConfigurationError(
            f"strategy {strategy_class.__name__}: book_levels is {strategy_class.book_levels!r}: "
            f"make it 0 or one of {', '.join(map(str, BOOK_LEVELS))}"
        )
    try:
        return strategy_class(build_setup(spec), spec.strategy.parameters)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"strategy {strategy_class.__name__} cannot start: {_describe(error, directory)}"
        ) from error


def preload(spec: StrategySpec, directory: Path = SOURCE_DIRECTORY) -> None:
    """Import the libraries that the strategy's modules need, before anybody takes the time of a handler."""
    if spec.source is not None and any(map(imports_freqtrade, directory.glob("*.py"))):
        from smarttrade.freqtrade.imports import provide

        provide()
        importlib.import_module("smarttrade.freqtrade.adapter")
        importlib.import_module("talib.abstract")


def choose_version(spec: StrategySpec, given: StrategyVersion | None) -> StrategyVersion | None:
    """The version to load, None for a built-in strategy; ConfigurationError while it was not given."""
    if spec.source is None:
        return None
    origin = spec.source.origin
    if given is None or given.origin != origin:
        raise ConfigurationError(f"strategy.source: ConfigMap {origin} has not been read yet: is it there?")
    return given


def load_class(spec: StrategySpec, directory: Path = SOURCE_DIRECTORY) -> type[Strategy]:
    """The class behind `strategy.name` or `strategy.source`."""
    if spec.source is None:
        from smarttrade.strategies import load_built_in

        return load_built_in(spec.name or "")
    module_name, _, class_name = spec.source.class_name.rpartition(".")
    candidates = [module_name] if module_name else sorted(path.stem for path in directory.glob("*.py"))
    for candidate in candidates:
        found = _strategy(getattr(load_module(directory, candidate), class_name, None))
        if found is not None:
            return found
    raise ConfigurationError(
        f"strategy.source.class: no class {class_name!r} derived from smarttrade.Strategy or IStrategy in "
        f"{', '.join(candidates) or 'an empty ConfigMap or image'}: correct the class or what it comes from"
    )


def _strategy(found: Any) -> type[Strategy] | None:
    """The class, if it is a strategy; one that was written for freqtrade is made one of ours."""
    if not isinstance(found, type):
        return None
    if issubclass(found, Strategy):
        return found
    if is_for_freqtrade(found):
        from smarttrade.freqtrade.adapter import wrap

        return wrap(cast(Any, found))
    return None


def _is_taken(name: str) -> bool:
    """Whether it is Python's, ours or a package's; another strategy's of that name is none of these."""
    if name in sys.stdlib_module_names or name == __name__.partition(".")[0]:
        return True
    return (
        PathFinder.find_spec(name, [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]) is not None
    )


def load_module(directory: Path, name: str) -> ModuleType:
    """A user's module by its file, imported anew."""
    path = directory / f"{name}.py"
    if _is_taken(name):
        raise ConfigurationError(
            f"strategy.source: {name}.py would replace a module that everything here uses: rename it"
        )
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigurationError(
            f"strategy.source: there is no {name}.py in the ConfigMap or image: add it or correct the class"
        )
    if imports_freqtrade(path):
        from smarttrade.freqtrade.imports import provide

        provide()
    if str(directory) not in sys.path:
        sys.path.append(str(directory))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigurationError(
            f"strategy.source: {name}.py cannot be imported: {_describe(error, directory)}"
        ) from error
    return module


def _describe(error: Exception, directory: Path) -> str:
    """What went wrong, and the last lines of the way there; where the modules lie says nothing."""
    frames = traceback.extract_tb(error.__traceback__)[-_LAST_FRAMES:]
    lines = f"{type(error).__name__}: {error}\n{''.join(traceback.format_list(frames))}"
    return lines.replace(f"{directory}/", "").rstrip()
