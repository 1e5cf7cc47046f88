"""The account's worth over time, column by column.

A run of ten million candles marks its equity as often; one object a mark would cost more memory than the
candles themselves. Money is kept as whole numbers of a small unit, 1e-8 of the currency while it fits.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from struct import pack
from typing import NamedTuple, overload

_PLACES = 8
_COARSER = 4
_LARGEST = 2**63


class Point(NamedTuple):
    """The account at the end of one base candle; money in `capital.currency`."""

    time_ms: int
    equity: Decimal
    invested: Decimal


class EquityCurve(Sequence[Point]):
    """Append-only. `times`, `equity` and `invested` are the columns; the last two count `unit`s of money."""

    def __init__(self) -> None:
        self.times = array("q")
        self.equity = array("q")
        self.invested = array("q")
        self._places = _PLACES

    @property
    def unit(self) -> Decimal:
        return Decimal(1).scaleb(-self._places)

    def append(self, point: Point) -> None:
        self.add(*point)

    def add(self, time_ms: int, equity: Decimal, invested: Decimal) -> None:
        """One mark; times may not go back."""
        worth, held = self._count(equity), self._count(invested)
        try:
            self.equity.append(worth)
            self.invested.append(held)
        except OverflowError:
            del self.equity[len(self.times) :]
            self._coarsen()
            self.add(time_ms, equity, invested)
            return
        self.times.append(time_ms)

    def extend(self, times: Sequence[int], equity: Sequence[int], invested: Sequence[int]) -> None:
        """Many marks at once, money in units of 1e-8."""
        layout = f"={len(times)}q"
        try:
            worth, held = pack(layout, *equity), pack(layout, *invested)
        except struct.error:
            worth = b""
        if worth and self._places == _PLACES:
            self.times.frombytes(pack(layout, *times))
            self.equity.frombytes(worth)
            self.invested.frombytes(held)
            return
        for time_ms, whole, part in zip(times, equity, invested, strict=True):
            self.add(time_ms, Decimal(whole).scaleb(-_PLACES), Decimal(part).scaleb(-_PLACES))

    def stay(self, times: Sequence[int], equity: int) -> None:
        """Many marks of the same equity, in units of 1e-8, with nothing invested."""
        if self._places != _PLACES or not -_LARGEST < equity < _LARGEST:
            self.extend(times, [equity] * len(times), [0] * len(times))
            return
        self.times.frombytes(pack(f"={len(times)}q", *times))
        self.equity.extend(array("q", [equity]) * len(times))
        self.invested.extend(array("q", [0]) * len(times))

    def _count(self, money: Decimal) -> int:
        return int(money.scaleb(self._places).to_integral_value(ROUND_HALF_EVEN))

    def _coarsen(self) -> None:
        self._places -= _COARSER
        divisor = 10**_COARSER
        self.equity = array("q", (round(each / divisor) for each in self.equity))
        self.invested = array("q", (round(each / divisor) for each in self.invested))

    def money(self, count: int) -> Decimal:
        """The money that a number in a column stands for."""
        return Decimal(count).scaleb(-self._places)

    def text(self, count: int) -> str:
        """The same as a plain decimal, without the cost of a Decimal."""
        if self._places <= 0:
            return f"{self.money(count):f}"
        whole, rest = divmod(abs(count), 10**self._places)
        return f"{'-' if count < 0 else ''}{whole}.{rest:0{self._places}d}"

    def __len__(self) -> int:
        return len(self.times)

    @overload
    def __getitem__(self, index: int) -> Point: ...
    @overload
    def __getitem__(self, index: slice) -> list[Point]: ...
    def __getitem__(self, index: int | slice) -> Point | list[Point]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        return Point(self.times[index], self.money(self.equity[index]), self.money(self.invested[index]))
