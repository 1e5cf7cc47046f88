"""What the account may use."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from smarttrade.api.model import Model, Rule, immutable
from smarttrade.api.scalars import (
    Currency,
    PositiveAmount,
    PositiveQuantity,
    Symbol,
    at_most,
    list_map,
    or_empty,
    unique,
)


def _empty_as_none(value: object) -> object:
    return None if value == "" else value


class InitialPosition(Model):
    """A holding that the account starts with."""

    symbol: Symbol
    """One of the account's markets."""
    quantity: PositiveQuantity
    """Holding adopted into the ledger, in the base asset."""
    average_price: PositiveQuantity
    """Its average cost, in capital.currency."""


def _unique(positions: list[InitialPosition]) -> list[InitialPosition]:
    return unique(positions, lambda position: position.symbol)


PerMarket = Annotated[
    PositiveAmount | None, BeforeValidator(_empty_as_none), WithJsonSchema(or_empty(PositiveAmount))
]
InitialPositions = Annotated[
    list[InitialPosition], AfterValidator(_unique), Field(max_length=64, json_schema_extra=list_map("symbol"))
]


class Capital(Model):
    """The money that the account may use; the rest of the wallet is never touched."""

    rules: ClassVar[tuple[Rule, ...]] = (
        immutable("currency", "create another TradingAccount for another currency"),
        Rule(
            at_most("perMarket", "allocation"),
            "must be at most capital.allocation: lower perMarket or raise allocation",
            lambda capital: capital.per_market is None or capital.per_market <= capital.allocation,
            "perMarket",
        ),
    )

    currency: Currency
    """The quote currency of every market, in which equity and limits are counted. Immutable."""
    allocation: PositiveAmount
    """The most that the account may use."""
    per_market: PerMarket = None
    """The share of the allocation for one market. Absent: allocation divided by the number of markets."""
    max_open_positions: Annotated[int, Field(strict=True, ge=1, le=64)] = 5
    """How many markets may hold a position at once."""
    initial_positions: InitialPositions = Field(default_factory=list)
    """Holdings that the ledger adopts when the account is first created."""
