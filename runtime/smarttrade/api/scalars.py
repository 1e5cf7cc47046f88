"""The scalar types of the object: decimals, durations and symbols, each with its schema and its messages.

A decimal is a string in every manifest: YAML turns an unquoted 0.1 into a binary float, and money that
went through one cannot be trusted again. Decimals that the API server compares have at most nine
places, because its `quantity()` rounds anything finer up. Words that YAML reads as booleans (On, Off, Yes,
No) are never values of an enum here.

Every check stands twice, side by side: as Python for manifests that never see an API server, and as
CEL for those that do. One table of tests holds both to the same verdicts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Self, TypeVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

DECIMAL_PATTERN = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?$"
FINE_DECIMAL_PATTERN = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,18})?$"
FEE_PATTERN = r"^0(\.[0-9]{1,8})?$"
SIGNED_DECIMAL_PATTERN = r"^-?[0-9]{1,30}(\.[0-9]{1,60})?$"
DURATION_PATTERN = r"^(0s|[1-9][0-9]{0,5}(ms|s|m|h))$"
TIME_OF_DAY_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
SYMBOL_PATTERN = r"^[A-Z0-9]{1,20}/[A-Z0-9]{1,20}$"
CURRENCY_PATTERN = r"^[A-Z0-9]{1,20}$"
OBJECT_NAME_PATTERN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
QUANTITY_PATTERN = r"^[0-9]{1,12}(\.[0-9]{1,3})?(m|k|M|G|Ki|Mi|Gi)?$"

_PLAIN = 'write a plain decimal in quotes, such as "1000" or "0.02": no sign, exponent or unit, at most'
_DECIMAL = f"{_PLAIN} 9 decimal places"
_FINE_DECIMAL = f"{_PLAIN} 18 decimal places"
_FEE = 'write a share below 1 in quotes with at most 8 decimal places: a tenth of a per cent is "0.001"'
_DURATION = 'write a whole number with a unit of ms, s, m or h, such as "10s" or "500ms"'
_TIME_OF_DAY = 'write a time of day as HH:MM in quotes, such as "00:00" or "17:30"'
_SYMBOL = "write BASE/QUOTE in capitals, such as BTC/USDT"
_CURRENCY = "write the currency's code in capitals, such as USDT"
_QUANTITY = "write a quantity as Kubernetes does, such as 100m, 0.5, 256Mi or 1Gi"
_POSITIVE = "must be greater than 0"
_RATIO = 'must be greater than 0 and at most 1: two per cent is "0.02"'


def plain(value: Decimal) -> str:
    """The decimal without an exponent: `1E+4` would not pass the object's own pattern."""
    return format(value, "f")


def rule(cel: str, message: str) -> dict[str, str]:
    return {"rule": cel, "message": message}


def list_map(key: str) -> dict[str, Any]:
    """Schema extension of a list whose items are told apart by one field, so that appliers may share it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


@dataclass(frozen=True, slots=True)
class Text:
    """Metadata of a string: what it must match, its greatest length, and how to write it."""

    pattern: str
    length: int
    message: str
    cel: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        """The pattern for tools, and a rule for its readable message."""
        matches = f"self.matches(r'{self.pattern}')"
        rules = [rule(f"{matches} && {self.cel}" if self.cel else matches, self.message)]
        return {
            "type": "string",
            "pattern": self.pattern,
            "maxLength": self.length,
            "x-kubernetes-validations": rules,
        }

    def check(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is not a string; {self.message}")
        if len(value) > self.length or not re.fullmatch(self.pattern, value):
            raise ValueError(f"{value!r} is not allowed; {self.message}")
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """Metadata of a decimal that is written as a string; `cel` and `holds` say the same of its value."""

    pattern: str
    cel: str = ""
    message: str = ""
    holds: Callable[[Decimal], bool] = lambda number: True
    hint: str = _DECIMAL
    length: int = 40

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                plain, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        written = Text(self.pattern, self.length, self.hint).__get_pydantic_json_schema__(schema, handler)
        more = [rule(self.cel, self.message)] if self.cel else []
        return written | {"x-kubernetes-validations": written["x-kubernetes-validations"] + more}

    def read(self, value: object) -> Decimal:
        written = plain(value) if isinstance(value, Decimal) else value
        number = Decimal(Text(self.pattern, self.length, self.hint).check(written))
        if not self.holds(number):
            raise ValueError(f"{written!r} is not allowed; {self.message}")
        return number


_ABOVE_ZERO = "!isQuantity(self) || quantity(self).isGreaterThan(quantity('0'))"
_SHARE = f"({_ABOVE_ZERO}) && (!isQuantity(self) || quantity(self).compareTo(quantity('1')) <= 0)"

Amount = Annotated[Decimal, Number(DECIMAL_PATTERN)]
"""Money in the account's currency, 0 or more."""

PositiveAmount = Annotated[
    Decimal, Number(DECIMAL_PATTERN, _ABOVE_ZERO, _POSITIVE, lambda number: number > 0)
]
"""Money in the account's currency, more than 0."""

