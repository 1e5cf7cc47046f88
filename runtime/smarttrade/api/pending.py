"""Fields that are accepted although what they ask for is not built yet.

The operator names those that an object sets in its condition ConfigApplied (reason FieldsWithoutEffect): a
user who relies on a field learns from the object, not from a loss, that nothing stands behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smarttrade.api.exchange import DeadMansSwitch
from smarttrade.api.operation import Orders
from smarttrade.api.spec import TradingAccountSpec


@dataclass(frozen=True, slots=True)
class PendingField:
    """`asked` says whether a specification relies on the field, `meanwhile` what happens instead."""

    path: str
    asked: Callable[[TradingAccountSpec], bool]
    meanwhile: str


PENDING: tuple[PendingField, ...] = (
    PendingField(
        "spec.exchange.deadMansSwitch",
        lambda spec: spec.exchange.dead_mans_switch is DeadMansSwitch.ARMED,
        "the exchange is not asked to cancel anything when the account falls silent",
    ),
    PendingField(
        "spec.orders.stopSlippage",
        lambda spec: spec.orders.stop_slippage != Orders().stop_slippage,
        "no stop orders are placed yet",
    ),
)


def fields_without_effect(spec: TradingAccountSpec) -> list[PendingField]:
    """The pending fields that this specification relies on, in a stable order."""
    return [field for field in PENDING if field.asked(spec)]
