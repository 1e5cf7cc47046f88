"""A strategy that wants everything sometimes: what it does follows from its seed and the account alone."""

from __future__ import annotations

import random
from decimal import Decimal

from smarttrade.evaluation.strategy import (
    Candle,
    Fill,
    OrderStyle,
    Parameter,
    RestingOrder,
    Side,
    Strategy,
    Wants,
    Wish,
)


class Fickle(Strategy):
    """Repeats itself; sometimes reads the account, rests orders, is passive, limited, late or silent."""

    seed = Parameter(0, minimum=0, maximum=1000)

    def start(self) -> None:
        self.draw = random.Random(self.seed)
        self.timers = {"look": 1800}
        self.fraction = Decimal(0)
        self.looked: list[Decimal] = []

    def on_candle(self, candle: Candle) -> Wants:
        chance = self.draw.random()
        if chance < 0.08:
            self.fraction = Decimal(self.draw.choice(["0", "0.2", "0.5", "0.9"]))
        if chance < 0.12:
            return self.target(candle.market, self.part(candle), **self.options(candle))
        if chance < 0.15:
            self.looked.append(self.equity + self.position(candle.market))
            return self.target(candle.market, self.position(candle.market), reason=str(self.looked[-1]))
        if chance < 0.2:
            return None
        if chance < 0.22:
            return self.rest(candle.market, self.orders(candle))
        return self.hold(candle.market, self.fraction, reason=f"at {candle.close if chance > 0.9 else ''}")

    def part(self, candle: Candle) -> Decimal:
        return self.fraction_of_equity(candle.market, self.fraction)

    def options(self, candle: Candle) -> dict[str, object]:
        return {
            "style": self.draw.choice(list(OrderStyle)),
            "limit": self.draw.choice([None, candle.close, candle.close * Decimal("0.98")]),
            "valid_for_s": self.draw.choice([None, 0, 600]),
        }

    def orders(self, candle: Candle) -> list[RestingOrder]:
        amount = self.quantity_for(candle.market, Decimal(500))
        return [
            RestingOrder(key="low", side=Side.BUY, price=candle.close * Decimal("0.997"), quantity=amount)
        ]

    def on_fill(self, fill: Fill) -> Wish | None:
        self.looked.append(self.equity)
        return self.hold(fill.market, self.fraction) if self.draw.random() < 0.1 else None

    def on_timer(self, name: str, time_ms: int) -> list[Wish]:
        self.looked.append(self.equity)
        return [self.hold(market, self.fraction) for market in self.markets if self.has_price(market)]
