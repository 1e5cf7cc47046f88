"""Recorded candles and trades as an endless tape.

Candles become a path of trades that visits open, the extremes and close: the low first in a rising candle,
the high first in a falling one. Trades are replayed as they are, with quotes from a recording where there is
one, else one tick wide around the last trades. When the data ends it starts over.
"""

import random
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from smarttrade.matching import Market
from smarttrade.simulator.tape import Tape, TapeEvent, TapeQuote, TapeTrade, quote_around


@dataclass(frozen=True, slots=True)
class RecordedCandle:
    """Times in ms of the recording; volume in base."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class RecordedTrade:
    time_ms: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool


@dataclass(frozen=True, slots=True)
class RecordedQuote:
    time_ms: int
    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal


@dataclass(frozen=True)
class Recording:
    """What a file held: candles, or trades with or without quotes. `symbol` where the file names it."""

    candles: list[RecordedCandle]
    trades: list[RecordedTrade]
    quotes: list[RecordedQuote]
    symbol: str | None = None

    @property
    def interval_ms(self) -> int:
        """The most common distance between candles; a second for trades."""
        steps = [b.open_ms - a.open_ms for a, b in pairwise(self.candles[:200])]
        return max(set(steps), key=steps.count) if steps else 1000

    @property
    def start_ms(self) -> int:
        """The whole interval in which the recording begins (a minute for trades)."""
        first = min(item[0] for item in self._bounds())
        unit = self.interval_ms if self.candles else 60_000
        return first - first % unit

    @property
    def length_ms(self) -> int:
        last = max(item[1] for item in self._bounds())
        unit = self.interval_ms if self.candles else 1000
        return (last - self.start_ms) // unit * unit + unit

    def _bounds(self) -> list[tuple[int, int]]:
        times = [(self.candles[0].open_ms, self.candles[-1].open_ms)] if self.candles else []
        times.extend((rows[0].time_ms, rows[-1].time_ms) for rows in (self.trades, self.quotes) if rows)
        return times

    @property
    def first_price(self) -> Decimal:
        if self.candles:
            return self.candles[0].open
        return self.trades[0].price if self.trades else self.quotes[0].bid


def recorded_tape(market: Market, recording: Recording, points: int, seed: int) -> Tape:
    """Loop over a recording for ever; `points` trades stand for one candle."""
    lap = 0
    while True:
        rng = random.Random(f"{seed}:{market.symbol}:{lap}")
        offset = float(lap * recording.length_ms - recording.start_ms)
        if recording.candles:
            yield from _candle_lap(market, recording, points, offset, rng)
        else:
            yield from _trade_lap(market, recording, offset)
        lap += 1


def _candle_lap(market: Market, recording: Recording, points: int, offset: float, rng: random.Random) -> Tape:
    interval = recording.interval_ms
    for candle in recording.candles:
        prices = candle_path(candle, points, rng)
        volume = candle.volume / len(prices)
        quantity = max(market.step_units, market.round_quantity(volume))
        previous = prices[0]
        for index, price in enumerate(prices):
            elapsed = candle.open_ms + offset + interval * (index + 0.5) / len(prices)
            units = market.round_price(price)
            falls = price < previous or (price == previous and rng.random() < 0.5)
            trade = TapeTrade(elapsed, market.symbol, units, quantity, falls)
            yield quote_around(market, trade)
            yield trade
            previous = price


def candle_path(candle: RecordedCandle, points: int, rng: random.Random) -> list[Decimal]:
    """`points` (at least 4) prices: open, first extreme, second extreme, close, and a noisy way between."""
    rises = candle.close >= candle.open
    extremes = [candle.low, candle.high] if rises else [candle.high, candle.low]
    corners = [candle.open, *extremes, candle.close]
    legs = len(corners) - 1
    steps = max(1, (points - 1) // legs)
    path = [candle.open]
    for start, end in pairwise(corners):
        for step in range(1, steps):
            share = Decimal(step) / steps + Decimal(repr(round((rng.random() - 0.5) / steps, 6)))
            path.append(start + (end - start) * min(Decimal(1), max(Decimal(0), share)))
        path.append(end)
    return path


def _trade_lap(market: Market, recording: Recording, offset: float) -> Tape:
    rows: list[RecordedTrade | RecordedQuote] = [*recording.trades, *recording.quotes]
    rows.sort(key=lambda row: row.time_ms)
    for row in rows:
        yield from _row_events(market, row, row.time_ms + offset, bool(recording.quotes))


def _row_events(
    market: Market, row: RecordedTrade | RecordedQuote, elapsed: float, has_quotes: bool
) -> list[TapeEvent]:
    if isinstance(row, RecordedQuote):
        return [build_recorded_quote(market, row, elapsed)]
    price = market.round_price(row.price)
    quantity = max(market.step_units, market.round_quantity(row.quantity))
    trade = TapeTrade(elapsed, market.symbol, price, quantity, row.buyer_is_maker)
    if has_quotes:
        return [trade]
    return [quote_around(market, trade, size_factor=5), trade]


def build_recorded_quote(market: Market, row: RecordedQuote, elapsed: float) -> TapeQuote:
    bid = market.round_price(row.bid)
    return TapeQuote(
        elapsed,
        market.symbol,
        bid,
        max(market.step_units, market.round_quantity(row.bid_size)),
        max(bid + market.tick_units, market.round_price(row.ask)),
        max(market.step_units, market.round_quantity(row.ask_size)),
    )
