"""Commission: a rate of what was traded, cut off after eight decimals as the exchange does.

`FeeAsset.RECEIVED` is Binance's rule: buys pay in base, sells in quote. A third asset (BNB) is valued at its
last price against the quote; where there is no price or not enough of it, the received asset pays.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from smarttrade.matching.units import SCALE, to_units

RECEIVED: Final = "RECEIVED"
BASE: Final = "BASE"
QUOTE: Final = "QUOTE"


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """Rates as fractions (0.001 is 0.1 %). `asset`: RECEIVED, BASE, QUOTE or the name of a third asset."""

    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")
    asset: str = RECEIVED
    discount: Decimal = Decimal("0.25")

    def rate_units(self, is_maker: bool) -> int:
        return to_units(self.maker if is_maker else self.taker)

    @property
    def discount_units(self) -> int:
        return to_units(self.discount)

    @property
    def highest_units(self) -> int:
        return max(self.rate_units(True), self.rate_units(False))

    @property
    def is_third_asset(self) -> bool:
        return self.asset not in (RECEIVED, BASE, QUOTE)


def commission(amount: int, rate_units: int) -> int:
    """Units of `amount` owed at a rate."""
    return amount * rate_units // SCALE
