"""The ground truth: every accepted order, cancel and fill, in the order in which the exchange saw them.

Tests compare what a client believes with this. It is kept in memory and, where a path is given, appended to a
JSON-lines file.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from smarttrade.matching import Execution
from smarttrade.matching.orders import SIDE_NAMES
from smarttrade.matching.units import to_text

KEPT = 1_000_000


class JournalEntry(msgspec.Struct, frozen=True):
    """`kind` as `matching.Kind`: NEW, TRADE, TRIGGERED, CANCELED, REPLACED. Prices and quantities are decimal
    text, times ms; `stop_price` is 0 where nothing waits for one."""

    sequence: int
    time_ms: int
    user: str
    kind: str
    symbol: str
    order_id: int
    client_order_id: str
    side: str
    type: str
    time_in_force: str
    status: str
    quantity: str
    price: str
    filled: str
    created_ms: int
    trade_id: int = -1
    last_price: str = "0"
    last_quantity: str = "0"
    commission: str = "0"
    commission_asset: str | None = None
    is_maker: bool = False
    stop_price: str = "0"


class Journal:
    """Append-only; `entries` filters by what is given."""

    def __init__(self, path: str | None = None) -> None:
        self._entries: deque[JournalEntry] = deque(_read(path), maxlen=KEPT)
        self._file: IO[bytes] | None = Path(path).open("ab") if path else None  # noqa: SIM115

    def append(self, entry: JournalEntry) -> None:
        self._entries.append(entry)
        if self._file is not None:
            self._file.write(msgspec.json.encode(entry) + b"\n")
            self._file.flush()

    def entries(
        self,
        user: str | None = None,
        kind: str | None = None,
        client_order_id: str | None = None,
        symbol: str | None = None,
        after: int = 0,
    ) -> list[JournalEntry]:
        wanted: dict[str, Any] = {
            "user": user,
            "kind": kind,
            "client_order_id": client_order_id,
            "symbol": symbol,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        return [
            entry
            for entry in self._entries
            if entry.sequence > after and all(getattr(entry, k) == v for k, v in given.items())
        ]

    def orders(self, user: str | None = None) -> list[JournalEntry]:
        """Every order ever accepted."""
        return self.entries(user=user, kind="NEW")

    def fills(self, user: str | None = None, symbol: str | None = None) -> list[JournalEntry]:
        return self.entries(user=user, kind="TRADE", symbol=symbol)

    def cancels(self, user: str | None = None) -> list[JournalEntry]:
        return self.entries(user=user, kind="CANCELED")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _read(path: str | None) -> Iterator[JournalEntry]:
    """What an earlier run has written; a line that a crash cut off is left out."""
    if path is None or not Path(path).exists():
        return
    decode = msgspec.json.Decoder(JournalEntry).decode
    with Path(path).open("rb") as lines:
        for line in lines:
            try:
                yield decode(line)
            except msgspec.DecodeError:
                continue


def build_entry(execution: Execution) -> JournalEntry:
    """The journal's line about one execution of a user's order."""
    order = execution.order
    return JournalEntry(
        sequence=execution.sequence,
        time_ms=execution.time_ms,
        user=order.account.name,
        kind=execution.kind.value,
        symbol=order.market.symbol,
        order_id=order.id,
        client_order_id=order.client_order_id,
        side=SIDE_NAMES[order.side],
        type=order.type.value,
        time_in_force=order.time_in_force.value,
        status=execution.status.value,
        quantity=to_text(order.quantity),
        price=to_text(order.price),
        filled=to_text(execution.filled),
        created_ms=order.created_ms,
        trade_id=execution.trade_id,
        last_price=to_text(execution.price),
        last_quantity=to_text(execution.quantity),
        commission=to_text(execution.commission),
        commission_asset=execution.commission_asset,
        is_maker=execution.is_maker,
        stop_price=to_text(order.stop_price),
    )
