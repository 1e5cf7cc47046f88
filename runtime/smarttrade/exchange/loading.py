"""One ccxt.pro exchange class, without ccxt's other hundred.

`import ccxt.pro` executes every exchange that ccxt knows and costs about 108 MiB a process; a container
trades on one. The package modules `ccxt`, `ccxt.async_support` and `ccxt.pro` are therefore put into
`sys.modules` by us, with the real packages' paths, before anything imports them: submodules load as ever,
and a name that the real `__init__` would have imported is looked up when it is first used.

What bites: where ccxt was already imported in full, that one is used; and ccxt expects
`ccxt.async_support.binance` to be the class, while Python's import system puts the submodule there.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
import sys
from types import ModuleType
from typing import Any

from smarttrade.errors import ConfigurationError
from smarttrade.exchange.signing import cryptography_later
from smarttrade.process.authorities import authorities_later

_HOMES = {
    "ccxt": ("ccxt.base.errors", "ccxt.base.exchange", "ccxt.base.precise", "ccxt.base.decimal_to_precision"),
    "ccxt.async_support": (
        "ccxt.base.errors",
        "ccxt.async_support.base.exchange",
        "ccxt.base.decimal_to_precision",
    ),
    "ccxt.pro": ("ccxt.base.errors", "ccxt.async_support.base.exchange"),
}
_EXCHANGE_ID = re.compile(r"[a-z][a-z0-9]*")


class _LazyPackage(ModuleType):
    """Stands in for one of ccxt's packages: same submodules, names resolved at first use."""

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and isinstance(vars(value).get(name), type):
            value = vars(value)[name]
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return importlib.metadata.version("ccxt")
        if not name.startswith("_"):
            for home in _HOMES[self.__name__]:
                module = importlib.import_module(home)
                if name in vars(module):
                    return vars(module)[name]
            if importlib.util.find_spec(f"{self.__name__}.{name}") is not None:
                importlib.import_module(f"{self.__name__}.{name}")
                return vars(self)[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


def _stand_in(name: str, locations: list[str]) -> None:
    package = _LazyPackage(name)
    package.__path__ = locations
    package.__spec__ = importlib.util.spec_from_loader(name, loader=None, is_package=True)
    sys.modules[name] = package
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)


def prepare_ccxt() -> None:
    """Make later imports from ccxt load only what they name; without effect if ccxt is already imported."""
    if "ccxt" in sys.modules:
        return
    spec = importlib.util.find_spec("ccxt")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError("ccxt is not installed: install smarttrade with its dependencies")
    root = spec.submodule_search_locations[0]
    _stand_in("ccxt", [root])
    _stand_in("ccxt.async_support", [f"{root}/async_support"])
    _stand_in("ccxt.pro", [f"{root}/pro"])
    with cryptography_later():
        importlib.import_module("ccxt.base.exchange")
    with authorities_later():
        importlib.import_module("aiohttp")


def load_exchange_class(name: str) -> type[Any]:
    """The ccxt.pro class of an exchange, such as `binance`; ConfigurationError if ccxt.pro has none."""
    if not _EXCHANGE_ID.fullmatch(name):
        raise ConfigurationError(
            f"exchange {name!r} is not a ccxt id: write it in lower case, such as binance"
        )
    prepare_ccxt()
    if importlib.util.find_spec(f"ccxt.pro.{name}") is None:
        raise ConfigurationError(
            f"exchange {name!r} has no streams in ccxt.pro {importlib.metadata.version('ccxt')}: "
            "choose another exchange or another version of ccxt"
        )
    module = importlib.import_module(f"ccxt.pro.{name}")
    exchange_class: type[Any] = vars(module)[name]
    return exchange_class
