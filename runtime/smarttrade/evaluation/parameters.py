"""Typed parameters of a strategy, with ranges and defaults.

The object carries integers and strings only, so that decimals survive the way through YAML and JSON; a
parameter reads them into the type of its default and refuses what is out of range with the name, the value
and what is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, Self, TypeVar, cast, overload

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.declarations import Declared, find_declared

T = TypeVar("T")

_KINDS = {bool: "true or false", int: "an integer", Decimal: "a decimal number in quotes", str: "a string"}


class Parameter(Declared, Generic[T]):
    """Declared in the class body: `fast = Parameter(10, minimum=2, maximum=500, description="...")`.

    The type is that of the default: int, Decimal, str or bool. On an instance it is the value.
    """

    def __init__(
        self,
        default: T,
        *,
        minimum: T | None = None,
        maximum: T | None = None,
        choices: Sequence[T] = (),
        description: str = "",
    ) -> None:
        if type(default) not in _KINDS:
            raise ConfigurationError(
                f"a parameter's default is an int, Decimal, str or bool, not {default!r}"
            )
        self.default = default
        self.minimum = minimum
        self.maximum = maximum
        self.choices = tuple(choices)
        self.description = description

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        value: T = instance.__dict__.get(self.name, self.default)
        return value

    def __set__(self, instance: object, value: T) -> None:
        raise AttributeError(f"parameter {self.name!r} is set by the account's specification only")

    def read(self, value: object) -> T:
        """The value in this parameter's type; ConfigurationError says what is allowed."""
        converted = self._convert(value)
        below = self.minimum is not None and cast("Any", converted) < self.minimum
        above = self.maximum is not None and cast("Any", converted) > self.maximum
        if below or above or (self.choices and converted not in self.choices):
            raise self._refusal(value)
        return converted

    def _convert(self, value: object) -> T:
        kind = type(self.default)
        try:
            if kind is bool:
                return cast("T", {"true": True, "false": False}[str(value).lower()])
            if kind is Decimal:
                number = Decimal(str(value))
                if not number.is_finite():
                    raise self._refusal(value)
                return cast("T", number)
            return cast("T", int(str(value)) if kind is int else str(value))
        except (KeyError, ValueError, InvalidOperation) as error:
            raise self._refusal(value) from error

    def _refusal(self, value: object) -> ConfigurationError:
        return ConfigurationError(f"strategy.parameters.{self.name}: {value!r} is not {self.allowed}")

    @property
    def allowed(self) -> str:
        """What may be written, for people."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        limits = []
        if self.minimum is not None:
            limits.append(f"at least {self.minimum}")
        if self.maximum is not None:
            limits.append(f"at most {self.maximum}")
        return " ".join([_KINDS[type(self.default)], *([" and ".join(limits)] if limits else [])])


def declared_parameters(strategy_class: type) -> dict[str, Parameter[Any]]:
    """Every parameter of a strategy class, inherited ones included, in order of declaration."""
    return find_declared(strategy_class, Parameter)


def read_parameters(strategy_class: type, given: Mapping[str, object]) -> dict[str, Any]:
    """Values of all parameters; ConfigurationError for an unknown name or a value that is not allowed."""
    declared = declared_parameters(strategy_class)
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        raise ConfigurationError(
            f"strategy.parameters.{unknown[0]}: {strategy_class.__name__} has no such parameter; "
            f"there is: {', '.join(declared) or 'none'}"
        )
    return {
        name: parameter.read(given[name]) if name in given else parameter.default
        for name, parameter in declared.items()
    }
