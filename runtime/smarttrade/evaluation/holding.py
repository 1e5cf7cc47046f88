"""How much a fraction of a market's share is: of the allocation, and never more than losses have left of it.

Risk refuses what would cost more than the allocation less realised losses. A fraction that looked at the
allocation alone would be refused for ever once the account had lost what the fraction leaves over.

What bites: in warm-up the account is not known yet, so what is settled there is provisional. With the first
view it becomes what the account can pay for, but never less than is held: a restart does not trade.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from smarttrade.messages import AccountView

FINEST = Decimal("1e-8")
_ZERO = Decimal(0)
_MOVES = Decimal("0.998")
"""The price at which an order is judged is later than the one that it was sized at."""


@dataclass(frozen=True, slots=True)
class AccountSetup:
    """What the object says that a strategy needs to know. Money is in `currency`."""

    markets: tuple[str, ...]
    timeframe: str
    timeframe_ms: int
    currency: str
    allocation: Decimal
    per_market: Decimal
    price_collar: Decimal = Decimal("0.02")

    @property
    def spendable(self) -> Decimal:
        """The share of its money that an account can buy for at once: an order locks its worst price."""
        return _MOVES / (1 + self.price_collar)


class Held(NamedTuple):
    """A fraction, and the base quantity at which it was settled."""

    fraction: Decimal
    quantity: Decimal


def find_budget(
    setup: AccountSetup, fraction: Decimal, view: AccountView | None, spendable: Decimal = Decimal(1)
) -> Decimal:
    """Quote asset for a fraction of one market's share, at most `spendable` of what losses have left;
    the whole fraction while the account is not known."""
    wanted = setup.per_market * fraction
    if view is None:
        return wanted
    earned = sum((position.realized_pnl for position in view.positions), _ZERO)
    left = setup.per_market * (1 + min(earned, _ZERO) / setup.allocation)
    return max(min(wanted, left * spendable), _ZERO)


def settle_provisional(setup: AccountSetup, market: str, held: Held, view: AccountView) -> Held:
    """What a fraction settled before the account was known comes to now that it is."""
    wanted = setup.per_market * held.fraction
    affordable = held.quantity * find_budget(setup, held.fraction, view, setup.spendable) / wanted
    owned = next((p.quantity for p in view.positions if p.market == market), _ZERO)
    if affordable >= held.quantity:
        return held
    quantity = min(held.quantity, max(affordable.quantize(FINEST, ROUND_DOWN), owned))
    return Held(held.fraction, quantity)
