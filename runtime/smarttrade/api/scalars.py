"""The scalar types of the object: decimals, durations and symbols, each with its schema and its messages.

A decimal is a string in every manifest: YAML turns an unquoted 0.1 into a binary float, and money that
went through one cannot be trusted again. Decimals that the API server compares have at most nine
places, because its `quantity()` rounds anything finer up. Words that YAML reads as booleans (On, Off, Yes, No)
are never values of an enum here.

Every check stands twice, side by side: as Python for manifests that never see an API server, and as
CEL for those that do. One table of tests holds both to the same verdicts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

DECIMAL_PATTERN = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?$"
FINE_DECIMAL_PATTERN = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,18})?$"
SIGNED_DECIMAL_PATTERN = r"^-?[0-9]{1,30}(\.[0-9]{1,30})?$"
DURATION_PATTERN = r"^(0s|[1-9][0-9]{0,5}(ms|s|m|h))$"
TIME_OF_DAY_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
SYMBOL_PATTERN = r"^[A-Z0-9]{1,20}/[A-Z0-9]{1,20}$"
CURRENCY_PATTERN = r"^[A-Z0-9]{1,20}$"
QUANTITY_PATTERN = r"^[0-9]{1,12}(\.[0-9]{1,3})?(m|k|M|G|Ki|Mi|Gi)?$"

_DECIMAL = 'write a plain decimal in quotes, such as "1000" or "0.02": no sign, exponent, unit or separator'
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


def _matching(pattern: str, message: str) -> dict[str, str]:
    return rule(f"self.matches(r'{pattern}')", message)


def text(pattern: str, length: int, message: str, *more: dict[str, str]) -> WithJsonSchema:
    """The schema of a string: the pattern for tools, and the rule for its readable message."""
    rules = [_matching(pattern, message), *more]
    return WithJsonSchema(
        {"type": "string", "pattern": pattern, "maxLength": length, "x-kubernetes-validations": rules}
    )


def _must_match(pattern: str, message: str) -> BeforeValidator:
    allowed = re.compile(pattern)

    def check(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is not a string; {message}")  # noqa: TRY004
        if not allowed.fullmatch(value):
            raise ValueError(f"{value!r} is not allowed; {message}")
        return value

    return BeforeValidator(check)


def _decimal(
    pattern: str, holds: Callable[[Decimal], bool] | None = None, message: str = ""
) -> BeforeValidator:
    allowed = re.compile(pattern)

    def read(value: object) -> Decimal:
        written = plain(value) if isinstance(value, Decimal) else value
        if not isinstance(written, str):
            raise ValueError(f"{value!r} is not a string; {_DECIMAL}")  # noqa: TRY004
        if not allowed.fullmatch(written):
            raise ValueError(f"{written!r} is not allowed; {_DECIMAL}")
        number = Decimal(written)
        if holds is not None and not holds(number):
            raise ValueError(f"{written!r} is not allowed; {message}")
        return number

    return BeforeValidator(read)


_as_text = PlainSerializer(plain, return_type=str, when_used="json")
_is_positive = rule("!isQuantity(self) || quantity(self).isGreaterThan(quantity('0'))", _POSITIVE)
_is_ratio = rule(
    "!isQuantity(self) || (quantity(self).isGreaterThan(quantity('0'))"
    " && quantity(self).compareTo(quantity('1')) <= 0)",
    _RATIO,
)

Amount = Annotated[Decimal, _decimal(DECIMAL_PATTERN), _as_text, text(DECIMAL_PATTERN, 32, _DECIMAL)]
"""Money in the account's currency, 0 or more."""

PositiveAmount = Annotated[
    Decimal,
    _decimal(DECIMAL_PATTERN, lambda number: number > 0, _POSITIVE),
    _as_text,
    text(DECIMAL_PATTERN, 32, _DECIMAL, _is_positive),
]
"""Money in the account's currency, more than 0."""

Ratio = Annotated[
    Decimal,
    _decimal(DECIMAL_PATTERN, lambda number: 0 < number <= 1, _RATIO),
    _as_text,
    text(DECIMAL_PATTERN, 32, _DECIMAL, _is_ratio),
]
"""A share: more than 0, at most 1."""

PositiveQuantity = Annotated[
    Decimal,
    _decimal(FINE_DECIMAL_PATTERN, lambda number: number > 0, _POSITIVE),
    _as_text,
    text(FINE_DECIMAL_PATTERN, 40, _DECIMAL, rule("self.matches('[1-9]')", _POSITIVE)),
]
"""A price or a quantity in the base asset: more than 0, up to 18 places."""

SignedDecimal = Annotated[
    Decimal,
    _decimal(SIGNED_DECIMAL_PATTERN),
    _as_text,
    WithJsonSchema({"type": "string", "pattern": SIGNED_DECIMAL_PATTERN, "maxLength": 64}),
]
"""A figure in status."""

Symbol = Annotated[str, _must_match(SYMBOL_PATTERN, _SYMBOL), text(SYMBOL_PATTERN, 41, _SYMBOL)]
Currency = Annotated[str, _must_match(CURRENCY_PATTERN, _CURRENCY), text(CURRENCY_PATTERN, 20, _CURRENCY)]
TimeOfDay = Annotated[
    str, _must_match(TIME_OF_DAY_PATTERN, _TIME_OF_DAY), text(TIME_OF_DAY_PATTERN, 5, _TIME_OF_DAY)
]
ResourceQuantity = Annotated[
    str, _must_match(QUANTITY_PATTERN, _QUANTITY), text(QUANTITY_PATTERN, 24, _QUANTITY)
]

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
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is not a string; {_DURATION}")  # noqa: TRY004
        if not re.fullmatch(DURATION_PATTERN, value):
            raise ValueError(f"{value!r} is not allowed; {_DURATION}")
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


DurationText = Annotated[Duration, text(DURATION_PATTERN, 10, _DURATION)]


def named(length: int, pattern: str, message: str) -> Any:
    """The type of a name: at most `length` characters that match `pattern`; `message` says how to write it."""
    return Annotated[str, _must_match(pattern, message), text(pattern, length, message)]


def at_most(smaller: str, greater: str, *, left: str = "self", right: str = "self") -> str:
    """CEL: the decimal or quantity at path `smaller` is not above the one at `greater`.

    Holds where either is absent or malformed: another rule speaks about that, better than a type error.
    """
    a, b = f"{left}.{smaller}", f"{right}.{greater}"
    present = "".join(f"!has({path}) || " for path in (a, b) if path.count(".") >= 1)
    return f"({present}!isQuantity({a}) || !isQuantity({b}) || quantity({a}).compareTo(quantity({b})) <= 0)"
