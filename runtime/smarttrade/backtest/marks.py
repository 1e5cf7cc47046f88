"""Marks an account's equity at the end of every base candle.

While the position stays what it is, equity follows from the closes alone: such steps are only counted, and
marked together when the position changes. Worth is counted then in whole numbers of 10^-18, exactly what the
ledger's decimals give; where it would not be exact the ledger is asked step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import gcd

from smarttrade.backtest.curve import EquityCurve
from smarttrade.backtest.exchange import CandleExchange
from smarttrade.backtest.history import History
from smarttrade.execution.core import Core
from smarttrade.matching.units import DIGITS, SCALE

_FINE, _LARGEST = 18, 10**27
_COIN = 10 ** (_FINE - 2 * DIGITS)
_FROM_FINE = 10 ** (_FINE - DIGITS)


class Marks:
    """Appends to `curve`. With an exchange of candles, steps in which the position stays need not
    be told of."""

    def __init__(
        self, curve: EquityCurve, core: Core, exchange: CandleExchange | None, history: History
    ) -> None:
        self._curve, self._core, self._exchange, self._history = curve, core, exchange, history
        self._fixed = 0
        self._held: dict[str, int] = {}
        self._since_ms = 0
        self._fills = -1

    def at(self, time_ms: int) -> None:
        """A step has ended of which the core was told."""
        if not self.follow(time_ms):
            self._settle(time_ms)

    def follow(self, time_ms: int) -> bool:
        """From the step that ends at this instant on, count with the position that is held now; False if that
        would not be exact."""
        fills = self._core.ctx.book.fills
        if fills != self._fills:
            before_ms = time_ms - self._history.interval_ms
            self.release(before_ms)
            self._fills = fills if self._hold(before_ms) else -1
        return self._fills == fills

    def _settle(self, time_ms: int) -> None:
        """Mark what the ledger says."""
        equity, invested = self._core.accounting.valuation().equity, Decimal(0)
        ledger = self._core.ctx.book.ledger
        for market in ledger.held():
            close = self._history.candles[market].closes(time_ms, time_ms)[0]
            invested += abs(ledger.quantity(market)) * Decimal(close).scaleb(-DIGITS)
        self._curve.add(time_ms, equity, invested)

    def _hold(self, time_ms: int) -> bool:
        """After this instant the position stays; False if that cannot be counted exactly."""
        if self._exchange is None:
            return False
        spec, ledger = self._core.ctx.spec, self._core.ctx.book.ledger
        if spec is None:
            return False
        fixed = spec.capital.allocation + ledger.realized_pnl
        self._held.clear()
        for market in ledger.held():
            holding = ledger.holding(market)
            quantity = _exactly(holding.quantity, DIGITS)
            if quantity is None or quantity < 0:
                return False
            self._held[market] = quantity
            fixed -= holding.cost
        exact = _exactly(fixed, _FINE)
        if exact is None or not -_LARGEST < exact < _LARGEST:
            return False
        self._fixed, self._since_ms = exact, time_ms
        return True

    def release(self, until_ms: int) -> None:
        """Mark every step that was not marked yet, up to an instant."""
        if self._fills < 0 or self._exchange is None:
            return
        length_ms = self._history.interval_ms
        count = (until_ms - self._since_ms) // length_ms
        first_ms = until_ms - (count - 1) * length_ms
        if count <= 0:
            return
        self._since_ms = until_ms
        times = range(first_ms, until_ms + 1, length_ms)
        if not self._held:
            (equity,) = _rounded((self._fixed,), 1, 0, _FROM_FINE)
            self._curve.stay(times, equity)
        elif len(self._held) == 1:
            ((market, quantity),) = self._held.items()
            closes = self._history.candles[market].closes(first_ms, until_ms)
            bids = self._exchange.shown_bids(market, closes)
            worth = _rounded(bids, quantity * _COIN, self._fixed, _FROM_FINE)
            self._curve.extend(times, worth, _rounded(closes, quantity, 0, SCALE))
        else:
            self._curve.extend(times, *self._sums(first_ms, until_ms, count))

    def _sums(self, first_ms: int, until_ms: int, count: int) -> tuple[list[int], list[int]]:
        """Equity and what is invested, of several markets together."""
        assert self._exchange is not None
        equity, invested = [self._fixed] * count, [0] * count
        for market, quantity in self._held.items():
            closes = self._history.candles[market].closes(first_ms, until_ms)
            bids = self._exchange.shown_bids(market, closes)
            finely = quantity * _COIN
            equity = [worth + finely * bid for worth, bid in zip(equity, bids, strict=True)]
            invested = [sum_ + quantity * close for sum_, close in zip(invested, closes, strict=True)]
        return _rounded(equity, 1, 0, _FROM_FINE), _rounded(invested, 1, 0, SCALE)


def _exactly(value: Decimal, places: int) -> int | None:
    scaled = value.scaleb(places)
    whole = int(scaled)
    return whole if whole == scaled else None


def _rounded(numbers: Sequence[int], factor: int, offset: int, divisor: int) -> list[int]:
    """(number * factor + offset) / divisor of each, to the nearest, halves to even."""
    half = divisor // 2
    if (offset - half) % gcd(divisor, factor):  # none of them is a half
        begin = offset + half
        return [(number * factor + begin) // divisor for number in numbers]
    return [
        ((exact := number * factor + offset) + half - 1 + (exact // divisor & 1)) // divisor
        for number in numbers
    ]
