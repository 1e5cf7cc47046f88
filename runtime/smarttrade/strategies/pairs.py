"""Pairs on a spread, long only: hold whichever of two markets is cheap against the other.

Idea: two assets that are driven by the same news keep a ratio; far from its recent mean, the ratio tends to
come back, and the cheap one gains on the dear one meanwhile. Long only, since spot cannot be sold short: what
is earned is the cheap one's gain, not the spread's, so a fall of both still loses. Weaknesses: ratios break
for good when something happens to one of the two; the dear one is often dear for a reason; while both fall
this holds the one that fell first. The z-score of the log ratio is the common form of the rule in Gatev,
Goetzmann and Rouwenhorst, "Pairs Trading", Review of Financial Studies 19 (2006), section 1.
"""

from __future__ import annotations

import math
from decimal import Decimal

from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.indicators import Bollinger
from smarttrade.evaluation.strategy import Parameter, Remembered, Strategy, Wish
from smarttrade.messages import Candle

_ZERO = Decimal(0)


class Pairs(Strategy):
    """Of the account's two markets holds `fraction` of the share in the cheap one, from `entry` standard
    deviations of the log ratio until it is within `leave` of its mean."""

    period = Parameter(60, minimum=10, maximum=1_000, description="candles in the ratio's mean")
    entry = Parameter(
        Decimal(2), minimum=Decimal("0.5"), maximum=Decimal(10), description="deviations to enter at"
    )
    leave = Parameter(Decimal("0.5"), minimum=_ZERO, maximum=Decimal(5), description="deviations to leave at")
    fraction = Parameter(
        Decimal("0.95"), minimum=Decimal("0.01"), maximum=Decimal(1), description="share held while long"
    )

    cheap = Remembered(str)

    @property
    def warmup(self) -> int:
        return self.period * 10  # what is held remembers further back than the window

    def validate(self) -> None:
        if len(self.markets) != 2:
            raise ConfigurationError(
                f"strategy pairs needs exactly two markets, not {len(self.markets)}: correct spec.markets"
            )
        if self.leave >= self.entry:
            raise ConfigurationError(
                f"strategy.parameters: leave ({self.leave}) must be below entry ({self.entry})"
            )

    def start(self) -> None:
        self._ratio = Bollinger(self.period, 1.0)
        self._closes: dict[str, tuple[int, Decimal]] = {}

    def on_candle(self, candle: Candle) -> list[Wish] | None:
        if candle.timeframe != self.timeframe:
            return None
        self._closes[candle.market] = (candle.open_ms, candle.close)
        score = self._score(candle.open_ms)
        if score is None:
            return None
        self._choose(score)
        reason = f"log ratio {score:+.4f} deviations from its mean"
        return [
            self.hold(market, self.fraction if market == self.cheap else _ZERO, reason=reason)
            for market in self.markets
        ]

    def _score(self, open_ms: int) -> float | None:
        """Deviations of the log ratio from its mean, once both candles of the interval are there."""
        closes = [self._closes.get(market, (-1, _ZERO)) for market in self.markets]
        if any(opened != open_ms for opened, _ in closes):
            return None
        ratio = math.log(float(closes[0][1])) - math.log(float(closes[1][1]))
        mean = self._ratio.update(ratio)
        if mean is None or self._ratio.upper is None:
            return None
        deviation = self._ratio.upper - mean
        return (ratio - mean) / deviation if deviation > 0 else 0.0

    def _choose(self, score: float) -> None:
        first, second = self.markets
        if score <= -self.entry:
            self.cheap = first
        elif score >= self.entry:
            self.cheap = second
        elif abs(score) <= self.leave:
            self.cheap = ""
