"""Marks an account's equity, step by step.

While the position stays what it is, equity follows from the bids alone. It is counted then in whole numbers
of 10^-18, exactly what the ledger's decimals give; where it would not be exact the ledger is asked.
"""

from __future__ import annotations

from decimal import Decimal

from smarttrade.backtest.curve import EquityCurve
from smarttrade.backtest.exchange import CandleExchange
from smarttrade.execution.core import Core
from smarttrade.matching.units import DIGITS, SCALE, to_units
from smarttrade.messages import Candle

_FINE, _LARGEST = 18, 10**27
_COIN = 10 ** (_FINE - 2 * DIGITS)
_FROM_FINE = 10 ** (_FINE - DIGITS)


class Marks:
    """Appends to `curve`."""

    def __init__(self, curve: EquityCurve, core: Core, exchange: CandleExchange) -> None:
        self._curve, self._core, self._exchange = curve, core, exchange
        self._closes: dict[str, Decimal] = {}
        self._fixed: int | None = None
        self._held: dict[str, tuple[int, int, int]] = {}

    def see(self, candle: Candle) -> None:
        self._closes[candle.market] = candle.close

    def settle(self, time_ms: int) -> None:
        """Mark what the ledger says."""
        equity, invested = self._core.accounting.valuation().equity, Decimal(0)
        ledger = self._core.ctx.book.ledger
        for market in ledger.held():
            invested += abs(ledger.quantity(market)) * self._closes[market]
        self._curve.add(time_ms, equity, invested)

    def hold(self) -> None:
        """From now on the position stays."""
        valuation, ledger = self._core.accounting.valuation(), self._core.ctx.book.ledger
        costs = sum((ledger.holding(market).cost for market in ledger.held()), Decimal(0))
        self._fixed = _exactly(valuation.allocation + valuation.realized - costs, _FINE)
        self._held = {}
        for market in ledger.held():
            quantity, close = _exactly(ledger.quantity(market), DIGITS), to_units(self._closes[market])
            if quantity is None or quantity < 0:
                self._fixed = None
                return
            self._held[market] = (quantity, self._exchange.shown_bid(market, close), close)

    def drift(self, time_ms: int, candles: tuple[Candle, ...]) -> bool:
        """Mark a step in which the position stayed; False if the ledger must be asked instead."""
        equity, invested = self._fixed, 0
        if equity is None:
            return False
        held = self._held
        if held:
            for candle in candles:
                known = held.get(candle.market)
                if known is not None:
                    close = to_units(candle.close)
                    held[candle.market] = (known[0], self._exchange.shown_bid(candle.market, close), close)
            for quantity, bid, close in held.values():
                equity += quantity * bid * _COIN
                invested += quantity * close
        if not -_LARGEST < equity < _LARGEST:
            return False
        return self._curve.add_units(time_ms, _rounded(equity, _FROM_FINE), _rounded(invested, SCALE))


def _exactly(value: Decimal, places: int) -> int | None:
    scaled = value.scaleb(places)
    whole = int(scaled)
    return whole if whole == scaled else None


def _rounded(number: int, divisor: int) -> int:
    """To the nearest, halves to even."""
    whole, rest = divmod(number, divisor)
    return whole + (2 * rest > divisor or (2 * rest == divisor and whole % 2 == 1))
