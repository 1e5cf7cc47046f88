"""Reads files of candles row by row, CSV or Parquet: ten million rows fit as numbers, not as objects.

Columns and times are recognised as in `simulator.files`, which reads everything else.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import chain, islice, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

from smarttrade.backtest.candles import CandleColumns, Row, build_candles, timeframe_of
from smarttrade.data.store import load_pyarrow
from smarttrade.errors import ConfigurationError
from smarttrade.matching.units import DIGITS, SCALE
from smarttrade.simulator.files import TIME_COLUMNS, milliseconds

_PRICES = ("open", "high", "low", "close")
_PARQUET = (".parquet", ".pq")
_EXACT = 1e14
_LOOKED_AT = 200


def has_candles(path: Path) -> bool:
    """Whether this reads the file: CSV or Parquet with the columns of candles."""
    return path.is_file() and set(_PRICES) <= set(_names(path))


def read_candles(path: Path, market: str, volume: str = "base") -> CandleColumns:
    """One market's candles; `volume` says in which asset the file counts it. ConfigurationError."""
    try:
        return _build(market, _in_time(_rows(path, volume)))
    except _OutOfOrderError:
        return _build(market, iter(sorted(_rows(path, volume), key=itemgetter(0))))


class _OutOfOrderError(Exception):
    """A row is older than the one before it."""


def _build(market: str, rows: Iterator[Row]) -> CandleColumns:
    """Rows in the order of time; their length is the most frequent distance of the first ones."""
    head = list(islice(rows, _LOOKED_AT))
    steps = [later[0] - earlier[0] for earlier, later in pairwise(head)]
    length_ms = max(set(steps), key=steps.count) if steps else 1000
    return build_candles(market, timeframe_of(length_ms), length_ms, chain(head, rows))


def _in_time(rows: Iterator[Row]) -> Iterator[Row]:
    newest_ms = -1
    for row in rows:
        if row[0] < newest_ms:
            raise _OutOfOrderError
        newest_ms = row[0]
        yield row


def _rows(path: Path, volume: str) -> Iterator[Row]:
    """As they stand in the file. ConfigurationError names the row that cannot be read."""
    names = _names(path)
    time = _time_column(path, names)
    places = [names.index(name) for name in _PRICES]
    counted = names.index("volume") if "volume" in names else None
    number = 1
    try:
        for cells in _cells(path):
            number += 1
            opened, high, low, close = (_units(cells[place]) for place in places)
            quantity = 0 if counted is None else _units(cells[counted] or "0")
            if volume == "quote":
                quantity = (2 * quantity * SCALE + close) // (2 * close) if close else 0
            yield _moment(cells[time]), opened, high, low, close, quantity
    except (InvalidOperation, ValueError, IndexError, OverflowError) as error:
        raise ConfigurationError(
            f"{path}, row {number}: a value cannot be read ({error}); check its columns"
        ) from error
    if number == 1:
        raise ConfigurationError(f"{path} has no rows")


def _cells(path: Path) -> Iterator[list[str]]:
    """Every row as text."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            next(file)
            yield from filter(None, csv.reader(file))
        return
    for batch in _parquet(path).iter_batches():
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield ["" if value is None else str(value) for value in row]


def _names(path: Path) -> list[str]:
    """The columns' names in lower case; none of a file that this does not read."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return _header(file.readline())
    return [name.lower() for name in _parquet(path).schema_arrow.names] if path.suffix in _PARQUET else []


def _parquet(path: Path) -> Any:
    load_pyarrow()
    import pyarrow.parquet as parquet

    return parquet.ParquetFile(path)


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
