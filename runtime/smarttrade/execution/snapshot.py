"""The folded state as one value, so that replay is bounded. Everything in it follows from log records."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from smarttrade.execution.equity import LossState
from smarttrade.execution.errors import UnknownRecordError
from smarttrade.execution.ledger import LedgerState
from smarttrade.execution.orders import Order
from smarttrade.execution.records import HaltOrdered
from smarttrade.messages import Decision

SNAPSHOT_VERSION = 1


class HighWater(msgspec.Struct, frozen=True, kw_only=True):
    """The newest decision of one strategy for one market."""

    event_time_ms: int
    event_ordinal: int
    index: int
    id: str

    @property
    def order_key(self) -> tuple[int, int, int]:
        return (self.event_time_ms, self.event_ordinal, self.index)


class MarketBook(msgspec.Struct, kw_only=True):
    """What one market is working at. The counters belong to the decision `counted`, whose
    newest order is `newest`.

    Of the standing set: `done` are the keys of which an order has filled whole since it stands, `filled` is
    what orders of this very set have filled per key.
    """

    market: str
    current: Decision | None = None
    standing: Decision | None = None
    high_water: dict[str, HighWater] = {}
    done: list[str] = []
    filled: dict[str, Decimal] = {}
    counted: str = ""
    newest: str = ""
    legs: int = 0
    attempts: int = 0
    residuals: int = 0
    refusals: int = 0
    last_loss_ms: int = 0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The book as of log sequence `sequence`."""

    v: int = SNAPSHOT_VERSION
    sequence: int
    epoch: int
    opened: bool
    allocation: Decimal
    intents: int
    fills: int
    markets: list[MarketBook]
    orders: list[Order]
    ledger: LedgerState
    losses: LossState
    halt: HaltOrdered | None = None


_encoder = msgspec.json.Encoder(decimal_format="string")
_decoder = msgspec.json.Decoder(Snapshot)


class _Header(msgspec.Struct, frozen=True):
    v: int = SNAPSHOT_VERSION


def encode_snapshot(snapshot: Snapshot) -> bytes:
    return _encoder.encode(snapshot)


def decode_snapshot(payload: bytes) -> Snapshot:
    """Read a snapshot; UnknownRecordError if it is newer than this version, or malformed."""
    try:
        version = msgspec.json.decode(payload, type=_Header).v
        if version > SNAPSHOT_VERSION:
            raise UnknownRecordError(
                f"the snapshot is of version {version}, this version reads up to {SNAPSHOT_VERSION}: "
                "finish the rollout, or go back to the newer version"
            )
        return _decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise UnknownRecordError(f"the snapshot cannot be read: {error}") from error
