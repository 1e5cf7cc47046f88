"""Moving-average cross: long while the fast mean is above the slow one, flat otherwise.

Idea: trends last longer than the averages need to notice them. Weaknesses: in a market that goes sideways it
buys high and sells low at every cross and pays fees and spread each time; it gives back part of every trend
before it leaves; the two periods are easily fitted to the past.
"""

from __future__ import annotations

from decimal import Decimal

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.indicators import EMA, SMA
from smarttrade.evaluation.strategy import Parameter, Strategy, Wish
from smarttrade.messages import Candle

_RECURSIVE_MEMORY = 10
_FLAT = Decimal(0)


class MovingAverageCross(Strategy):
    """`fast` and `slow` periods of `kind`; holds `fraction` of the market's share of the allocation."""

    fast = Parameter(10, minimum=1, maximum=500, description="period of the fast average, in candles")
    slow = Parameter(30, minimum=2, maximum=1000, description="period of the slow average, in candles")
    kind = Parameter("ema", choices=("ema", "sma"), description="exponential or simple average")
    fraction = Parameter(
        Decimal("0.95"), minimum=Decimal("0.01"), maximum=Decimal(1), description="share held while long"
    )

    @property
    def warmup(self) -> int:
        return self.slow * _RECURSIVE_MEMORY if self.kind == "ema" else self.slow

    def validate(self) -> None:
        if self.fast >= self.slow:
            raise ConfigurationError(
                f"strategy.parameters: fast ({self.fast}) must be smaller than slow ({self.slow})"
            )

    def start(self) -> None:
        mean: type[EMA] | type[SMA] = EMA if self.kind == "ema" else SMA
        self._averages = {market: (mean(self.fast), mean(self.slow)) for market in self.markets}
        fast, slow = f"{self.kind}({self.fast})", f"{self.kind}({self.slow})"
        self._holds = {
            True: (self.fraction, f"{fast} above {slow}"),
            False: (_FLAT, f"{fast} below {slow}"),
        }

    def on_candle(self, candle: Candle) -> Wish | None:
        if candle.timeframe != self.timeframe:
            return None
        averages, close = self._averages[candle.market], float(candle.close)
        fast, slow = averages[0].update(close), averages[1].update(close)
        if fast is None or slow is None:
            return None
        fraction, reason = self._holds[fast > slow]
        return self.hold(candle.market, fraction, reason=reason)
