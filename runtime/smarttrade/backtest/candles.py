"""Candles column by column: ten million of them as numbers in arrays, each a message only when looked at.

Prices and volumes are whole numbers of a power of ten that fits all of a column, so a candle reads back
exactly as it was written, less trailing zeros. A column whose numbers exceed 64 bits is a plain list.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import repeat
from operator import mul
from typing import overload

from smarttrade.api import Timeframe
from smarttrade.errors import ConfigurationError
from smarttrade.matching.units import DIGITS, to_units
from smarttrade.messages import Candle

Numbers = Sequence[int]
_SMALL = 2**31


@dataclass(frozen=True, slots=True)
class Column:
    """`numbers` count units of 10^-`places`."""

    numbers: Numbers
    places: int

    def decimals(self) -> Iterator[Decimal]:
        if not self.places:
            return map(Decimal, self.numbers)
        return map(mul, map(Decimal, self.numbers), repeat(Decimal(1).scaleb(-self.places)))

    def units(self, begin: int, end: int) -> list[int]:
        """Units of 10^-8 of a part."""
        factor, part = 10 ** (DIGITS - self.places), self.numbers[begin:end]
        return list(part) if factor == 1 else [number * factor for number in part]

    def __getitem__(self, index: int) -> Decimal:
        return Decimal(self.numbers[index]).scaleb(-self.places)


def build_column(units: Numbers) -> Column:
    """A column of units of 10^-8, in the coarsest unit that holds them all."""
    spare = DIGITS
    while spare and any(number % 10**spare for number in units):
        spare -= 1
    if not spare:
        return Column(units, DIGITS)
    divisor = 10**spare
    scaled = (number // divisor for number in units)
    if not isinstance(units, array):
        return Column(list(scaled), DIGITS - spare)
    small = min(units, default=0) // divisor >= -_SMALL and max(units, default=0) // divisor < _SMALL
    return Column(array("i" if small else "q", scaled), DIGITS - spare)


@dataclass(frozen=True, slots=True)
class CandleColumns(Sequence[Candle]):
    """Final candles of one market, one after the other without gaps; `length_ms` each."""

    market: str
    timeframe: str
    first_ms: int
    length_ms: int
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column

    def __len__(self) -> int:
        return len(self.close.numbers)

    @property
    def last_ms(self) -> int:
        """When the last candle closes."""
        return self.first_ms + len(self) * self.length_ms

    def closes(self, first_ms: int, last_ms: int) -> list[int]:
        """Closes, in units, of the candles that close within; where there is no data the nearest."""
        begin, end = (
            (time_ms - self.first_ms) // self.length_ms for time_ms in (first_ms - self.length_ms, last_ms)
        )
        if end - begin == 1:
            return self.close.units(*self._within(begin))
        known = self.close.units(max(begin, 0), max(end, 0))
        head = [self.close.units(0, 1)[0]] * (min(0, end) - min(0, begin))
        tail = self.close.units(len(self) - 1, len(self)) * (end - begin - len(known) - len(head))
        return [*head, *known, *tail]

    def _within(self, index: int) -> tuple[int, int]:
        index = min(max(index, 0), len(self) - 1)
        return index, index + 1

    @overload
    def __getitem__(self, index: int) -> Candle: ...
    @overload
    def __getitem__(self, index: slice) -> list[Candle]: ...
    def __getitem__(self, index: int | slice) -> Candle | list[Candle]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        open_ms = self.first_ms + number * self.length_ms
        return Candle(
            market=self.market,
            timeframe=self.timeframe,
            open_ms=open_ms,
            close_ms=open_ms + self.length_ms,
            open=self.open[number],
            high=self.high[number],
            low=self.low[number],
            close=self.close[number],
            volume=self.volume[number],
            final=True,
        )

    def __iter__(self) -> Iterator[Candle]:
        market, timeframe, length_ms, open_ms = self.market, self.timeframe, self.length_ms, self.first_ms
        columns = (self.open, self.high, self.low, self.close, self.volume)
        for opened, high, low, close, volume in zip(*(c.decimals() for c in columns), strict=True):
            close_ms = open_ms + length_ms
            yield Candle(
                market=market,
                timeframe=timeframe,
                open_ms=open_ms,
                close_ms=close_ms,
                open=opened,
                high=high,
                low=low,
                close=close,
                volume=volume,
                final=True,
            )
            open_ms = close_ms


Row = tuple[int, int, int, int, int, int]
"""Open time in ms; open, high, low, close and volume in base, in units of 10^-8."""


def build_candles(market: str, timeframe: str, length_ms: int, rows: Iterable[Row]) -> CandleColumns:
    """Columns of rows in the order of time; of two rows of one interval the later counts.

    An interval that is left out is flat at the close before it, without volume, as in live trading; a row
    that does not begin on the grid of the first one is passed over.
    """
    taken: list[array[int] | list[int]] = [array("q") for _ in range(5)]
    first_ms = open_ms = -1
    for row_ms, *values in rows:
        if first_ms < 0:
            first_ms = open_ms = row_ms
        if row_ms < open_ms - length_ms or (row_ms - first_ms) % length_ms:
            continue
        if row_ms == open_ms - length_ms:
            for column in taken:
                column.pop()
            open_ms = row_ms
        while open_ms < row_ms:
            _append(taken, [taken[3][-1]] * 4 + [0])
            open_ms += length_ms
        _append(taken, values)
        open_ms += length_ms
    columns = []
    while taken:  # each is let go when its column is made
        columns.append(build_column(taken.pop(0)))
    return CandleColumns(market, timeframe, first_ms, length_ms, *columns)


def _append(columns: list[array[int] | list[int]], values: list[int]) -> None:
    for number, value in enumerate(values):
        try:
            columns[number].append(value)
        except OverflowError:
            columns[number] = [*columns[number], value]


def build_row(market: str, time_ms: int, values: Iterable[Decimal]) -> Row:
    """ConfigurationError for more than eight decimals."""
    try:
        opened, high, low, close, volume = (to_units(value) for value in values)
    except ValueError as error:
        raise ConfigurationError(f"{market}, candle of {time_ms}: {error}: round it") from error
    return time_ms, opened, high, low, close, volume


def timeframe_of(length_ms: int) -> str:
    """ConfigurationError for a length that is none of the timeframes."""
    uniform = [timeframe for timeframe in Timeframe if timeframe is not Timeframe.MONTH]
    for timeframe in uniform:
        if timeframe.milliseconds == length_ms:
            return timeframe.value
    raise ConfigurationError(
        f"the data's candles are {length_ms / 1000:g} s long: they must be one of {', '.join(uniform)}"
    )
