"""One series of candles: which it is, and where it is in a store.

Folders are named as Hive does (`key=value`), so that DuckDB, Polars and pyarrow read a whole store as one
table with these columns.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from smarttrade.api import Timeframe

_KEYS = ("exchange", "environment", "market", "timeframe")


class Series(NamedTuple):
    """Candles of one market and timeframe in one environment of an exchange."""

    exchange: str
    environment: str
    market: str
    timeframe: str

    @property
    def length_ms(self) -> int:
        return Timeframe(self.timeframe).milliseconds

    def folder(self, root: Path) -> Path:
        values = (self.exchange, self.environment, self.market.replace("/", "-"), self.timeframe)
        return root.joinpath(*(f"{key}={value}" for key, value in zip(_KEYS, values, strict=True)))

    def __str__(self) -> str:
        environment = "" if self.environment == "Production" else f" {self.environment}"
        return f"{self.exchange}{environment} {self.market} {self.timeframe}"


def find_series(root: Path) -> list[Series]:
    """Every series of a store, in order of their names."""
    pattern = "/".join(f"{key}=*" for key in _KEYS)
    return sorted(_series(folder) for folder in root.glob(pattern) if folder.is_dir())


def _series(folder: Path) -> Series:
    values = [part.partition("=")[2] for part in folder.parts[-len(_KEYS) :]]
    exchange, environment, market, timeframe = values
    return Series(exchange, environment, market.replace("-", "/"), timeframe)


def month_of(time_ms: int) -> str:
    """The partition of a candle that opens then, such as 2022-01 (UTC)."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m}"
