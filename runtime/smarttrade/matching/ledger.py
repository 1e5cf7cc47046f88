"""Who owns what: free and locked units per account and asset.

Every movement has two ends, so the sum over all accounts of an asset changes only by deposits. The outside
world (recorded liquidity) and the exchange's fee income are accounts too; the world's may go negative.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from smarttrade.matching.fees import FeeSchedule
from smarttrade.matching.units import to_decimal, to_units

if TYPE_CHECKING:
    from smarttrade.matching.orders import Order


@dataclass(slots=True, eq=False)
class Account:
    """Balances, fee schedule and open orders of one owner. `touched`: assets changed since last asked."""

    name: str
    fees: FeeSchedule = field(default_factory=FeeSchedule)
    free: dict[str, int] = field(default_factory=dict)
    locked: dict[str, int] = field(default_factory=dict)
    open_orders: dict[int, "Order"] = field(default_factory=dict)
    open_client_ids: dict[tuple[str, str], "Order"] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)

    def deposit(self, asset: str, amount: Decimal) -> None:
        """Add to (or, negative, take from) the free balance from outside the exchange."""
        self.credit(asset, to_units(amount))
        self.locked.setdefault(asset, 0)

    def credit(self, asset: str, units: int) -> None:
        self.free[asset] = self.free.get(asset, 0) + units
        self.touched.add(asset)

    def lock(self, asset: str, units: int) -> None:
        """Move free units to locked (negative: back)."""
        if units:
            self.free[asset] = self.free.get(asset, 0) - units
            self.locked[asset] = self.locked.get(asset, 0) + units
            self.touched.add(asset)

    def has_free(self, asset: str, units: int) -> bool:
        return self.free.get(asset, 0) >= units

    def balance(self, asset: str) -> tuple[Decimal, Decimal]:
        """(free, locked) of one asset."""
        return to_decimal(self.free.get(asset, 0)), to_decimal(self.locked.get(asset, 0))

    def take_touched(self) -> list[str]:
        """Names of the assets whose balance changed since the last call."""
        names = sorted(self.touched)
        self.touched.clear()
        return names


def total_units(accounts: list[Account], asset: str) -> int:
    """Free plus locked units of an asset over `accounts`."""
    return sum(account.free.get(asset, 0) + account.locked.get(asset, 0) for account in accounts)
