"""The exchange of a backtest: the paper account's orders and funds, moved by candles.

A candle acts on the orders that rest (`matching.candles` has the rules). An order that arrives during a
candle meets that candle's open, half a spread and the slippage away: never the close on which it was decided.
What bites: a resting order that arrives in the middle of a candle is judged by the whole of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from smarttrade.backtest.history import Moved
from smarttrade.backtest.options import Assumptions
from smarttrade.exchange.paper_book import PaperBook
from smarttrade.exchange.reports import MarketFilters, OrderReport
from smarttrade.matching.candles import CandleModel, CandlePrices, apply_candle
from smarttrade.matching.units import to_units
from smarttrade.messages import Candle, Quote, Trade

_PLENTY = Decimal(10**12)
_PLENTY_UNITS = to_units(_PLENTY)
_NOTHING = Decimal(0)
FILL_MODEL = (
    "candles; a marketable order fills at the open of the candle in which it arrives, half the spread and "
    "the slippage worse; a limit fills at its price when a candle trades beyond it, a touch is not enough; "
    "volume does not bound fills"
)


TRADE_MODEL = (
    "trades; a marketable order meets the recorded best quote with its size, or where none is recorded the "
    "last trade, half the spread and the slippage worse and without a bound in size; a limit waits behind "
    "what is quoted at its price and fills when trades have consumed it, at once when the price trades beyond"
)


class CandleExchange:
    """One account's orders against candles; `clock` is the virtual exchange time in ms."""

    fill_model = FILL_MODEL

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
        self._shown = {market: Spread(half, rules.tick) for market, rules in self.filters.items()}
        self._met = {
            market: Spread(half + assumptions.slippage, rules.tick) for market, rules in self.filters.items()
        }
        self._lowered = 1 - half
        self._ended: dict[str, Candle] = {}
        self._running: dict[str, Candle] = {}

    def begin(self, candle: Moved) -> None:
        """This candle runs now: orders that arrive meet its open."""
        if isinstance(candle, Candle):
            self._running[candle.market] = candle

    def end(self, candle: Moved) -> list[OrderReport]:
        """The candle is over: the orders that it changed."""
        if not isinstance(candle, Candle):
            return []
        self._running.pop(candle.market, None)
        if not self.book.has_orders:
            self._ended[candle.market] = candle
            return []
        return self._apply(candle)

    def _apply(self, candle: Candle) -> list[OrderReport]:
        self._ended.pop(candle.market, None)
        prices = CandlePrices(*map(to_units, (candle.open, candle.high, candle.low, candle.close)))
        apply_candle(self.book.engine, candle.market, prices, self._clock(), self._model)
        return list(self.book.take_reports().values())

    def arrive(self, market: str) -> list[OrderReport]:
        """An order reaches this market now and meets the running candle's open; orders that this changed."""
        ended, candle = self._ended.pop(market, None), self._running.pop(market, None)
        if candle is None:
            return [] if ended is None else self._apply(ended)
        if ended is not None:
            self.book.engine.markets[market].last_price = to_units(ended.close)
        bid, ask = self._met[market].around(to_units(candle.open))
        return self.book.show(market, (bid, _PLENTY_UNITS), (ask, _PLENTY_UNITS))

    def quote(self, candle: Moved) -> Quote | None:
        """What the account sees at the end of a candle."""
        if not isinstance(candle, Candle):
            return None
        return self._shown[candle.market].quote(candle.market, candle.close, candle.close_ms)

    def closes_within(self, market: str, low: Decimal, high: Decimal) -> tuple[Decimal, Decimal]:
        """Between which closes, both excluded, the bid of `quote` surely lies between two bids."""
        tick = self.filters[market].tick
        return (low + tick) / self._lowered, high / self._lowered if high > tick else _NOTHING

    def shown_bids(self, market: str, closes: Iterable[int]) -> list[int]:
        """The bids of `quote` at closes, all in units."""
        return self._shown[market].bids(closes)


class TradeExchange:
    """One account's orders against recorded trades and, in the markets `quoted`, recorded best quotes.

    Where none are recorded, bid and ask lie half the spread around the last trade, with so much shown that an
    order which joins them never comes first: it fills when the price trades through it.
    """

    fill_model = TRADE_MODEL

    def __init__(
        self,
        filters: Iterable[MarketFilters],
        codes: dict[str, str],
        clock: Callable[[], int],
        assumptions: Assumptions,
        quoted: frozenset[str],
    ) -> None:
        self.filters = {rules.market: rules for rules in filters}
        self.book = PaperBook(codes, clock, assumptions.fees)
        self.book.use(self.filters)
        self._quoted, half = quoted, assumptions.spread / 2
        self._shown = {market: Spread(half, rules.tick) for market, rules in self.filters.items()}
        self._met = {
            market: Spread(half + assumptions.slippage, rules.tick) for market, rules in self.filters.items()
        }
        self._last: dict[str, Trade] = {}

    def begin(self, event: Moved) -> None:
        """An event has no duration."""

    def end(self, event: Moved) -> list[OrderReport]:
        """The market moves: the orders that this changed."""
        if isinstance(event, Candle):
            return []
        reports = self.book.on_market(event)
        if isinstance(event, Trade):
            self._last[event.market] = event
            shown = self.quote(event)
            reports += self.book.on_market(shown) if shown else []
        return reports

    def quote(self, event: Moved) -> Quote | None:
        """What the account sees; a trade tells nothing new where quotes are recorded."""
        if isinstance(event, Quote):
            return event
        if isinstance(event, Candle) or event.market in self._quoted:
            return None
        return self._shown[event.market].quote(event.market, event.price, event.time_ms)

    def arrive(self, market: str) -> list[OrderReport]:
        """An order reaches this market now: it meets what is shown."""
        last = self._last.get(market)
        if last is None or market in self._quoted:
            return []
        return self.book.on_market(self._met[market].quote(market, last.price, last.time_ms))


class Spread:
    """Bid and ask on the tick, `half` of the price away from it on each side, rounded away."""

    def __init__(self, half: Decimal, tick: Decimal) -> None:
        part, self._whole = half.as_integer_ratio()
        self._below, self._above = self._whole - part, self._whole + part
        self._tick, self._tick_units = tick, to_units(tick)

    def bids(self, prices: Iterable[int]) -> list[int]:
        """In units, as the prices."""
        tick, below, steps = self._tick_units, self._below, self._whole * self._tick_units
        found = [price * below // steps * tick for price in prices]
        return found if min(found, default=tick) >= tick else [max(tick, bid) for bid in found]

    def around(self, price: int) -> tuple[int, int]:
        """Bid and ask in units, as the price."""
        tick, steps = self._tick_units, self._whole * self._tick_units
        bid = max(price * self._below // steps, 1)
        return bid * tick, max(bid + 1, -(-price * self._above // steps)) * tick

    def quote(self, market: str, price: Decimal, time_ms: int) -> Quote:
        bid, ask = self.around(to_units(price))
        return Quote(
            market=market,
            bid=bid // self._tick_units * self._tick,
            bid_quantity=_PLENTY,
            ask=ask // self._tick_units * self._tick,
            ask_quantity=_PLENTY,
            time_ms=time_ms,
        )
