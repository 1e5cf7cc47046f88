"""Recorded candles as the events that the account would have seen, in the order in which it would have.

A candle of a longer timeframe exists only when all of its parts do: one that the data ends in the middle of
is never delivered. Intervals that the file leaves out are flat at the close before them, as in live trading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import tee
from pathlib import Path

import msgspec

from smarttrade.api import Timeframe
from smarttrade.backtest.candles import CandleColumns, build_candles, build_row, timeframe_of
from smarttrade.backtest.reading import has_candles, read_candles
from smarttrade.errors import ConfigurationError
from smarttrade.messages import Candle, Quote, Trade
from smarttrade.simulator.files import load_recording
from smarttrade.simulator.recorded import Recording

_ENDINGS = (".csv", ".parquet", ".pq")


Moved = Candle | Trade | Quote


class Step(msgspec.Struct, frozen=True, gc=False):
    """One instant: what moves the market (base candles that end, or a trade or a quote), and what the
    strategy is told: final candles, a trade, a quote. `closes`: a base candle ends, so equity is marked."""

    time_ms: int
    moved: tuple[Moved, ...]
    told: tuple[Moved, ...]
    closes: bool = True


@dataclass(frozen=True, slots=True)
class History:
    """Base candles per market, without gaps; `interval_ms` is theirs."""

    candles: dict[str, CandleColumns]
    interval_ms: int

    @property
    def first_ms(self) -> int:
        """When the youngest market's data begins."""
        return max(candles.first_ms for candles in self.candles.values())

    @property
    def last_ms(self) -> int:
        return min(candles.last_ms for candles in self.candles.values())

    @property
    def timeframe(self) -> str:
        return next(iter(self.candles.values())).timeframe

    def prices(self) -> dict[str, Decimal]:
        return {market: candles[0].open for market, candles in self.candles.items()}

    def steps(self, timeframes: Iterable[str], until_ms: int | None = None) -> Iterator[Step]:
        """Instant by instant; markets in the order given, shorter timeframes first."""
        frames = sorted(set(timeframes), key=lambda name: Timeframe(name).milliseconds)
        as_they_are = frames == [self.timeframe]
        if as_they_are and len(self.candles) == 1:
            return self._one_by_one(until_ms)
        return self._joined(frames, until_ms, as_they_are=as_they_are)

    def _one_by_one(self, until_ms: int | None) -> Iterator[Step]:
        (columns,) = self.candles.values()
        last_ms = columns.last_ms if until_ms is None else min(columns.last_ms, until_ms)
        times = range(columns.first_ms + columns.length_ms, last_ms + 1, columns.length_ms)
        return map(Step, times, *tee(zip(columns)))

    def _joined(self, frames: list[str], until_ms: int | None, *, as_they_are: bool) -> Iterator[Step]:
        builders = {market: [Resampler(frame) for frame in frames] for market in self.candles}
        for time_ms, moved in self._instants():
            if until_ms is not None and time_ms > until_ms:
                return
            if as_they_are:
                yield Step(time_ms, moved, moved)
                continue
            made = (builder.add(candle) for candle in moved for builder in builders[candle.market])
            yield Step(time_ms, moved, tuple(candle for candle in made if candle is not None))

    def _instants(self) -> Iterator[tuple[int, tuple[Candle, ...]]]:
        """The candles that close together, one market after the other."""
        coming = [(iter(columns), columns) for columns in self.candles.values()]
        waiting = [next(candles) for candles, _ in coming]
        last_ms = max(columns.last_ms for _, columns in coming)
        time_ms = min(candle.close_ms for candle in waiting)
        while time_ms <= last_ms:
            moved = tuple(candle for candle in waiting if candle.close_ms == time_ms)
            for number, (candles, _) in enumerate(coming):
                if waiting[number].close_ms == time_ms:
                    waiting[number] = next(candles, waiting[number])
            yield time_ms, moved
            time_ms += self.interval_ms


