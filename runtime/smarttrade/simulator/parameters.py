"""Request parameters: text in, typed values out, the exchange's own errors where they do not fit."""

import re
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

from smarttrade.simulator.errors import ApiError, illegal, missing

_NUMBER = re.compile(r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
_CLIENT_ID = re.compile(r"^[a-zA-Z0-9\-_.:/]{1,36}$")
_LATEST_MS = 10**14
Choice = TypeVar("Choice", bound=StrEnum)


class Parameters:
    """One request's parameters by name; empty values count as absent."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def get(self, name: str) -> str | None:
        return self.values.get(name) or None

    def need(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise missing(name)
        return value

    def integer(self, name: str, default: int | None = None) -> int | None:
        value = self.get(name)
        if value is None:
            return default
        try:
            return int(value)
        except ValueError as error:
            raise illegal(name, "^[0-9]{1,20}$") from error

    def moment(self, name: str) -> int | None:
        """A time in ms, which may be given in microseconds."""
        value = self.integer(name)
        return value // 1000 if value is not None and value > _LATEST_MS else value

    def limit(self, default: int, most: int) -> int:
        value = self.integer("limit", default)
        if value is None or value < 1:
            raise ApiError(-1128, "Combination of optional parameters invalid.")
        return min(value, most)

    def decimal(self, name: str) -> Decimal | None:
        """A positive number; the exchange accepts no exponent and no sign."""
        value = self.get(name)
        if value is None:
            return None
        if not _NUMBER.match(value):
            raise illegal(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
        try:
            number = Decimal(value)
        except InvalidOperation as error:
            raise illegal(name, "a decimal number") from error
        return number or None

    def choice(self, name: str, choices: type[Choice], code: int, message: str) -> Choice | None:
        value = self.get(name)
        if value is None:
            return None
        try:
            return choices(value.upper())
        except ValueError as error:
            raise ApiError(code, message) from error

    def client_id(self, name: str) -> str | None:
        value = self.get(name)
        if value is not None and not _CLIENT_ID.match(value):
            raise illegal(name, "^[a-zA-Z0-9\\-\\_\\.\\:\\/]{1,36}$")
        return value