Ratio = Annotated[Decimal, Number(DECIMAL_PATTERN, _SHARE, _RATIO, lambda number: 0 < number <= 1)]
"""A share: more than 0, at most 1."""

PositiveQuantity = Annotated[
    Decimal,
    Number(
        FINE_DECIMAL_PATTERN,
        "self.matches('[1-9]')",
        _POSITIVE,
        lambda number: number > 0,
        hint=_FINE_DECIMAL,
    ),
]
"""A price or a quantity in the base asset: more than 0, up to 18 places."""

FeeRate = Annotated[Decimal, Number(FEE_PATTERN, hint=_FEE)]
"""A fee as a share of what is traded: 0 or more, below 1."""

SignedDecimal = Annotated[
    Decimal, Number(SIGNED_DECIMAL_PATTERN, hint="write a plain decimal in quotes", length=96)
]
"""A figure in status."""

Symbol = Annotated[str, Text(SYMBOL_PATTERN, 41, _SYMBOL)]
Currency = Annotated[str, Text(CURRENCY_PATTERN, 20, _CURRENCY)]
TimeOfDay = Annotated[str, Text(TIME_OF_DAY_PATTERN, 5, _TIME_OF_DAY)]


@dataclass(frozen=True, slots=True)
class Size(Text):
    """Metadata of a Kubernetes quantity that must not be below `least`.

    A limit of 0 means none at all to Kubernetes, and one that no process fits in means a pod that never runs.
    """

    least: str = "0"

    def check(self, value: object) -> str:
        written = Text.check(self, value)
        if quantity(written) < quantity(self.least):
            raise ValueError(f"{value!r} is not allowed; {self._too_small}")
        return written

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        written = Text.__get_pydantic_json_schema__(self, schema, handler)
        bound = f"!isQuantity(self) || quantity(self).compareTo(quantity('{self.least}')) >= 0"
        rules = [*written["x-kubernetes-validations"], rule(bound, self._too_small)]
        return written | {"x-kubernetes-validations": rules}

    @property
    def _too_small(self) -> str:
        return f"must be at least {self.least}"


ResourceQuantity = Annotated[str, Size(QUANTITY_PATTERN, 24, _QUANTITY, least="1m")]
MemoryQuantity = Annotated[str, Size(QUANTITY_PATTERN, 24, _QUANTITY, least="32Mi")]


def or_empty(number: Any) -> dict[str, Any]:
    """The schema of a decimal that may also be the empty string, which means that it is absent."""
    (metadata,) = number.__metadata__
    schema: dict[str, Any] = metadata.__get_pydantic_json_schema__(core_schema.any_schema(), None)
    rules = [
        rule(f"self == '' || ({each['rule']})", each["message"])
        for each in schema["x-kubernetes-validations"]
    ]
    return schema | {"pattern": f"^$|{schema['pattern']}", "x-kubernetes-validations": rules}


Item = TypeVar("Item")


def unique(items: list[Item], key: Callable[[Item], str]) -> list[Item]:
    """The items; ValueError names the first key that comes twice, as the API server does for list maps."""
    seen: set[str] = set()
    for item in items:
        if key(item) in seen:
            raise ValueError(f"{key(item)!r} is there twice: remove one")
        seen.add(key(item))
    return items


_DURATION_TEXT = Text(DURATION_PATTERN, 10, _DURATION)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(str):
    """A duration as written, `10s` or `500ms`, with its value in seconds."""

    __slots__ = ()

    @property
    def seconds(self) -> float:
        number, unit = re.findall(r"[0-9]+|[a-z]+", self)
        return int(number) * _SECONDS[unit]

    @classmethod
    def read(cls, value: object) -> Self:
        return cls(_DURATION_TEXT.check(value))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return _DURATION_TEXT.__get_pydantic_json_schema__(schema, handler)


def at_most(smaller: str, greater: str, *, left: str = "self", right: str = "self") -> str:
    """CEL: the decimal or quantity at path `smaller` is not above the one at `greater`.

    Holds where either is absent or malformed: another rule speaks about that, better than a type error. Every
    step of a path is checked, because the API server also runs rules on defaults that are not filled in yet.
    """
    a, b = f"{left}.{smaller}", f"{right}.{greater}"
    comparable = " && ".join(f"{_present(path)} && isQuantity({path})" for path in (a, b))
    return f"(!({comparable}) || quantity({a}).compareTo(quantity({b})) <= 0)"


def _present(path: str) -> str:
    steps = path.split(".")
    return " && ".join(f"has({'.'.join(steps[:end])})" for end in range(2, len(steps) + 1))


_SCALE = {"m": "1e-3", "k": "1e3", "M": "1e6", "G": "1e9", "Ki": "1024", "Mi": str(2**20), "Gi": str(2**30)}


def quantity(written: str) -> Decimal:
    """The value of a Kubernetes quantity such as 250m or 1Gi."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", written).groups()  # type: ignore[union-attr]
    return Decimal(number) * Decimal(_SCALE.get(unit, "1"))
