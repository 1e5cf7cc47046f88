"""RSI mean reversion: buy weakness, sell when it is over.

Idea: after many falling candles in a short time sellers are exhausted and part of the fall is taken back.
Weaknesses: in a real downtrend RSI stays low while the price falls on, and there is no stop: the position is
held until RSI recovers, at whatever price; many small gains, few large losses.
"""

from __future__ import annotations

from decimal import Decimal

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.indicators import RSI
from smarttrade.evaluation.strategy import Parameter, Remembered, Strategy, Wish
from smarttrade.messages import Candle


class RsiReversion(Strategy):
    """Long from RSI below `oversold` until it is above `recovered`; holds `fraction` of the share."""

    period = Parameter(14, minimum=2, maximum=200, description="period of the RSI, in candles")
    oversold = Parameter(30, minimum=1, maximum=99, description="RSI below which it buys")
    recovered = Parameter(55, minimum=1, maximum=99, description="RSI above which it sells")
    fraction = Parameter(
        Decimal("0.95"), minimum=Decimal("0.01"), maximum=Decimal(1), description="share held while long"
    )

    long = Remembered(dict[str, bool])

    @property
    def warmup(self) -> int:
        return self.period * 10

    def validate(self) -> None:
        if self.oversold >= self.recovered:
            raise ConfigurationError(
                f"strategy.parameters: oversold ({self.oversold}) must be below recovered ({self.recovered})"
            )

    def start(self) -> None:
        self._rsi = {market: RSI(self.period) for market in self.markets}

    def on_candle(self, candle: Candle) -> Wish | None:
        if candle.timeframe != self.timeframe:
            return None
        rsi = self._rsi[candle.market].update(candle.close)
        if rsi is None:
            return None
        if rsi < self.oversold:
            self.long[candle.market] = True
        elif rsi > self.recovered:
            self.long[candle.market] = False
        fraction = self.fraction if self.long.get(candle.market) else Decimal(0)
        return self.hold(candle.market, fraction, reason=f"rsi({self.period}) {rsi:.1f}")
