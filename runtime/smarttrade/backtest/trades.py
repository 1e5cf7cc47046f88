"""Recorded trades and quotes as a history: the market moves with each of them, candles are made of them.

What bites: the interval in which the recording begins and the one in which it ends are not whole; their
candles are never delivered.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from smarttrade.api import Timeframe
from smarttrade.backtest.candles import CandleColumns, Row, build_candles, build_row
from smarttrade.backtest.history import History, Moved, Step, join_histories
from smarttrade.errors import ConfigurationError
from smarttrade.matching.units import to_units
from smarttrade.messages import Candle, Quote, Side, Trade
from smarttrade.monitoring.outliers import OutlierRule, flag_quote, flag_trade
from smarttrade.simulator.recorded import RecordedQuote, RecordedTrade, Recording

_SECOND_UP_TO_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class TradeHistory(History):
    """Events per market in the order of time, and base candles made of the trades; `quoted` are the markets
    whose best bid and ask are recorded too."""

    events: dict[str, list[Trade | Quote]]
    quoted: frozenset[str]

    def steps(self, timeframes: Iterable[str], until_ms: int | None = None) -> Iterator[Step]:
        """Event by event; a candle comes when its time is over, before the first event of the next."""
        events = heapq.merge(*self.events.values(), key=lambda event: event.time_ms)
        event = next(events, None)
        for step in History.steps(self, timeframes, until_ms):
            while event is not None and event.time_ms < step.time_ms:
                yield Step(event.time_ms, (event,), (event,), closes=False)
                event = next(events, None)
            yield Step(step.time_ms, (), step.told)


@dataclass(frozen=True, slots=True)
class JournalHistory(TradeHistory):
    """Events in the order in which an account was told of them; its candles are those that it was told."""

    journal: tuple[Moved, ...]

    def steps(self, timeframes: Iterable[str], until_ms: int | None = None) -> Iterator[Step]:
        frames, now_ms = set(timeframes), 0
        for event in self.journal:
            now_ms = max(now_ms, event.close_ms if isinstance(event, Candle) else event.time_ms)
            if until_ms is not None and now_ms > until_ms:
                return
            if not isinstance(event, Candle):
                yield Step(now_ms, (event,), (event,), closes=False)
            elif event.timeframe in frames:
                yield Step(now_ms, (), (event,), closes=event.timeframe == self.timeframe)


def build_journal_history(events: Iterable[Moved]) -> JournalHistory:
    """A history of what went over an account's bus, without later corrections; ConfigurationError if there is
    no candle of a market."""
    journal = tuple(
        event for event in events if not isinstance(event, Candle) or (event.final and not event.correction)
    )
    told: dict[str, list[Candle]] = {event.market: [] for event in journal}
    quoted = {event.market for event in journal if isinstance(event, Quote)}
    for event in journal:
        if isinstance(event, Candle):
            told[event.market].append(event)
    without = [market for market, candles in told.items() if not candles]
    if without or not told:
        raise ConfigurationError(f"the journal has no final candle of {', '.join(without) or 'any market'}")
    candles = join_histories({market: _columns(market, each) for market, each in told.items()})
    return JournalHistory(candles.candles, candles.interval_ms, {}, frozenset(quoted), journal)


def _columns(market: str, candles: list[Candle]) -> CandleColumns:
    length_ms = min(candle.close_ms - candle.open_ms for candle in candles)
    base = sorted(
        (candle for candle in candles if candle.close_ms - candle.open_ms == length_ms),
        key=lambda candle: candle.open_ms,
    )
    if base[0].timeframe == Timeframe.MONTH:
        raise ConfigurationError(f"the journal has no candles of {market} but those of 1M: give a finer one")
    rows = (build_row(market, c.open_ms, (c.open, c.high, c.low, c.close, c.volume)) for c in base)
    return build_candles(market, base[0].timeframe, length_ms, rows)


def build_trade_history(recordings: Mapping[str, Recording]) -> TradeHistory:
    """ConfigurationError for a recording that holds no whole candle."""
    spans = [recording.length_ms for recording in recordings.values()]
    timeframe = Timeframe.S1 if max(spans) <= _SECOND_UP_TO_MS else Timeframe.M1
    candles = join_histories(
        {market: _candles(market, recording, timeframe) for market, recording in recordings.items()}
    )
    return TradeHistory(
        candles.candles,
        candles.interval_ms,
        {market: list(_events(market, recording)) for market, recording in recordings.items()},
        frozenset(market for market, recording in recordings.items() if recording.quotes),
    )


def _events(market: str, recording: Recording) -> Iterator[Trade | Quote]:
    of_trades, of_quotes = OutlierRule(), OutlierRule()
    trades = (flag_trade(of_trades, _trade(market, *each)) for each in enumerate(recording.trades, 1))
    quotes = (flag_quote(of_quotes, _quote(market, *each)) for each in enumerate(recording.quotes, 1))
    return heapq.merge(trades, quotes, key=lambda event: event.time_ms)


def _trade(market: str, number: int, trade: RecordedTrade) -> Trade:
    side = Side.SELL if trade.buyer_is_maker else Side.BUY
    return Trade(
        market=market,
        id=str(number),
        price=trade.price,
        quantity=trade.quantity,
        side=side,
        time_ms=trade.time_ms,
    )


def _quote(market: str, number: int, quote: RecordedQuote) -> Quote:
    return Quote(
        market=market,
        bid=quote.bid,
        bid_quantity=quote.bid_size,
        ask=quote.ask,
        ask_quantity=quote.ask_size,
        time_ms=quote.time_ms,
        update_id=number,
    )


def _candles(market: str, recording: Recording, timeframe: Timeframe) -> CandleColumns:
    length_ms = timeframe.milliseconds
    first_ms = -(-recording.trades[0].time_ms // length_ms) * length_ms
    last_ms = recording.trades[-1].time_ms // length_ms * length_ms
    if first_ms >= last_ms:
        raise ConfigurationError(
            f"the trades of {market} span no whole candle of {timeframe.value}: give a longer recording"
        )
    return build_candles(market, timeframe.value, length_ms, _rows(recording, first_ms, last_ms, length_ms))


def _rows(recording: Recording, first_ms: int, last_ms: int, length_ms: int) -> Iterator[Row]:
    """One row an interval in which something traded; the first is flat if nothing did."""
    price = to_units(recording.trades[0].price)
    for open_ms, group in groupby(recording.trades, lambda trade: trade.time_ms // length_ms * length_ms):
        trades = list(group)
        prices = [to_units(trade.price) for trade in trades]
        if open_ms > first_ms and price:
            yield first_ms, price, price, price, price, 0
        if first_ms <= open_ms < last_ms:
            volume = sum(to_units(trade.quantity) for trade in trades)
            yield open_ms, prices[0], max(prices), min(prices), prices[-1], volume
        price = prices[-1] if open_ms < first_ms else 0
