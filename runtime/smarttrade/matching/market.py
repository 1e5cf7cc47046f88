"""A market and its trading rules, in the exchange's terms."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from smarttrade.errors import ConfigurationError
from smarttrade.matching.units import SCALE, to_units


@dataclass(frozen=True)
class Market:
    """Spot market `symbol` ("BTC/USDT"). Prices in quote, sizes in base, notionals in quote, Decimal."""

    base: str
    quote: str
    tick_size: Decimal = Decimal("0.01")
    step_size: Decimal = Decimal("0.00001")
    min_quantity: Decimal = Decimal("0.00001")
    max_quantity: Decimal = Decimal("9000")
    max_market_quantity: Decimal = Decimal("9000")
    min_price: Decimal = Decimal("0.01")
    max_price: Decimal = Decimal("1000000")
    min_notional: Decimal = Decimal("5")
    max_notional: Decimal = Decimal("9000000")
    bid_multiplier_up: Decimal = Decimal("5")
    bid_multiplier_down: Decimal = Decimal("0.2")
    ask_multiplier_up: Decimal = Decimal("5")
    ask_multiplier_down: Decimal = Decimal("0.2")
    max_open_orders: int = 200
    max_stop_orders: int = 5
    max_iceberg_parts: int = 10
    max_iceberg_orders: int = 10

    def __post_init__(self) -> None:
        if self.tick_size <= 0 or self.step_size <= 0:
            raise ConfigurationError(f"{self.symbol}: tick size and step size must be above zero")
        if to_units(self.tick_size) * to_units(self.step_size) % SCALE:
            raise ConfigurationError(
                f"{self.symbol}: tick size {self.tick_size} times step size {self.step_size} is finer than 8 "
                "decimals; choose a coarser step size"
            )

    @property
    def symbol(self) -> str:
        return f"{self.base}/{self.quote}"

    @property
    def id(self) -> str:
        """The exchange's own name: BTCUSDT."""
        return self.base + self.quote

    @cached_property
    def tick_units(self) -> int:
        return to_units(self.tick_size)

    @cached_property
    def step_units(self) -> int:
        return to_units(self.step_size)

    @property
    def fewest_limited(self) -> int:
        """Fewer open orders than this never reach a limit."""
        return min(self.max_open_orders, self.max_stop_orders, self.max_iceberg_orders)

    def round_price(self, price: Decimal) -> int:
        """Units of the multiple of the tick nearest to `price`, at least one tick."""
        ticks = int((price / self.tick_size).to_integral_value())
        return max(1, ticks) * self.tick_units

    def round_quantity(self, quantity: Decimal) -> int:
        """Units of the largest multiple of the step not above `quantity`."""
        return int(quantity / self.step_size) * self.step_units
