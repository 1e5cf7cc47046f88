"""A folder of Parquet files, one a month of a series, and beside them a record of what is covered.

A download may be killed at any instant. A month's file is written under another name and renamed, and only
then is its time recorded as covered: what a crash loses is asked for again and merged, candle by candle.
Prices are 128-bit decimals, exact to 18 places.
"""

from __future__ import annotations

import fcntl
import json
import os
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

    def read_times(self) -> list[int]:
        """Open times in ms, ascending."""
        return [time for file in self.files() for time in _open(file)["time"].cast("int64").to_pylist()]

    def read(self, begin_ms: int | None = None, end_ms: int | None = None) -> list[RecordedCandle]:
        """Candles that open within [begin, end), oldest first."""
        return list(self._rows(begin_ms, end_ms))

    def _rows(self, begin_ms: int | None, end_ms: int | None) -> Iterator[RecordedCandle]:
        for file in self.files():
            table = _open(file)
            columns = [
                table["time"].cast("int64").to_pylist(),
                *(table[name].to_pylist() for name in COLUMNS),
            ]
            for row in zip(*columns, strict=True):
                if (begin_ms is None or row[0] >= begin_ms) and (end_ms is None or row[0] < end_ms):
                    yield RecordedCandle(*row)

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
