"""Rules by which the API server refuses parameters that a built-in strategy would refuse.

They follow from what each strategy declares. What bites: a value is an integer or a string, so to CEL it may
be anything, and the API server reckons with the longest: a pattern would cost too much, comparing and
converting do not. What cannot be converted is refused with CEL's words before the rule's. A decimal is
compared as a double: what is off by less than a double can tell is let through. That, and what parameters
must be to one another (`fast` below `slow`), is refused by evaluation, in the condition ConfigApplied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from smarttrade.api.scalars import rule
from smarttrade.evaluation.parameters import Parameter, declared_parameters


def build_rules(strategies: Mapping[str, type]) -> list[dict[str, str]]:
    """Entries of x-kubernetes-validations for `spec.strategy`, of the strategies by their built-in names."""
    return [each for name, strategy in strategies.items() for each in _of_strategy(name, strategy)]


def _of_strategy(name: str, strategy: type) -> Iterator[dict[str, str]]:
    declared = declared_parameters(strategy)
    for each in declared.values():
        yield _guarded(name, f"!('{each.name}' in self.parameters) || ({_allowed(each)})", _message(each))
    known = ", ".join(f"'{parameter}'" for parameter in declared)
    unknown = f"strategy {name} has the parameters {', '.join(declared)} and no other: correct the name"
    yield _guarded(name, f"self.parameters.all(p, p in [{known}])", unknown)


def _guarded(name: str, holds: str, message: str) -> dict[str, str]:
    applies = f"has(self.name) && self.name == '{name}' && has(self.parameters)"
    return {**rule(f"!({applies}) || {holds}", message), "fieldPath": ".parameters"}


def _message(parameter: Parameter[Any]) -> str:
    return f"{parameter.name} must be {parameter.allowed}"


def _allowed(parameter: Parameter[Any]) -> str:
    value = f"self.parameters.{parameter.name}"
    if parameter.choices:
        return f"{value} in [{', '.join(repr(str(choice)) for choice in parameter.choices)}]"
    kind, convert = ("int", str) if isinstance(parameter.default, int) else ("double", _double)
    bounds = [
        f"{kind}({value}) {sign} {convert(bound)}"
        for sign, bound in ((">=", parameter.minimum), ("<=", parameter.maximum))
        if bound is not None
    ]
    return " && ".join(bounds) or "true"


def _double(bound: Decimal) -> str:
    return repr(float(bound))
