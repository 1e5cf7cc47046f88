"""Reading recorded market data: CSV and Parquet, columns recognised by their usual names.

Candles: open, high, low, close, volume. Trades: price and quantity (amount, qty, size), side or buyer_maker.
Quotes: bid, ask, bid_size, ask_size. Time: timestamp, time, open_time or date, as text or as a number of
seconds, milliseconds, microseconds or nanoseconds. Parquet needs the `research` extra.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from smarttrade.errors import ConfigurationError
from smarttrade.simulator.recorded import RecordedCandle, RecordedQuote, RecordedTrade, Recording

Row = Mapping[str, Any]
TIME_COLUMNS = ("timestamp", "time", "open_time", "opentime", "datetime", "date", "ts")
_QUANTITY = ("quantity", "qty", "amount", "size", "volume")
_MAKER = ("buyer_maker", "is_buyer_maker", "isbuyermaker", "buyer_is_maker")
_CANDLE = ("open", "high", "low", "close")
_QUOTE = ("bid", "ask")


def load_recording(path: str | Path, volume: str = "base") -> Recording:
    """Read one file, with a `-quotes` file beside a `-trades` one taken along.

    `volume` says in which asset candles count theirs: base or quote.
    """
    main = Path(path)
    recording = _load_one(main)
    if volume == "quote":
        return replace(recording, candles=[_in_base(candle) for candle in recording.candles])
    companion = main.with_name(main.name.replace("-trades", "-quotes"))
    if recording.trades and companion != main and companion.exists():
        quotes = _load_one(companion)
        return Recording([], recording.trades, quotes.quotes, quotes.symbol or recording.symbol)
    return recording


def _in_base(candle: RecordedCandle) -> RecordedCandle:
    return replace(candle, volume=decimal(candle.volume / candle.close))


def _load_one(path: Path) -> Recording:
    rows = read_rows(path)
    if not rows:
        raise ConfigurationError(f"{path} has no rows")
    try:
        return build_recording(rows)
    except (InvalidOperation, ValueError, TypeError) as error:
        raise ConfigurationError(f"{path}: a value cannot be read ({error}); check its columns") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def read_rows(path: Path) -> Sequence[Row]:
    """Rows with lower-case column names."""
    if not path.is_file():
        raise ConfigurationError(f"{path} is not a file; give a CSV or Parquet file of candles or trades")
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return [{k.strip().lower(): v for k, v in row.items() if k} for row in csv.DictReader(file)]
    if path.suffix in (".parquet", ".pq"):
        return _read_parquet(path)
    raise ConfigurationError(f"{path}: {path.suffix or 'no'} ending is unknown; use .csv or .parquet")


def _read_parquet(path: Path) -> Sequence[Row]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ConfigurationError(
            f"{path}: Parquet needs pyarrow; install the extra `research`: pip install 'smarttrade[research]'"
        ) from error
    table = parquet.read_table(path)
    return [{k.lower(): v for k, v in row.items()} for row in table.to_pylist()]


def build_recording(rows: Sequence[Row]) -> Recording:
    """Candles, trades or quotes, told apart by their columns; sorted by time."""
    columns = set(rows[0])
    time = _first(columns, TIME_COLUMNS, "time")
    symbol = str(rows[0]["symbol"]) if "/" in str(rows[0].get("symbol", "")) else None
    if columns.issuperset(_CANDLE):
        candles = [_candle(row, time) for row in rows]
        return Recording(sorted(candles, key=lambda c: c.open_ms), [], [], symbol)
    if columns.issuperset(_QUOTE):
        quotes = [_quote(row, time) for row in rows]
        return Recording([], [], sorted(quotes, key=lambda q: q.time_ms), symbol)
    if "price" in columns:
        quantity = _first(columns, _QUANTITY, "quantity")
        trades = [_trade(row, time, quantity) for row in rows]
        return Recording([], sorted(trades, key=lambda t: t.time_ms), [], symbol)
    raise ConfigurationError(
        f"columns {sorted(columns)} are neither candles (open, high, low, close), trades (price, quantity) "
        "nor quotes (bid, ask); rename them"
    )


def _first(columns: set[str], names: Sequence[str], what: str) -> str:
    for name in names:
        if name in columns:
            return name
    raise ConfigurationError(f"no {what} column among {sorted(columns)}; name it one of {', '.join(names)}")


def _candle(row: Row, time: str) -> RecordedCandle:
    o, h, low, c = (decimal(row[name]) for name in _CANDLE)
    return RecordedCandle(milliseconds(row[time]), o, h, low, c, decimal(row.get("volume") or 0))


def _quote(row: Row, time: str) -> RecordedQuote:
    return RecordedQuote(
        milliseconds(row[time]),
        decimal(row["bid"]),
        decimal(row.get("bid_size") or 1),
        decimal(row["ask"]),
        decimal(row.get("ask_size") or 1),
    )


def _trade(row: Row, time: str, quantity: str) -> RecordedTrade:
    maker = next((row[name] for name in _MAKER if name in row), None)
    if maker is not None:
        sells = str(maker).strip().lower() in ("true", "1", "t")
    else:
        sells = str(row.get("side", "buy")).strip().lower() in ("sell", "s", "ask")
    return RecordedTrade(milliseconds(row[time]), decimal(row["price"]), decimal(row[quantity]), sells)


def decimal(value: Any) -> Decimal:
    """Decimal of text or of a binary float's shortest text; at most 8 decimals."""
    return Decimal(str(value)).quantize(Decimal("1e-8"))


def milliseconds(value: Any) -> int:
    """Milliseconds since 1970 of a datetime, ISO text (UTC if unsaid) or a number of any unit."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    text = str(value).strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        return milliseconds(datetime.fromisoformat(text))
    for limit, divisor in ((10**11, Decimal("0.001")), (10**14, Decimal(1)), (10**17, Decimal(1000))):
        if abs(number) < limit:
            return int(number / divisor)
    return int(number / 1_000_000)
