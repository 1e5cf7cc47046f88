"""Reads CSV files of candles row by row: ten million rows fit as numbers, not as objects.

Columns and times are recognised as in `simulator.files`, which reads everything else.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

from smarttrade.backtest.candles import CandleColumns, Row, build_candles, timeframe_of
from smarttrade.errors import ConfigurationError
from smarttrade.matching.units import DIGITS, SCALE
from smarttrade.simulator.files import TIME_COLUMNS, milliseconds

_PRICES = ("open", "high", "low", "close")
_EXACT = 1e14
_LOOKED_AT = 200


def has_candles(path: Path) -> bool:
    """Whether this reads the file: CSV with the columns of candles."""
    if path.suffix != ".csv" or not path.is_file():
        return False
    with path.open(newline="", encoding="utf-8") as file:
        return set(_PRICES) <= set(_header(file.readline()))


def read_candles(path: Path, market: str, volume: str = "base") -> CandleColumns:
    """One market's candles; `volume` says in which asset the file counts it. ConfigurationError."""
    times = array("q")
    values: list[Sequence[int]] = [array("q") for _ in _PRICES] + [[]]
    try:
        for row in _rows(path, volume):
            times.append(row[0])
            for column, value in zip(values, row[1:], strict=True):
                column.append(value)  # type: ignore[attr-defined]
    except (InvalidOperation, ValueError, IndexError, OverflowError) as error:
        raise ConfigurationError(
            f"{path}, row {len(times) + 2}: a value cannot be read ({error}); check its columns"
        ) from error
    if not times:
        raise ConfigurationError(f"{path} has no rows")
    steps = [later - earlier for earlier, later in pairwise(times[:_LOOKED_AT])]
    length_ms = max(set(steps), key=steps.count) if steps else 1000
    rows = _in_time(times, values)
    return build_candles(market, timeframe_of(abs(length_ms)), abs(length_ms), rows)


def _in_time(times: Sequence[int], values: Sequence[Sequence[int]]) -> Iterator[Row]:
    if all(earlier <= later for earlier, later in pairwise(times)):
        return zip(times, *values, strict=True)
    order = sorted(range(len(times)), key=times.__getitem__)
    return ((times[n], *(column[n] for column in values)) for n in order)  # type: ignore[misc]


def _rows(path: Path, volume: str) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        names = _header(file.readline())
        time = _time_column(path, names)
        places = [names.index(name) for name in _PRICES]
        counted = names.index("volume") if "volume" in names else None
        for cells in csv.reader(file):
            if not cells:
                continue
            opened, high, low, close = (_units(cells[place]) for place in places)
            quantity = 0 if counted is None else _units(cells[counted] or "0")
            if volume == "quote":
                quantity = (2 * quantity * SCALE + close) // (2 * close) if close else 0
            yield _moment(cells[time]), opened, high, low, close, quantity


def _header(line: str) -> list[str]:
    return [name.strip().lower() for name in next(csv.reader([line]), [])]


def _time_column(path: Path, names: list[str]) -> int:
    for name in TIME_COLUMNS:
        if name in names:
            return names.index(name)
    raise ConfigurationError(f"{path} has no time column: name it one of {', '.join(TIME_COLUMNS)}")


def _moment(text: str) -> int:
    """Milliseconds; ISO text first, since numbers are quickly told from it."""
    if "-" not in text[1:]:
        return milliseconds(text)
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _units(text: str) -> int:
    """Units of 10^-8, rounded; a float is exact enough for that while the product is far below 2^53."""
    scaled = float(text) * SCALE
    if -_EXACT < scaled < _EXACT:
        return round(scaled)
    return int(Decimal(text).scaleb(DIGITS).to_integral_value())
