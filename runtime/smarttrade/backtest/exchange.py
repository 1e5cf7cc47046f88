"""The exchange of a backtest: the paper account's orders and funds, moved by candles.

A candle acts on the orders that rest (`matching.candles` has the rules). An order that arrives during a
candle meets that candle's open, half a spread and the slippage away: never the close on which it was decided.
What bites: a resting order that arrives in the middle of a candle is judged by the whole of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from smarttrade.backtest.options import Assumptions
from smarttrade.exchange.paper_book import PaperBook
from smarttrade.exchange.reports import MarketFilters, OrderReport
from smarttrade.matching.candles import CandleModel, CandlePrices, apply_candle
from smarttrade.matching.units import to_decimal, to_units
from smarttrade.messages import Candle, Quote

_PLENTY = Decimal(10**12)
FILL_MODEL = (
    "candles; a marketable order fills at the open of the candle in which it arrives, half the spread and "
    "the slippage worse; a limit fills at its price when a candle trades beyond it, a touch is not enough; "
    "volume does not bound fills"
)


class CandleExchange:
    """One account's orders against candles; `clock` is the virtual exchange time in ms."""

    def __init__(
        self,
        filters: Iterable[MarketFilters],
        codes: dict[str, str],
        clock: Callable[[], int],
        assumptions: Assumptions,
    ) -> None:
        self.filters = {rules.market: rules for rules in filters}
        self.book = PaperBook(codes, clock, assumptions.fees)
        self.book.use(self.filters)
        self._clock = clock
        half = assumptions.spread / 2
        self._model = CandleModel(half_spread=half, slippage=assumptions.slippage)
        self._taken_at = half + assumptions.slippage
        self._half = half
        self._running: dict[str, Candle] = {}

    def begin(self, candle: Candle) -> None:
        """This candle runs now: orders that arrive meet its open."""
        self._running[candle.market] = candle

    def end(self, candle: Candle) -> list[OrderReport]:
        """The candle is over: the orders that it changed."""
        self._running.pop(candle.market, None)
        prices = CandlePrices(*map(to_units, (candle.open, candle.high, candle.low, candle.close)))
        apply_candle(self.book.engine, candle.market, prices, self._clock(), self._model)
        return list(self.book.take_reports().values())

    def arrive(self, market: str) -> list[OrderReport]:
        """An order reaches this market now and meets the running candle's open; orders that this changed."""
        candle = self._running.pop(market, None)
        return [] if candle is None else self.book.on_market(self._open(candle))

    def quote(self, candle: Candle) -> Quote:
        """What the account sees at the end of a candle."""
        return self._quote(candle.market, candle.close, self._half, candle.close_ms)

    def last_price(self, market: str) -> Decimal:
        return to_decimal(self.book.engine.markets[market].last_price)

    def _open(self, candle: Candle) -> Quote:
        return self._quote(candle.market, candle.open, self._taken_at, self._clock())

    def _quote(self, market: str, price: Decimal, half: Decimal, time_ms: int) -> Quote:
        tick = self.filters[market].tick
        bid = max(tick, (price * (1 - half) / tick).to_integral_value(ROUND_FLOOR) * tick)
        ask = max(bid + tick, (price * (1 + half) / tick).to_integral_value(ROUND_CEILING) * tick)
        return Quote(
            market=market, bid=bid, bid_quantity=_PLENTY, ask=ask, ask_quantity=_PLENTY, time_ms=time_ms
        )
