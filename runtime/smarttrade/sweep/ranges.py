"""Which values of a strategy's parameters a sweep tries.

A strategy declares what is allowed (`Parameter(10, minimum=1, maximum=500)`); a flag narrows it to a range, a
range with a step, or a list. Values travel as the object carries them: integers, or strings for all else.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.parameters import Parameter

Value = int | str
Candidate = dict[str, Value]

_WIDE = 10
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter. Either `values` to choose from, or a range of numbers from `low` to `high`; `whole`
    numbers are integers. A `wide` range is divided by ratios rather than by differences."""

    name: str
    values: tuple[Value, ...] = ()
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    whole: bool = True

    @property
    def wide(self) -> bool:
        return self.low > 0 and self.high / self.low >= _WIDE

    def divided(self, steps: int) -> tuple[Value, ...]:
        """The values, or `steps` of the range, both ends among them."""
        if self.values:
            return self.values
        if steps < 2 or self.low == self.high:
            return (self.write(self.low),)
        shares = [Decimal(n) / (steps - 1) for n in range(steps)]
        return tuple(dict.fromkeys(self.write(self._at(share)) for share in shares))

    def _at(self, share: Decimal) -> Decimal:
        if share in (0, 1):
            return self.high if share else self.low
        if self.wide:
            ratio = math.log(self.high / self.low) * float(share)
            return self.low * Decimal(math.exp(ratio))
        return self.low + (self.high - self.low) * share

    def write(self, number: Decimal) -> Value:
        """A number of the range as the object carries it; fractions with three digits."""
        if self.whole:
            return int(number.to_integral_value(ROUND_HALF_EVEN))
        if number in (self.low, self.high):
            return f"{number.normalize():f}"
        digits = max(0, _DIGITS - 1 - number.adjusted())
        return f"{round(number, digits).normalize():f}"


def build_axes(declared: dict[str, Parameter[Any]], wanted: Sequence[str]) -> list[Axis]:
    """The axes that flags ask for (`fast=5:50`, `fast=5:50:5`, `kind=ema,sma`, `fast`); without any, all that
    are declared with bounds or choices. ConfigurationError names the flag that cannot be used."""
    if not wanted:
        axes = [_declared(name, parameter) for name, parameter in declared.items()]
        found = [axis for axis in axes if axis is not None]
        if not found:
            raise ConfigurationError(
                "the strategy declares no parameter with a range: give one, such as --parameter fast=5:50:5"
            )
        return found
    axes_by_name = {axis.name: axis for axis in (_asked(flag, declared) for flag in wanted)}
    return list(axes_by_name.values())


def _declared(name: str, parameter: Parameter[Any]) -> Axis | None:
    if type(parameter.default) is bool:
        return Axis(name, ("true", "false"))
    if parameter.choices:
        return Axis(name, tuple(_written(choice) for choice in parameter.choices))
    if parameter.minimum is None or parameter.maximum is None or isinstance(parameter.default, str):
        return None
    whole = isinstance(parameter.default, int)
    return Axis(name, (), Decimal(parameter.minimum), Decimal(parameter.maximum), whole)


def _asked(flag: str, declared: dict[str, Parameter[Any]]) -> Axis:
    name, sign, text = flag.partition("=")
    parameter = declared.get(name)
    if parameter is None:
        raise ConfigurationError(
            f"--parameter {flag}: the strategy has no parameter {name!r}; there is: {', '.join(declared)}"
        )
    if not sign:
        axis = _declared(name, parameter)
        if axis is None:
            raise ConfigurationError(
                f"--parameter {flag}: {name} has no declared range: write {name}=LOW:HIGH"
            )
        return axis
    if ":" not in text:
        return Axis(name, tuple(_written(parameter.read(part.strip())) for part in text.split(",")))
    return _ranged(flag, parameter, [part.strip() for part in text.split(":")])


def _ranged(flag: str, parameter: Parameter[Any], parts: list[str]) -> Axis:
    whole = type(parameter.default) is int
    if not whole and type(parameter.default) is not Decimal:
        raise ConfigurationError(f"--parameter {flag}: {parameter.name} is no number: list its values")
    if len(parts) > 3:
        raise ConfigurationError(f"--parameter {flag}: write LOW:HIGH or LOW:HIGH:STEP")
    low, high = (Decimal(parameter.read(part)) for part in parts[:2])
    if low > high:
        raise ConfigurationError(f"--parameter {flag}: {low} is above {high}: write the lower end first")
    axis = Axis(parameter.name, (), low, high, whole)
    if len(parts) == 2:
        return axis
    step = _step(flag, parts[2])
    count = int((high - low) / step) + 1
    return Axis(parameter.name, tuple(axis.write(low + n * step) for n in range(count)))


def _step(flag: str, text: str) -> Decimal:
    try:
        step = Decimal(text)
    except ArithmeticError:
        raise ConfigurationError(f"--parameter {flag}: the step {text!r} is no number") from None
    if not step.is_finite() or step <= 0:
        raise ConfigurationError(f"--parameter {flag}: the step must be above zero")
    return step


def _written(value: Any) -> Value:
    if type(value) is int:
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def grid(axes: Sequence[Axis], steps: int) -> Iterable[Candidate]:
    """Every combination, the last axis first."""
    names = [axis.name for axis in axes]
    for values in itertools.product(*(axis.divided(steps) for axis in axes)):
        yield dict(zip(names, values, strict=True))
