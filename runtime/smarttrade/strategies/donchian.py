"""Donchian breakout with an ATR stop: buy a new high, leave when the move gives back some of its range.

Idea: the few large trends pay for the many false breakouts. Weaknesses: most breakouts are false, and each
costs about the stop's distance plus fees; the stop is looked at on closed candles only, so a fast fall goes
through it.
"""

from __future__ import annotations

from decimal import Decimal

from smarttrade.evaluation.indicators import ATR, Donchian
from smarttrade.evaluation.strategy import Parameter, Remembered, Strategy, Wish
from smarttrade.messages import Candle


class _Market:
    def __init__(self, period: int, atr_period: int) -> None:
        self.channel = Donchian(period)
        self.atr = ATR(atr_period)


class DonchianBreakout(Strategy):
    """Long from a close above the last `period` highs until one `stop` ATRs below the highest close since."""

    period = Parameter(20, minimum=2, maximum=500, description="candles in the channel")
    atr_period = Parameter(14, minimum=2, maximum=200, description="period of the average true range")
    stop = Parameter(
        Decimal(3), minimum=Decimal("0.1"), maximum=Decimal(20), description="distance of the stop, in ATRs"
    )
    fraction = Parameter(
        Decimal("0.95"), minimum=Decimal("0.01"), maximum=Decimal(1), description="share held while long"
    )

    highest = Remembered(dict[str, float])
    """Highest close since the entry, by market; none while flat."""

    @property
    def warmup(self) -> int:
        return 10 * max(self.period, self.atr_period)

    def start(self) -> None:
        self._states = {market: _Market(self.period, self.atr_period) for market in self.markets}

    def on_candle(self, candle: Candle) -> Wish | None:
        if candle.timeframe != self.timeframe:
            return None
        state, close = self._states[candle.market], float(candle.close)
        upper, atr = state.channel.upper, state.atr.value  # of the candles before this one
        state.channel.update(candle.high, candle.low)
        state.atr.update(candle.high, candle.low, candle.close)
        if upper is None or atr is None:
            return None
        highest = self.highest.get(candle.market)
        if highest is not None and close < max(highest, close) - float(self.stop) * atr:
            del self.highest[candle.market]
        elif highest is not None or close > upper:
            self.highest[candle.market] = max(highest or close, close)
        fraction = self.fraction if candle.market in self.highest else Decimal(0)
        return self.hold(candle.market, fraction, reason=f"channel {upper:.8g}, atr {atr:.8g}")
