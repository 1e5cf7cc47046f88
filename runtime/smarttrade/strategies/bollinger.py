"""Bollinger mean reversion: buy below the lower band, sell at the mean.

Idea: a close far below the recent mean, measured in the recent spread, is more often noise than news.
Weaknesses: news looks the same at first; bands widen only after the fall, so the first signal of a crash is
a buy; there is no stop.
"""

from __future__ import annotations

from decimal import Decimal

from smarttrade.evaluation.indicators import Bollinger
from smarttrade.evaluation.strategy import Parameter, Remembered, Strategy, Wish
from smarttrade.messages import Candle


class BollingerReversion(Strategy):
    """Long from a close below the lower band until one above the mean; holds `fraction` of the share."""

    period = Parameter(20, minimum=2, maximum=500, description="candles in the mean")
    width = Parameter(
        Decimal(2), minimum=Decimal("0.1"), maximum=Decimal(10), description="bands, in standard deviations"
    )
    fraction = Parameter(
        Decimal("0.95"), minimum=Decimal("0.01"), maximum=Decimal(1), description="share held while long"
    )

    long = Remembered(dict[str, bool])

    @property
    def warmup(self) -> int:
        return self.period * 10  # the position, not the bands, remembers further back than the window

    def start(self) -> None:
        self._bands = {market: Bollinger(self.period, float(self.width)) for market in self.markets}

    def on_candle(self, candle: Candle) -> Wish | None:
        if candle.timeframe != self.timeframe:
            return None
        bands = self._bands[candle.market]
        mean = bands.update(candle.close)
        if mean is None or bands.lower is None:
            return None
        close = float(candle.close)
        if close < bands.lower:
            self.long[candle.market] = True
        elif close > mean:
            self.long[candle.market] = False
        reason = f"close {candle.close}, lower band {bands.lower:.8g}, mean {mean:.8g}"
        return self.hold(
            candle.market, self.fraction if self.long.get(candle.market) else Decimal(0), reason=reason
        )
