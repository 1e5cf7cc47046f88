"""freqtrade's classes of parameters: a range to search, a default, and a value.

The value is, first found: what the account's specification says (`strategy.parameters`), what lies saved
beside the class (see `saved`), what the class says in its `buy_params`, `sell_params` and the like, the
default. What bites: freqtrade looks a value up in the table of the parameter's own space only, so a value in
another space's table has no effect.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from smarttrade.errors import ConfigurationError


class BaseParameter:
    """`space` is that of the search, also the prefix of the name where it is not given."""

    def __init__(
        self, *, default: Any, space: str | None = None, optimize: bool = True, load: bool = True, **_: Any
    ) -> None:
        self.name = ""
        self.default = default
        self.value = default
        self.space = space
        self.category = space
        self.optimize = optimize
        self.load = load
        self.in_space = False

    @property
    def range(self) -> Iterable[Any]:
        """The values that a strategy prepares columns for: outside a search the one that is used."""
        return [self.value]

    def read(self, given: object) -> Any:
        """A value of the specification in this parameter's type; ValueError if it is not allowed."""
        raise NotImplementedError

    @property
    def allowed(self) -> str:
        raise NotImplementedError


class NumericParameter(BaseParameter):
    """`low` and `high`, or both as a sequence in `low`."""

    def __init__(self, low: Any, high: Any = None, *, default: Any, **more: Any) -> None:
        if high is None and isinstance(low, Sequence) and len(low) == 2:
            low, high = low
        if high is None or isinstance(low, Sequence):
            raise ConfigurationError(f"{type(self).__name__} needs a lower and an upper bound")
        self.low, self.high = low, high
        super().__init__(default=default, **more)

    def _within(self, value: Any) -> Any:
        if not self.low <= value <= self.high:
            raise ValueError(value)
        return value

    @property
    def allowed(self) -> str:
        return f"at least {self.low} and at most {self.high}"


class IntParameter(NumericParameter):
    def read(self, given: object) -> int:
        return int(self._within(int(str(given))))


class RealParameter(NumericParameter):
    def read(self, given: object) -> float:
        return float(self._within(float(Decimal(str(given)))))


class DecimalParameter(RealParameter):
    """A number of `decimals` places."""

    def __init__(self, low: Any, high: Any = None, *, default: Any, decimals: int = 3, **more: Any) -> None:
        self.decimals = decimals
        super().__init__(low, high, default=round(default, decimals), **more)

    def read(self, given: object) -> float:
        return round(super().read(given), self.decimals)


class CategoricalParameter(BaseParameter):
    def __init__(self, categories: Sequence[Any], *, default: Any = None, **more: Any) -> None:
        if len(categories) < 2:
            raise ConfigurationError("CategoricalParameter needs at least two categories")
        self.opt_range = categories
        super().__init__(default=default, **more)

    def read(self, given: object) -> Any:
        told = str(given).lower() if str(given).lower() in ("true", "false") else str(given)
        for category in self.opt_range:
            if told in (str(category), str(category).lower()):
                return category
        raise ValueError(given)

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(str(category) for category in self.opt_range)


class BooleanParameter(CategoricalParameter):
    def __init__(self, *, default: Any = None, **more: Any) -> None:
        super().__init__([True, False], default=default, **more)


def find_parameters(strategy_class: type) -> dict[str, BaseParameter]:
    """Every parameter of a class, inherited ones included, in order of declaration."""
    found: dict[str, BaseParameter] = {}
    for base in reversed(strategy_class.__mro__):
        found |= {name: value for name, value in vars(base).items() if isinstance(value, BaseParameter)}
    return found


def set_parameters(strategy: Any, given: dict[str, object]) -> None:
    """Give `strategy` parameters of its own, each with its value; ConfigurationError says what is wrong."""
    declared = find_parameters(type(strategy))
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        raise ConfigurationError(
            f"strategy.parameters.{unknown[0]}: {type(strategy).__name__} has no such parameter; "
            f"there is: {', '.join(declared) or 'none'}"
        )
    for name, declaration in declared.items():
        parameter = copy.copy(declaration)
        parameter.name = name
        parameter.space = parameter.category = _space(name, declaration)
        parameter.value = (
            _read(parameter, given[name]) if name in given else value_of(strategy, name, declaration)
        )
        setattr(strategy, name, parameter)


def value_of(strategy: Any, name: str, parameter: BaseParameter) -> Any:
    """The value of a parameter that the specification does not give; of an instance or a class."""
    table = getattr(strategy, f"{_space(name, parameter)}_params", None) or {}
    return table[name] if parameter.load and name in table else parameter.default


def _space(name: str, parameter: BaseParameter) -> str:
    return parameter.space or name.partition("_")[0]


def _read(parameter: BaseParameter, given: object) -> Any:
    try:
        return parameter.read(given)
    except (ValueError, ArithmeticError) as error:
        raise ConfigurationError(
            f"strategy.parameters.{parameter.name}: {given!r} is not {parameter.allowed}"
        ) from error
