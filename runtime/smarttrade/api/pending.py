"""Fields that are accepted although nothing stands behind them for such an object.

The operator names those that an object sets in its condition ConfigApplied (reason FieldsWithoutEffect): a
user who relies on a field learns from the object, not from a loss, that nothing stands behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smarttrade.api.exchange import DeadMansSwitch
from smarttrade.api.spec import Mode, TradingAccountSpec


@dataclass(frozen=True, slots=True)
class PendingField:
    """`asked` says whether a specification relies on the field, `meanwhile` what happens instead."""

    path: str
    asked: Callable[[TradingAccountSpec], bool]
    meanwhile: str


PENDING: tuple[PendingField, ...] = (
    PendingField(
        "spec.exchange.deadMansSwitch",
        lambda spec: spec.mode is Mode.PAPER and spec.exchange.dead_mans_switch is DeadMansSwitch.ARMED,
        "Paper has no exchange that could cancel its orders: Armed is for Live",
    ),
)


def fields_without_effect(spec: TradingAccountSpec) -> list[PendingField]:
    """The pending fields that this specification relies on, in a stable order."""
    return [field for field in PENDING if field.asked(spec)]
