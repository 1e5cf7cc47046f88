"""Market making after Avellaneda and Stoikov: quotes around a price that leans against the inventory.

Idea: earn the spread by resting a buy below and a sell above a reservation price, which falls as more is
held and rises as less is, so that inventory comes back to its target by being traded with. Formulas: M.
Avellaneda and S. Stoikov, "High-frequency trading in a limit order book", Quantitative Finance 8 (2008),
equations 3.17 and 3.18, in relative prices (mid = 1) and with a horizon that never comes nearer:

    reservation = 1 - inventory * risk_aversion * variance * horizon
    spread      = risk_aversion * variance * horizon + 2 / risk_aversion * ln(1 + risk_aversion / arrival)

with inventory in orders above its target, variance of the mid's return per second and `arrival` the decay
of the fill rate with relative distance. Weaknesses: those who trade with these quotes may know more; a trend
fills one side only; the spread must exceed twice the maker fee (`least_spread`); a decision every second is
slow against professionals.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_UP, Decimal

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.strategy import Parameter, Remembered, Strategy, Wish
from smarttrade.messages import RestingOrder, Side

_FINEST = Decimal("1e-8")
_ONE = Decimal(1)
_QUOTES_LIVE = 3  # refreshes


class AvellanedaStoikov(Strategy):
    """Every `refresh` seconds of event time rests one buy and one sell in each market, each of `order_size`
    of the market's share, and aims to hold half of `fraction` of it. Without an account it rests no sells."""

    refresh = Parameter(5, minimum=1, maximum=3_600, description="seconds between quotes")
    order_size = Parameter(
        Decimal("0.1"), minimum=Decimal("0.001"), maximum=Decimal("0.5"), description="share in one order"
    )
    fraction = Parameter(
        Decimal("0.9"), minimum=Decimal("0.01"), maximum=_ONE, description="most of the share to hold"
    )
    risk_aversion = Parameter(
        Decimal("0.5"), minimum=Decimal("0.001"), maximum=Decimal(1_000), description="gamma"
    )
    arrival = Parameter(
        Decimal(2_000), minimum=_ONE, maximum=Decimal(1_000_000), description="kappa, per relative distance"
    )
    horizon = Parameter(60, minimum=1, maximum=86_400, description="seconds that risk is held for")
    memory = Parameter(60, minimum=2, maximum=10_000, description="refreshes in the variance's mean")
    least_spread = Parameter(
        Decimal("0.002"), minimum=Decimal("0.0001"), maximum=Decimal("0.2"), description="between the quotes"
    )

    mids = Remembered(dict[str, Decimal])
    variances = Remembered(dict[str, Decimal])

    def validate(self) -> None:
        if self.order_size > self.fraction:
            raise ConfigurationError(
                f"strategy.parameters: order_size ({self.order_size}) must not exceed fraction "
                f"({self.fraction})"
            )

    def start(self) -> None:
        self.timers = {"quote": self.refresh}

    def on_timer(self, name: str, time_ms: int) -> list[Wish]:
        priced = [market for market in self.markets if self.has_price(market)]
        return [self._quote(market) for market in priced]

    def _quote(self, market: str) -> Wish:
        mid = self.price(market)
        variance = self._variance(market, mid)
        size = self.fraction_of_allocation(market, self.order_size)
        target = self.fraction_of_allocation(market, self.fraction / 2)
        inventory = (self.position(market) - target) / size if size else Decimal(0)
        risk = self.risk_aversion * variance * self.horizon
        earned = 2 / self.risk_aversion * (1 + self.risk_aversion / self.arrival).ln()
        spread = max(risk + earned, self.least_spread)
        centre = 1 - inventory * risk
        buy, sell = mid * (centre - spread / 2), mid * (centre + spread / 2)
        reason = f"mid {mid}, inventory {inventory:.2f} orders, spread {spread:.6f}"
        orders = [*self._buy(market, min(buy, mid), size), *self._sell(market, max(sell, mid), size)]
        return self.rest(market, orders, valid_for_s=_QUOTES_LIVE * self.refresh, reason=reason)

    def _variance(self, market: str, mid: Decimal) -> Decimal:
        """Exponential mean of the squared relative change of the mid, per second."""
        before = self.mids.get(market, mid)
        self.mids[market] = mid
        square = (mid / before - 1) ** 2 / self.refresh
        known = self.variances.get(market, square)
        self.variances[market] = known + (square - known) / self.memory
        return self.variances[market]

    def _buy(self, market: str, price: Decimal, size: Decimal) -> list[RestingOrder]:
        room = self.fraction_of_allocation(market, self.fraction) - self.position(market)
        quantity = min(size, room).quantize(_FINEST, ROUND_DOWN)
        price = price.quantize(_FINEST, ROUND_DOWN)
        if quantity <= 0 or price <= 0:
            return []
        return [RestingOrder(key="buy", side=Side.BUY, price=price, quantity=quantity)]

    def _sell(self, market: str, price: Decimal, size: Decimal) -> list[RestingOrder]:
        quantity = min(size, self.position(market)).quantize(_FINEST, ROUND_DOWN)
        if quantity <= 0:
            return []
        return [
            RestingOrder(
                key="sell", side=Side.SELL, price=price.quantize(_FINEST, ROUND_UP), quantity=quantity
            )
        ]
