"""The prices of a run: they rise and fall back, slowly or at once, and are never below those of the limits.

Exposure is judged at the price of the simulated histories; where the market is higher, execution allows less
than that, never more. So bounds stay exact, while a stop or a profit that was set on the way up is reached on
the way down.
"""

from __future__ import annotations

import random
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from smarttrade.messages import Quote
from tests.simulation.venue import build_quote

TICK = Decimal("0.01")
_LEVELS = ("1", "1", "1.01", "1.02", "1.035", "1.05")
_STEP = Decimal("0.0025")
_LEAVES, _LEAPS = 0.1, 0.25


class Wandering:
    """One market. `level` is its price as a share of that of the limits."""

    def __init__(self, market: str, draw: random.Random) -> None:
        self._market = market
        self._draw = draw
        self._goal = self.level = Decimal(1)

    def step(self) -> bool:
        """A tenth of a second goes by; whether the price has moved."""
        before = self.level
        if self.level == self._goal and self._draw.random() < _LEAVES:
            self._goal = Decimal(self._draw.choice(_LEVELS))
            if self._draw.random() < _LEAPS:
                self.level = self._goal
        self.level += min(max(self._goal - self.level, -_STEP), _STEP)
        return self.level != before

    def settle(self) -> None:
        """Back where it began, for good if nobody lets it step again."""
        self._goal = self.level = Decimal(1)

    def quote(self, time_ms: int) -> Quote:
        return quote_at(self._market, self.level, time_ms)


def quote_at(market: str, level: Decimal = Decimal(1), time_ms: int = 0) -> Quote:
    """On the ticks of the exchange; bid and ask as far apart as in the simulated histories."""
    still = build_quote(market, time_ms)
    bid = (still.bid * level / TICK).to_integral_value(ROUND_FLOOR) * TICK
    ask = (still.ask * level / TICK).to_integral_value(ROUND_CEILING) * TICK
    return msgspec.structs.replace(still, bid=bid, ask=ask)
