"""A folder of Parquet files, one a month of a series, and beside them a record of what is covered.

A download may be killed at any instant. A month's file is written under another name and renamed, and only
then is its time recorded as covered: what a crash loses is asked for again and merged, candle by candle.
Prices are 128-bit decimals, exact to 18 places.
"""

from __future__ import annotations

import fcntl
import json
import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from smarttrade.data.coverage import Span, missing, united
from smarttrade.data.series import Series, month_of
from smarttrade.errors import ConfigurationError
from smarttrade.simulator.recorded import RecordedCandle

_COVERAGE = "coverage.json"
_LOCK = ".lock"
COLUMNS = ("open", "high", "low", "close", "volume")


class SeriesStore:
    """The files of one series. `covered` is what was recorded when it was opened, and since."""

    def __init__(self, root: Path, series: Series) -> None:
        self.series = series
        self.folder = series.folder(root)
        self.covered = self._read_coverage()

    # --- writing ---

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process may write a series; ConfigurationError while another does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConfigurationError(
                    f"another download writes {self.series} in {self.folder}: wait for its end"
                ) from error
            self.covered = self._read_coverage()
            yield

    def add(self, candles: Sequence[RecordedCandle], asked: Span) -> None:
        """Keep the candles of a span that was asked for; a candle that is already there is replaced."""
        for month, rows in groupby(candles, key=lambda candle: month_of(candle.open_ms)):
            self._merge(month, list(rows))
        self.covered = united([*self.covered, asked])
        _write(
            self.folder / _COVERAGE,
            lambda path: path.write_text(json.dumps({"covered": self.covered}) + "\n"),
        )

    def _merge(self, month: str, candles: list[RecordedCandle]) -> None:
        import pyarrow
        import pyarrow.parquet as parquet

        path = self.folder / f"{month}.parquet"
        new = build_table(candles)
        if path.is_file():
            times = pyarrow.compute.is_in(_open(path)["time"], value_set=new["time"].combine_chunks())
            new = pyarrow.concat_tables([_open(path).filter(pyarrow.compute.invert(times)), new])
        _write(path, lambda to: parquet.write_table(new.sort_by("time"), to, compression="zstd"))

    # --- reading ---

    def missing(self, wanted: Span) -> list[Span]:
        return missing(self.covered, wanted)

    def files(self) -> list[Path]:
        """One a month, oldest first."""
        return sorted(self.folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9].parquet"))

    def read_present(self) -> list[Span]:
        """The spans that hold a candle for each interval, oldest first."""
        return united(span for file in self.files() for span in self._runs(_open(file)["time"]))

    def _runs(self, column: Any) -> Iterator[Span]:
        """Of ascending times; a month has few, however many candles it has."""
        times, length_ms = array("q", _int64(column)), self.series.length_ms
        begin = 0
        while begin < len(times):
            end = _end_of_run(times, begin, length_ms)
            yield Span(times[begin], times[end - 1] + length_ms)
            begin = end

    def read_units(self) -> Iterator[tuple[int, int, int, int, int, int]]:
        """Open time in ms, and prices and volume in units of 10^-8, without an object a candle.

        ConfigurationError for a price with more decimals.
        """
        for file in self.files():
            table = _open(file)
            columns = [_units(file, table[name]) for name in COLUMNS]
            yield from zip(_int64(table["time"]), *columns, strict=True)

    def read(self) -> list[RecordedCandle]:
        """All candles, oldest first, exactly as they came."""
        return list(self.iterate())

    def iterate(self) -> Iterator[RecordedCandle]:
        """As `read`, one after the other."""
        for file in self.files():
            table = _open(file)
            columns = [
                table["time"].cast("int64").to_pylist(),
                *(table[name].to_pylist() for name in COLUMNS),
            ]
            yield from (RecordedCandle(*row) for row in zip(*columns, strict=True))

    def _read_coverage(self) -> list[Span]:
        path = self.folder / _COVERAGE
        try:
            return [Span(*span) for span in json.loads(path.read_text())["covered"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{path} cannot be read ({error}): delete it, and download again to have it made anew"
            ) from error


def build_table(candles: Sequence[RecordedCandle]) -> Any:
    """The Arrow table of a partition: time (ms, UTC) and decimals."""
    pyarrow = load_pyarrow()
    money = pyarrow.decimal128(38, 18)
    times = pyarrow.array([candle.open_ms for candle in candles], pyarrow.timestamp("ms", tz="UTC"))
    columns = {name: pyarrow.array([getattr(candle, name) for candle in candles], money) for name in COLUMNS}
    return pyarrow.table({"time": times, **columns})


def load_pyarrow() -> Any:
    """ConfigurationError says how to install it."""
    try:
        import pyarrow
        import pyarrow.compute
    except ImportError as error:
        raise ConfigurationError(
            "a data store needs pyarrow; install the extra `research`: pip install 'smarttrade[research]'"
        ) from error
    return pyarrow


def _end_of_run(times: Sequence[int], begin: int, length_ms: int) -> int:
    """The first index after `begin` whose time does not follow without a gap: times are distinct and ascend
    by at least `length_ms`, so the distance to `begin` tells where the first gap is."""
    low, high = begin, len(times)
    while high - low > 1:
        middle = (low + high) // 2
        if times[middle] - times[begin] == (middle - begin) * length_ms:
            low = middle
        else:
            high = middle
    return high


def _int64(column: Any) -> Any:
    """The numbers of a column of times; a buffer may be longer than what is in it."""
    numbers = column.combine_chunks().cast("int64")
    return memoryview(numbers.buffers()[1] or b"").cast("q")[: len(numbers)]


def _units(path: Path, column: Any) -> Sequence[int]:
    """The numbers behind decimals with eight places, which Arrow keeps as 128-bit integers."""
    pyarrow = load_pyarrow()
    try:
        scaled = column.combine_chunks().cast(pyarrow.decimal128(38, 8))
    except pyarrow.ArrowInvalid as error:
        raise ConfigurationError(
            f"{path} has prices with more than eight decimals, which a backtest does not count in"
        ) from error
    words = memoryview(scaled.buffers()[1] or b"")[: 16 * len(scaled)]
    low, high = words.cast("Q")[::2], words.cast("q")[1::2]
    return low if not any(high) else [(above << 64) + below for above, below in zip(high, low, strict=True)]


def _open(path: Path) -> Any:
    load_pyarrow()
    import pyarrow.parquet as parquet

    try:
        return parquet.ParquetFile(path).read()
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error}): delete it and coverage.json beside it, and download again"
        ) from error


def _write(path: Path, write: Any) -> None:
    """Under another name first, so that a reader or a crash never sees half a file."""
    temporary = path.with_name(f".{path.name}.tmp")
    write(temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
