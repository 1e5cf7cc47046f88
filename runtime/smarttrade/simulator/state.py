"""Balances, orders, fills and lists on disk, so that a restart keeps them.

One SQLite file; ten times a second what has changed is written in one transaction, so whatever is found after
a crash is one moment of the exchange, at most a tenth of a second old. Orders that were open rest again in
their old order; the market has moved on meanwhile, and what it would have filled is not filled.
"""

import os
import sqlite3
from pathlib import Path

import msgspec

from smarttrade.errors import ConfigurationError, SmartTradeError
from smarttrade.matching import Execution, Kind, Order, OrderList, PreventedMatch
from smarttrade.simulator import state_rows as rows
from smarttrade.simulator.amendment import Amendment
from smarttrade.simulator.state_restore import restore
from smarttrade.simulator.venue import Venue

_SCHEMA = """
CREATE TABLE IF NOT EXISTS exchange (id INTEGER PRIMARY KEY CHECK (id = 1), row BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, row BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, is_open INTEGER NOT NULL, row BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS orders_of_user ON orders (user, id);
CREATE TABLE IF NOT EXISTS fills (
    trade_id INTEGER, order_id INTEGER, user TEXT NOT NULL, row BLOB NOT NULL,
    PRIMARY KEY (order_id, trade_id));
CREATE INDEX IF NOT EXISTS fills_of_user ON fills (user, trade_id);
CREATE TABLE IF NOT EXISTS lists (id INTEGER PRIMARY KEY, user TEXT NOT NULL, row BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS amendments (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, order_id INTEGER NOT NULL, row BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS prevented (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, order_id INTEGER NOT NULL, row BLOB NOT NULL);
"""
_encode = msgspec.json.encode


class StateStore:
    """Without a directory it keeps nothing."""

    def __init__(self, directory: str | None, venue: Venue) -> None:
        self.path = Path(directory) / "exchange.db" if directory else None
        self.venue = venue
        self._database: sqlite3.Connection | None = None
        self._orders: dict[int, Order] = {}
        self._lists: dict[int, OrderList] = {}
        self._fills: list[Execution] = []
        self._amendments: list[tuple[Order, Amendment]] = []
        self._prevented: list[PreventedMatch] = []
        self._users: set[str] = set()

    def open(self) -> None:
        """Load what an earlier run saved; ConfigurationError where the file cannot be used."""
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))  # it holds users' secrets
            self._database = sqlite3.connect(self.path)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(_SCHEMA)
            restore(self.venue, self._database)
        except (OSError, sqlite3.Error, msgspec.DecodeError) as error:
            raise ConfigurationError(
                f"state {self.path} cannot be used ({error}); remove it to start anew"
            ) from error
        self.venue.recorder = self

    # --- what changes -------------------------------------------------------------------------------

    def on_account(self, name: str) -> None:
        self._users.add(name)

    def on_execution(self, execution: Execution) -> None:
        order = execution.order
        self._orders[order.id] = order
        self._users.add(order.account.name)
        if execution.kind is Kind.TRADE:
            self._fills.append(execution)
        order_list = self.venue.engine.order_lists.get(order.list_id)
        if order_list is not None:
            self.on_list(order_list)
            self._orders.update((waiting.id, waiting) for waiting in order_list.waiting)  # these may be paid

    def on_list(self, order_list: OrderList) -> None:
        self._lists[order_list.id] = order_list

    def on_amendment(self, order: Order, amended: Amendment) -> None:
        self._amendments.append((order, amended))

    def on_prevented(self, prevented: PreventedMatch) -> None:
        self._prevented.append(prevented)

    # --- writing ------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write what has changed; SmartTradeError where that fails, because nothing may be lost silently."""
        if self._database is None or not (self._users or self._orders or self._lists):
            return
        try:
            self._write(self._database)
        except sqlite3.Error as error:
            raise SmartTradeError(f"state {self.path} cannot be written: {error}") from error
        for changed in (
            self._orders,
            self._lists,
            self._fills,
            self._users,
            self._amendments,
            self._prevented,
        ):
            changed.clear()

    def _write(self, database: sqlite3.Connection) -> None:
        with database:
            self._write_users(database)
            database.executemany(
                "REPLACE INTO orders VALUES (?, ?, ?, ?)",
                [
                    (order.id, order.account.name, order.is_open, _encode(rows.build_order(order)))
                    for order in self._orders.values()
                ],
            )
            database.executemany(
                "REPLACE INTO fills VALUES (?, ?, ?, ?)",
                [
                    (fill.trade_id, fill.order.id, fill.order.account.name, _encode(rows.build_fill(fill)))
                    for fill in self._fills
                ],
            )
            database.executemany(
                "REPLACE INTO lists VALUES (?, ?, ?)",
                [(row.id, row.account.name, _encode(rows.build_list(row))) for row in self._lists.values()],
            )
            database.executemany(
                "REPLACE INTO amendments VALUES (?, ?, ?, ?)",
                [
                    (row.execution_id, order.account.name, order.id, _encode(row))
                    for order, row in self._amendments
                ],
            )
            database.executemany(
                "REPLACE INTO prevented VALUES (?, ?, ?, ?)",
                [
                    (row.id, row.taker.account.name, row.taker.id, _encode(rows.build_prevented(row)))
                    for row in self._prevented
                ],
            )
            exchange = _encode(rows.build_exchange(self.venue))
            database.execute("REPLACE INTO exchange VALUES (1, ?)", (exchange,))

    def _write_users(self, database: sqlite3.Connection) -> None:
        known = {user.name: user for user in self.venue.users.values()}
        for name in self._users:
            user = known.get(name)
            if user is not None:
                database.execute(
                    "REPLACE INTO users VALUES (?, ?)", (name, _encode(rows.build_user_row(user)))
                )
                continue
            for table, column in (
                ("users", "name"),
                ("orders", "user"),
                ("fills", "user"),
                ("lists", "user"),
                ("amendments", "user"),
                ("prevented", "user"),
            ):
                database.execute(f"DELETE FROM {table} WHERE {column} = ?", (name,))  # noqa: S608 - ours
            self._orders = {k: o for k, o in self._orders.items() if o.account.name != name}
            self._fills = [fill for fill in self._fills if fill.order.account.name != name]
            self._lists = {k: row for k, row in self._lists.items() if row.account.name != name}
            self._amendments = [each for each in self._amendments if each[0].account.name != name]
            self._prevented = [row for row in self._prevented if row.taker.account.name != name]

    def close(self) -> None:
        if self._database is not None:
            self.save()
            self._database.close()
            self._database = None
