"""Limits that execution enforces outside the strategy's code."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, Field

from smarttrade.api.model import Model, Rule
from smarttrade.api.scalars import Amount, PositiveAmount, Ratio, Text, TimeOfDay, at_most, unique


class Side(StrEnum):
    BUY = "Buy"
    SELL = "Sell"


class OnBreach(StrEnum):
    REDUCE_ONLY = "ReduceOnly"
    HALTED = "Halted"


def _distinct(sides: list[Side]) -> list[Side]:
    return unique(sides, str)


Sides = Annotated[
    list[Side],
    AfterValidator(_distinct),
    Field(min_length=1, max_length=2, json_schema_extra={"x-kubernetes-list-type": "set"}),
]
_TIME_ZONE = "write an IANA time zone, such as UTC or Europe/Berlin"


def _known(zone: str) -> str:
    """A machine without a time zone database cannot tell, and must not refuse what is right."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        if available_timezones():
            raise ValueError(f"{zone!r} is not known; {_TIME_ZONE}") from error
    return zone


TimeZone = Annotated[
    str,
    Text(
        r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
        64,
        _TIME_ZONE,
        cel="timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0",
    ),
    AfterValidator(_known),
]


class DailyReset(Model):
    """When the trading day begins."""

    time: TimeOfDay = "00:00"
    """When the trading day begins, HH:MM."""
    time_zone: TimeZone = "UTC"
    """IANA name of the time zone of that time."""


class Protection(Model):
    """How every position is protected, beside what its decision asks for: whichever comes first sells it."""

    stop_loss: Ratio | None = None
    """Sell when the price has fallen this far below the position's average cost, as a share of it."""
    take_profit: Ratio | None = None
    """Sell when the price has risen this far above the position's average cost, as a share of it."""
    trailing_stop: Ratio | None = None
    """Sell when the price has fallen this far below its highest since the position was opened."""

    @property
    def any(self) -> bool:
        return not (self.stop_loss is self.take_profit is self.trailing_stop is None)


class Risk(Model):
    """Limits; each denial has a code, is logged, counted and told to the strategy."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            at_most("maxOrderNotional", "maxPositionNotional"),
            "must be at most risk.maxPositionNotional: lower maxOrderNotional or raise maxPositionNotional",
            lambda risk: risk.max_order_notional <= risk.max_position_notional,
            "maxOrderNotional",
        ),
    )

    max_order_notional: PositiveAmount
    """The most that one order may be worth."""
    max_position_notional: PositiveAmount
    """The most that all positions together may be worth, worst case of open orders included."""
    max_open_orders: Annotated[int, Field(strict=True, ge=1, le=200)] = 20
    """How many own orders may be open at once."""
    max_orders_per_minute: Annotated[int, Field(strict=True, ge=1, le=6000)] = 60
    """How many orders may be sent in a minute; targets beyond it wait and coalesce."""
    price_collar: Ratio = Field(default="0.02", validate_default=True)
    """How far from the mid price an order may be priced, as a share of it."""
    max_daily_loss: PositiveAmount
    """Loss since the last daily reset, fees and unrealised included, that ends trading as onBreach says."""
    max_drawdown: Ratio = Field(default="0.10", validate_default=True)
    """Fall from the highest equity ever, as a share of it, that ends trading as onBreach says."""
    cooldown_seconds: Annotated[int, Field(strict=True, ge=0, le=86_400)] = 0
    """Time without new entries after a losing exit."""
    minimum_balance: Amount = Field(default="0", validate_default=True)
    """Free balance in capital.currency below which nothing is bought."""
    allowed_sides: Sides = Field(default_factory=lambda: [Side.BUY, Side.SELL])
    """Sides that orders may have."""
    stale_data_seconds: Annotated[int, Field(strict=True, ge=1, le=3600)] = 5
    """Age of the market stream, not of the last trade, beyond which there is no new exposure."""
    daily_reset: DailyReset = Field(default_factory=DailyReset)
    """When the trading day begins."""
    protection: Protection = Field(default_factory=Protection)
    """Stops that rest on the exchange for every position."""
    on_breach: OnBreach = OnBreach.REDUCE_ONLY
    """What a breach of maxDailyLoss or maxDrawdown makes of the account until it is acknowledged."""
