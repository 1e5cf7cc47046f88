"""What a backtest assumes beyond the manifest; every value is printed with the result."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from smarttrade.errors import ConfigurationError
from smarttrade.matching import FeeSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Fees, spread and slippage are fractions of the price, latency is from decision to exchange.

    `slippage` worsens the price of every marketable order beyond half the spread. Each latency is drawn
    evenly between half and one and a half times `latency_ms`, from `seed`.
    """

    maker_fee: Decimal = Decimal("0.001")
    taker_fee: Decimal = Decimal("0.001")
    spread: Decimal = Decimal("0.0002")
    slippage: Decimal = Decimal("0.0005")
    latency_ms: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("maker_fee", "taker_fee", "spread", "slippage"):
            value = getattr(self, name)
            if not 0 <= value < Decimal("0.5"):
                raise ConfigurationError(
                    f"{name.replace('_', ' ')} is {value}: give a fraction, 0.001 is 0.1 %"
                )
        if self.latency_ms < 0:
            raise ConfigurationError(f"latency is {self.latency_ms} ms: it cannot be negative")

    @property
    def fees(self) -> FeeSchedule:
        return FeeSchedule(maker=self.maker_fee, taker=self.taker_fee)