class Resampler:
    """Base candles into those of one longer (or the same) timeframe."""

    def __init__(self, timeframe: str) -> None:
        self._timeframe = timeframe
        self._frame = Timeframe(timeframe)
        self._open_ms = self._close_ms = -1
        self._parts: list[Candle] = []

    def add(self, candle: Candle) -> Candle | None:
        """The final candle that this part completes. An interval whose beginning is not there is left out."""
        if candle.timeframe == self._timeframe:
            return candle
        if not self._open_ms <= candle.open_ms < self._close_ms:
            self._open_ms = self._frame.start(candle.open_ms)
            self._close_ms, self._parts = self._frame.step(self._open_ms), []
        if self._parts or candle.open_ms == self._open_ms:
            self._parts.append(candle)
        if not self._parts or candle.close_ms != self._close_ms:
            return None
        parts, self._parts = self._parts, []
        return Candle(
            market=candle.market,
            timeframe=self._timeframe,
            open_ms=self._open_ms,
            close_ms=candle.close_ms,
            open=parts[0].open,
            high=max(part.high for part in parts),
            low=min(part.low for part in parts),
            close=candle.close,
            volume=sum((part.volume for part in parts), Decimal(0)),
            final=True,
        )


def load_history(path: Path, markets: Iterable[str], volume: str = "base") -> History:
    """Candles of every market from one file (one market) or a directory with files named like BTC-USDT.csv.

    ConfigurationError says what is missing or cannot be used.
    """
    files = _files(path, list(markets))
    if all(has_candles(file) for file in files.values()):
        return join_histories({market: read_candles(file, market, volume) for market, file in files.items()})
    recordings = {market: load_recording(file, volume) for market, file in files.items()}
    if all(recording.trades for recording in recordings.values()):
        from smarttrade.backtest.trades import build_trade_history  # which is made of a history

        return build_trade_history(recordings)
    return build_history(recordings)


def build_history(recordings: dict[str, Recording]) -> History:
    without = [market for market, recording in recordings.items() if not recording.candles]
    if without:
        raise ConfigurationError(
            f"the data of {', '.join(without)} has no candles: give rows with open, high, low, close; "
            "all markets need candles, or all of them trades"
        )
    return join_histories(
        {
            market: build_candles(
                market,
                timeframe_of(recording.interval_ms),
                recording.interval_ms,
                (
                    build_row(market, c.open_ms, (c.open, c.high, c.low, c.close, c.volume))
                    for c in recording.candles
                ),
            )
            for market, recording in recordings.items()
        }
    )


def join_histories(candles: dict[str, CandleColumns]) -> History:
    """Several markets on one grid of time; ConfigurationError if they are on different ones."""
    lengths = {market: columns.length_ms for market, columns in candles.items()}
    length_ms = next(iter(lengths.values()))
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{market} {length / 1000:g} s" for market, length in lengths.items())
        raise ConfigurationError(f"the markets' candles are of different lengths ({told}): give equal ones")
    if len({columns.first_ms % length_ms for columns in candles.values()}) > 1:
        raise ConfigurationError("the markets' candles do not begin at the same instants: align them")
    for market, columns in candles.items():
        _check_beginning(market, columns)
    return History(candles, length_ms)


def _check_beginning(market: str, columns: CandleColumns) -> None:
    """ConfigurationError for candles of several days that begin on other days than live ones."""
    frame = Timeframe(columns.timeframe)
    if frame.milliseconds > Timeframe.D1.milliseconds and frame.start(columns.first_ms) != columns.first_ms:
        raise ConfigurationError(
            f"the {frame} candles of {market} begin at other times than an account's: give candles of 1d, "
            f"of which those of {frame} are made"
        )


def check_timeframes(history: History, timeframes: Iterable[str]) -> None:
    """ConfigurationError for a timeframe that cannot be made of the data."""
    for timeframe in timeframes:
        if Timeframe(timeframe).milliseconds % history.interval_ms:
            raise ConfigurationError(
                f"candles of {timeframe} cannot be made of candles of {history.interval_ms / 1000:g} s: "
                "give finer data or a longer timeframe"
            )


def _files(path: Path, markets: list[str]) -> dict[str, Path]:
    if not path.is_dir():
        if len(markets) > 1:
            raise ConfigurationError(
                f"{path} is one file, but the account has {len(markets)} markets: give a directory with one "
                f"file for each, such as {markets[0].replace('/', '-')}.csv"
            )
        return {markets[0]: path}
    return {market: _file_of(path, market) for market in markets}


def _file_of(folder: Path, market: str) -> Path:
    names = (market.replace("/", "-"), market.replace("/", "_"), market.replace("/", ""))
    for name in names:
        for ending in _ENDINGS:
            if (folder / f"{name}{ending}").is_file():
                return folder / f"{name}{ending}"
    raise ConfigurationError(
        f"{folder} has no file for {market}: name it {names[0]}.csv or {names[0]}.parquet"
    )
