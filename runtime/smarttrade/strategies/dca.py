"""Dollar-cost averaging: buy for a fixed amount at fixed times, up to a share of the allocation.

Idea: who wants to hold an asset for long needs no opinion about the moment. Weaknesses: it never sells; in a
falling market it keeps buying until its share is used up; many small orders pay many fees.
"""

from __future__ import annotations

from decimal import Decimal

from smarttrade.evaluation.strategy import Parameter, Strategy, Wish

_VALID_FOR_S = 300


class DollarCostAverage(Strategy):
    """Every `interval` seconds of event time buys for `amount` in each market, while it holds less than
    `fraction` of the market's share. Buys nothing before the account is known."""

    interval = Parameter(86_400, minimum=10, maximum=31_536_000, description="seconds between buys")
    amount = Parameter(Decimal(100), minimum=Decimal("0.01"), description="quote currency a buy")
    fraction = Parameter(
        Decimal(1), minimum=Decimal("0.01"), maximum=Decimal(1), description="share after which it stops"
    )

    def start(self) -> None:
        self.timers = {"buy": self.interval}

    def on_timer(self, name: str, time_ms: int) -> list[Wish]:
        known = [market for market in self.markets if self.view and self.has_price(market)]
        wishes = [self._buy(market) for market in known]
        return [wish for wish in wishes if wish]

    def _buy(self, market: str) -> Wish | None:
        held = self.position(market)
        room = self.budget(self.fraction) - held * self.price(market)
        if room < self.amount:
            return None
        quantity = held + self.quantity_for(market, self.amount)
        return self.target(
            market, quantity, valid_for_s=_VALID_FOR_S, reason=f"another {self.amount} {self.setup.currency}"
        )
