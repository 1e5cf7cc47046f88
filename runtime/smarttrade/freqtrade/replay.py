"""A strategy over recorded candles, under the assumptions of freqtrade's backtests.

Signals are computed once over the whole history. A trade is entered at the open of the candle after its
signal, at most one a pair and `slots` in all. Of one candle the pairs that hold a trade come first, oldest
trade first, then the others in their order, so a slot that an exit frees may be used by another pair at once,
by the same one from the next candle on. What ends a trade, and where, is in `rules`. What is open at the end
is left at the last candle's open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pandas import DataFrame

from smarttrade.errors import ConfigurationError
from smarttrade.freqtrade.protections import read_protections
from smarttrade.freqtrade.rules import Bar, Exit, Reason, ask, find_exits, is_confirmed, moment
from smarttrade.freqtrade.signals import Signal, analyse, read_signals
from smarttrade.freqtrade.terms import Terms, read_terms
from smarttrade.freqtrade.ticks import Ticks
from smarttrade.freqtrade.trade import Trade, round_near


@dataclass(frozen=True, slots=True, kw_only=True)
class Capital:
    """`stake` of quote a trade, `wallet` to begin with; `tick` is in force where the candles tell none.

    With less than the stake in the wallet nothing is entered, or, if it `shrinks`, this share of what is left
    is staked. `protected`: with the class's protections, which freqtrade's backtests leave out by default."""

    stake: float
    wallet: float
    slots: int
    fee: float
    tick: Decimal = Decimal("0.01")
    lot: Decimal = Decimal("0.00001")
    shrinks: float = 0.0
    protected: bool = True


@dataclass(slots=True)
class _Pair:
    """One pair's rows: `signals[n]` is what the candle before `bars[n]` said."""

    name: str
    bars: list[Bar]
    signals: list[Signal]
    skipped: int
    ticks: Ticks
    next: int = 0
    trade: Trade | None = field(default=None)


def replay(
    strategy: Any, candles: Mapping[tuple[str, str], DataFrame], pairs: Sequence[str], capital: Capital
) -> list[Trade]:
    """The closed trades, in the order in which they were closed. `candles` are of pairs and timeframes."""
    strategy.dp.candles.update(candles)
    lines = [_prepare(strategy, pair, capital.tick) for pair in pairs]
    return _Replay(strategy, lines, capital).run()


def _prepare(strategy: Any, pair: str, tick: Decimal) -> _Pair:
    frame = strategy.dp.get_pair_dataframe(pair, strategy.timeframe)
    startup = int(strategy.startup_candle_count or 0)
    if len(frame) <= startup + 1:
        raise ConfigurationError(
            f"{pair}: {len(frame)} candles of {strategy.timeframe} are too few for {startup} to start up with"
        )
    analysed = strategy.dp.analyzed[pair] = analyse(strategy, pair, frame)
    kept = analysed.iloc[startup:]
    times = kept["date"].dt.as_unit("ms").astype("int64").tolist()
    prices = (kept[name].tolist() for name in ("open", "high", "low", "close"))
    bars = [Bar(*row) for row in zip(times, *prices, strict=True)]
    return _Pair(pair, bars[1:], read_signals(kept)[:-1], startup, Ticks(frame, tick))


class _Replay:
    def __init__(self, strategy: Any, lines: list[_Pair], capital: Capital) -> None:
        self._strategy = strategy
        self._terms: Terms = read_terms(strategy)
        self._lines = lines
        self._protections = read_protections(
            strategy.protections if capital.protected else (), self._terms.minutes * 60_000
        )
        self._capital = capital
        self._free = capital.wallet
        self._closed: list[Trade] = []
        self._entries = 0
        self._last_ms = max(line.bars[-1].open_ms for line in lines)

    def run(self) -> list[Trade]:
        times = sorted({bar.open_ms for line in self._lines for bar in line.bars})
        for time_ms in times:
            ask(self._strategy.bot_loop_start, None, current_time=moment(time_ms))
            open_first = sorted(
                self._lines, key=lambda line: line.trade.number if line.trade else self._entries
            )
            for line in open_first:
                if line.next < len(line.bars) and line.bars[line.next].open_ms == time_ms:
                    self._step(line)
        for line in self._lines:
            if line.trade is not None:
                bar = line.bars[-1]
                self._close(line, line.trade, bar, Exit(Reason.FORCE_EXIT, bar.open, Reason.FORCE_EXIT))
        return self._closed

    def _step(self, line: _Pair) -> None:
        """One candle of one pair."""
        bar, signal = line.bars[line.next], line.signals[line.next]
        line.next += 1
        self._strategy.dp.seen[line.name] = line.skipped + line.next
        free = signal.can_enter and not self._protections.forbid(line.name, bar.open_ms)
        if line.trade is None and free and bar.open_ms < self._last_ms and self._room():
            line.trade = self._enter(line, bar, signal)
        if line.trade is not None:
            self._judge(line, line.trade, bar, signal)

    def _room(self) -> bool:
        taken = sum(line.trade is not None for line in self._lines)
        return self._capital.slots < 0 or taken < self._capital.slots

    def _enter(self, line: _Pair, bar: Bar, signal: Signal) -> Trade | None:
        capital, pair, now = self._capital, line.name, moment(bar.open_ms)
        proposed = min(capital.stake, self._free * capital.shrinks) if capital.shrinks else capital.stake
        stake = ask(
            self._strategy.custom_stake_amount,
            proposed,
            pair=pair,
            current_time=now,
            current_rate=bar.open,
            proposed_stake=proposed,
            min_stake=0.0,
            max_stake=self._free,
            leverage=1.0,
            entry_tag=signal.enter_tag,
            side="long",
        )
        lots = int(Decimal(repr(min(stake, self._free) / bar.open)) / capital.lot) if stake else 0
        amount = float(lots * capital.lot)
        if not lots or proposed > self._free:
            return None
        confirmed = ask(
            self._strategy.confirm_trade_entry,
            True,
            pair=pair,
            order_type=self._strategy.order_types["entry"],
            amount=amount,
            rate=bar.open,
            time_in_force=self._strategy.order_time_in_force["entry"],
            current_time=now,
            entry_tag=signal.enter_tag,
            side="long",
        )
        if not confirmed:
            return None
        self._entries += 1
        trade = Trade(
            number=self._entries - 1,
            pair=pair,
            open_ms=bar.open_ms,
            open_rate=bar.open,
            amount=amount,
            fee=capital.fee,
            tick=line.ticks.at(f"{now:%Y-%m}"),
            enter_tag=signal.enter_tag,
        )
        self._free -= trade.stake_amount * (1 + trade.fee)
        return trade

    def _judge(self, line: _Pair, trade: Trade, bar: Bar, signal: Signal) -> None:
        strategy, terms = self._strategy, self._terms
        for found in find_exits(strategy, terms, trade, bar, signal):
            if is_confirmed(strategy, trade, found.rate, found.reason, bar.open_ms):
                self._close(line, trade, bar, found)
                return

    def _close(self, line: _Pair, trade: Trade, bar: Bar, found: Exit) -> None:
        trade.close_ms, trade.exit_reason = bar.open_ms, found.reason
        trade.close_rate = round_near(found.rate, trade.tick)
        self._free += trade.amount * trade.close_rate * (1 - trade.fee)
        self._closed.append(trade)
        self._protections.closed(trade)
        line.trade = None
