"""What a sweep has found out so far, in one SQLite file that survives a kill.

A run is known by candidate and fold, so that a sweep that is started again, or with wider ranges, runs only
what is not there. All of it holds for one account, one data and one set of assumptions: the file names them.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from smarttrade._version import __version__
from smarttrade.backtest.trades import TradeHistory
from smarttrade.errors import ConfigurationError
from smarttrade.messages import encode
from smarttrade.sweep.ranges import Candidate
from smarttrade.sweep.unit import Outcome, Work

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sweep (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
  candidate TEXT NOT NULL, fold INTEGER NOT NULL, in_sample TEXT NOT NULL, out_of_sample TEXT NOT NULL,
  PRIMARY KEY (candidate, fold)
) WITHOUT ROWID;
"""


def write_candidate(candidate: Candidate) -> str:
    """The one text of a candidate."""
    return json.dumps(candidate, sort_keys=True, separators=(",", ":"))


class Results:
    """Use as `with Results.open(path, fingerprint) as results`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path, fingerprint: str) -> Results:
        """ConfigurationError if the file holds another sweep's results, or is none."""
        try:
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise ConfigurationError(f"{path} cannot hold results: {error}") from error
        known = connection.execute("SELECT value FROM sweep WHERE key = 'fingerprint'").fetchone()
        if known is None:
            connection.execute("INSERT INTO sweep VALUES ('fingerprint', ?)", (fingerprint,))
        elif known[0] != fingerprint:
            connection.close()
            raise ConfigurationError(
                f"{path} holds the results of another sweep (account, data, folds, assumptions or version "
                "differ): give another --out, or delete it"
            )
        return cls(connection)

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def add(self, outcome: Outcome) -> None:
        row = (
            write_candidate(outcome.candidate),
            outcome.fold,
            json.dumps(outcome.in_sample),
            json.dumps(outcome.out_of_sample),
        )
        self._connection.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", row)

    def get(self, candidate: Candidate, fold: int) -> Outcome | None:
        with closing(self._connection.cursor()) as cursor:
            row = cursor.execute(
                "SELECT * FROM runs WHERE candidate = ? AND fold = ?", (write_candidate(candidate), fold)
            ).fetchone()
        return _outcome(row) if row else None

    def all(self) -> Iterator[Outcome]:
        """Everything, by candidate and fold."""
        rows = self._connection.execute("SELECT * FROM runs ORDER BY candidate, fold").fetchall()
        return (_outcome(row) for row in rows)


def _outcome(row: tuple[str, int, str, str]) -> Outcome:
    candidate, fold, inside, outside = row
    return Outcome(json.loads(candidate), fold, json.loads(inside), json.loads(outside))


def build_fingerprint(work: Work, swept: Iterable[str]) -> str:
    """Of all that a result depends on besides the swept parameters."""
    spec = work.account.spec.model_dump(mode="json", by_alias=True)
    for name in swept:
        spec["strategy"]["parameters"].pop(name, None)
    told: dict[str, Any] = {
        "version": __version__,
        "spec": spec,
        "assumptions": str(work.assumptions),
        "folds": work.folds,
        "interval_ms": work.history.interval_ms,
    }
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for market, candles in work.history.candles.items():
        digest.update(f"{market} {candles.first_ms} {len(candles)}".encode())
        for column in (candles.open, candles.high, candles.low, candles.close, candles.volume):
            digest.update(f"{column.places} ".encode() + _bytes(column.numbers))
    if isinstance(work.history, TradeHistory):
        for events in work.history.events.values():
            digest.update(encode(events))
    return digest.hexdigest()


def _bytes(numbers: Any) -> bytes:
    return numbers.tobytes() if hasattr(numbers, "tobytes") else repr(numbers).encode()
