"""Scaled integers: the engine counts 10^-8 of every asset, price and quantity.

Addition and comparison of integers are exact and quick; Decimal stays at the edge. A product of price and
quantity carries the scale twice, so `notional` divides once; filters guarantee that nothing is cut off there
(tick x lot is never finer than one unit).
"""

from decimal import Decimal
from typing import Final

DIGITS: Final = 8
SCALE: Final = 10**DIGITS
UNLIMITED: Final = 1 << 120
_STEP: Final = Decimal(1).scaleb(-DIGITS)


def to_units(value: Decimal) -> int:
    """Units of 10^-8 of a Decimal; raises ValueError where it has more than eight decimals."""
    scaled = value.scaleb(DIGITS)
    units = int(scaled)
    if units != scaled:
        raise ValueError(f"{value} has more than {DIGITS} decimals")
    return units


def to_decimal(units: int) -> Decimal:
    """The Decimal with eight decimals that `units` stand for."""
    return Decimal(units) * _STEP


def to_text(units: int) -> str:
    """Fixed-point text with eight decimals, as the exchange writes it: 150000000 -> '1.50000000'."""
    if units < 0:
        return "-" + to_text(-units)
    return f"{units // SCALE}.{units % SCALE:08d}"


def notional(price: int, quantity: int) -> int:
    """Quote units of `quantity` at `price`."""
    return price * quantity // SCALE
