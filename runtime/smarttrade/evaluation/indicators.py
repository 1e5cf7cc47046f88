"""Incremental indicators: `update` takes the newest value, `value` is None until there is enough history.

Floats on purpose: an indicator is a statistic, not money, and Decimal is 30 times slower. Sums are
recomputed from their window where an error would build up over millions of updates. Recursive ones (EMA,
RSI, ATR) never forget their beginning entirely: warm up with ten times the period.
"""

from __future__ import annotations

import math
from collections import deque
from decimal import Decimal

Number = float | Decimal


class SMA:
    """Arithmetic mean of the last `period` values."""

    def __init__(self, period: int) -> None:
        self._window: deque[float] = deque(maxlen=period)
        self.period = period
        self.value: float | None = None

    def update(self, value: Number) -> float | None:
        self._window.append(float(value))
        if len(self._window) == self.period:
            self.value = math.fsum(self._window) / self.period
        return self.value


class EMA:
    """Exponential mean with weight 2 / (period + 1), begun with the mean of the first `period` values."""

    def __init__(self, period: int) -> None:
        self._weight = 2.0 / (period + 1)
        self._seed = SMA(period)
        self.period = period
        self.value: float | None = None

    def update(self, value: Number) -> float | None:
        mean = self.value
        if mean is None:
            self.value = mean = self._seed.update(value)
        else:
            self.value = mean = mean + self._weight * (float(value) - mean)
        return mean


class WilderMean:
    """Wilder's smoothing: weight 1 / period, begun with the mean of the first `period` values."""

    def __init__(self, period: int) -> None:
        self._seed = SMA(period)
        self.period = period
        self.value: float | None = None

    def update(self, value: Number) -> float | None:
        if self.value is None:
            self.value = self._seed.update(value)
        else:
            self.value += (float(value) - self.value) / self.period
        return self.value


class RSI:
    """Wilder's relative strength index, 0 to 100 (New Concepts in Technical Trading Systems, 1978)."""

    def __init__(self, period: int = 14) -> None:
        self._gain = WilderMean(period)
        self._loss = WilderMean(period)
        self._previous: float | None = None
        self.period = period
        self.value: float | None = None

    def update(self, value: Number) -> float | None:
        value = float(value)
        if self._previous is not None:
            change = value - self._previous
            gain, loss = self._gain.update(max(change, 0.0)), self._loss.update(max(-change, 0.0))
            if gain is not None and loss is not None:
                self.value = 50.0 if gain == loss == 0 else 100.0 * gain / (gain + loss)
        self._previous = value
        return self.value


class ATR:
    """Wilder's average true range."""

    def __init__(self, period: int = 14) -> None:
        self._mean = WilderMean(period)
        self._close: float | None = None
        self.period = period
        self.value: float | None = None

    def update(self, high: Number, low: Number, close: Number) -> float | None:
        high, low = float(high), float(low)
        previous = self._close
        true_range = (
            high - low if previous is None else max(high - low, abs(high - previous), abs(low - previous))
        )
        self.value = self._mean.update(true_range)
        self._close = float(close)
        return self.value


class Bollinger:
    """Mean and population standard deviation of the last `period` values: `lower`, `value`, `upper`."""

    def __init__(self, period: int = 20, width: float = 2.0) -> None:
        self._window: deque[float] = deque(maxlen=period)
        self.period = period
        self.width = float(width)
        self.value: float | None = None
        self.lower: float | None = None
        self.upper: float | None = None

    def update(self, value: Number) -> float | None:
        self._window.append(float(value))
        if len(self._window) == self.period:
            mean = math.fsum(self._window) / self.period
            spread = self.width * math.sqrt(math.fsum((x - mean) ** 2 for x in self._window) / self.period)
            self.value, self.lower, self.upper = mean, mean - spread, mean + spread
        return self.value


class Donchian:
    """Highest high and lowest low of the last `period` candles: `lower`, `upper`."""

    def __init__(self, period: int = 20) -> None:
        self._highs: deque[float] = deque(maxlen=period)
        self._lows: deque[float] = deque(maxlen=period)
        self.period = period
        self.lower: float | None = None
        self.upper: float | None = None

    def update(self, high: Number, low: Number) -> None:
        self._highs.append(float(high))
        self._lows.append(float(low))
        if len(self._highs) == self.period:
            self.upper, self.lower = max(self._highs), min(self._lows)
