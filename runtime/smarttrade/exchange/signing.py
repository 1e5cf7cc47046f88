"""Lets ccxt load without `cryptography`, which it needs only for keys that sign with RSA, ECDSA or Ed25519.

Most keys sign with HMAC, and the library stays resident with 10 MiB. While ccxt's base class is imported,
stand-ins take the place of the modules that it takes names from; the first call of any of them loads the
real ones and puts them where ccxt looks. What bites: ccxt's class keeps tables of curves and hashes, so
attributes of a stand-in are stand-ins too; ccxt calls one before it passes any on.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_PREFIX = "cryptography.hazmat.primitives."
_LEAVES = (
    "hashes",
    "serialization",
    "asymmetric.ec",
    "asymmetric.ed25519",
    "asymmetric.padding",
    "asymmetric.utils",
)
_USER = "ccxt.base.exchange"


class _Later:
    """A name in a module of `cryptography` that is loaded when it is called."""

    def __init__(self, module: str, path: tuple[str, ...]) -> None:
        self._module = module
        self._path = path

    def __getattr__(self, name: str) -> _Later:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Later(self._module, (*self._path, name))

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        _put_real_names_into(sys.modules[_USER])
        return self.resolve()(*arguments, **options)

    def resolve(self) -> Any:
        found: Any = importlib.import_module(self._module)
        for name in self._path:
            found = getattr(found, name)
        return found


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> _Later:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Later(self.__name__, (name,))


def _put_real_names_into(user: ModuleType) -> None:
    for name, value in list(vars(user).items()):
        if isinstance(value, _StandIn):
            setattr(user, name, importlib.import_module(value.__name__))
        elif isinstance(value, _Later):
            setattr(user, name, value.resolve())


@contextmanager
def cryptography_later() -> Iterator[None]:
    """Imports of `cryptography`'s primitives inside get stand-ins, unless the real ones are loaded."""
    names = [_PREFIX + leaf for leaf in _LEAVES]
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = _StandIn(name)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
