"""Grid of resting orders: buys below an anchor, sells of what is held above it.

Idea: a market that swings around a price pays the distance between two levels at every swing. Weaknesses: a
fall through the grid leaves the whole allocation bought on the way down; a rise leaves it without a position;
the anchor moves only when the price has left the grid, which takes the loss of the fall.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.strategy import Parameter, Remembered, Strategy, Wish
from smarttrade.messages import Candle, RestingOrder, Side

_FINEST = Decimal("1e-8")


class Grid(Strategy):
    """`levels` on each side, `step` apart as a share of the anchor; at the grid's upper end all that the buys
    bring is worth `fraction`."""

    levels = Parameter(5, minimum=1, maximum=20, description="orders on each side")
    step = Parameter(
        Decimal("0.005"), minimum=Decimal("0.0005"), maximum=Decimal("0.2"), description="distance of levels"
    )
    fraction = Parameter(
        Decimal("0.9"), minimum=Decimal("0.01"), maximum=Decimal(1), description="share in all buys"
    )

    anchors = Remembered(dict[str, Decimal])

    def validate(self) -> None:
        if self.levels * self.step >= 1:
            raise ConfigurationError(
                f"strategy.parameters: levels ({self.levels}) times step ({self.step}) must be below 1"
            )

    def on_candle(self, candle: Candle) -> Wish | None:
        if candle.timeframe != self.timeframe:
            return None
        anchor = self._anchor(candle)
        orders = [*self._buys(candle, anchor), *self._sells(candle, anchor)]
        return self.rest(candle.market, orders, reason=f"anchor {anchor}")

    def _anchor(self, candle: Candle) -> Decimal:
        anchor = self.anchors.setdefault(candle.market, candle.close)
        if abs(candle.close - anchor) > anchor * self.step * (self.levels + 1):
            anchor = self.anchors[candle.market] = candle.close
        return anchor

    def _buys(self, candle: Candle, anchor: Decimal) -> list[RestingOrder]:
        held, quantity = self.position(candle.market), self._quantity(anchor)
        orders: list[RestingOrder] = []
        for level in range(1, self.levels + 1):
            price = (anchor * (1 - self.step * level)).quantize(_FINEST)
            affordable = held + quantity * (len(orders) + 1) <= quantity * self.levels
            if price < candle.close and affordable:
                orders.append(RestingOrder(key=f"buy-{level}", side=Side.BUY, price=price, quantity=quantity))
        return orders

    def _sells(self, candle: Candle, anchor: Decimal) -> list[RestingOrder]:
        left = self.position(candle.market)
        orders = []
        for level in range(1, self.levels + 1):
            price = (anchor * (1 + self.step * level)).quantize(_FINEST)
            quantity = min(left, self._quantity(anchor))
            if price > candle.close and quantity > 0:
                left -= quantity
                orders.append(
                    RestingOrder(key=f"sell-{level}", side=Side.SELL, price=price, quantity=quantity)
                )
        return orders

    def _quantity(self, anchor: Decimal) -> Decimal:
        """Of each order: at no price within the grid are all of the buys worth more than the share, since a
        limit of the account that is as large would deny them."""
        top = anchor * (1 + self.step * (self.levels + 1))
        return (self.budget(self.fraction) / self.levels / top).quantize(_FINEST, ROUND_DOWN)
