"""The folded state as one value, so that replay is bounded. Everything in it follows from log records."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from smarttrade.execution.equity import LossState
from smarttrade.execution.errors import UnknownRecordError
from smarttrade.execution.ledger import LedgerState
from smarttrade.execution.orders import Order
from smarttrade.execution.records import HaltOrdered
from smarttrade.messages import MALFORMED, Decision

SNAPSHOT_VERSION = 4
"""3: a ledger that has forgotten old trades; to an older version they would be strange. 4: fees that wait for
their price, which an older version would never count; the exchange's other sum of a settled order, for which
it would not hold back."""


class HighWater(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The newest decision of one strategy for one market."""

    event_time_ms: int
    event_ordinal: int
    index: int
    id: str

    @property
    def order_key(self) -> tuple[int, int, int]:
        return (self.event_time_ms, self.event_ordinal, self.index)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The protection that the decision `decision_id` asked for: prices, and a trailing share."""

    decision_id: str
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_stop: Decimal | None = None


class MarketBook(msgspec.Struct, kw_only=True):
    """What one market is working at. The counters belong to the decision `counted`, whose
    newest order is `newest`. `tried_ms` is when its first order was pinned; `matched` are those that were
    refused because they would have matched instead of resting.

    Of the standing set: `done` are the keys of which an order has filled whole since it stands, `filled` is
    what orders of this very set have filled per key.

    Of protection: `plan` is the decision's that was carried out last, `ratchet` the highest trigger that a
    stop had since the position was opened, but for prices that a decision named, `most` the most that it held
    since then. A protective fill ends the decision `stopped`: what it sold must not be bought back on its
    behalf. `bare_ms` is since when the position lacks the protection that it should have, 0 otherwise.
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
    tried_ms: int = 0
    matched: int = 0
    last_loss_ms: int = 0
    plan: Plan | None = None
    ratchet: Decimal | None = None
    most: Decimal = Decimal(0)
    stopped: str = ""
    bare_ms: int = 0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The book as of log sequence `sequence`, whose batch has the id `batch_id`. `v` is the least version
    that a reader needs."""

    v: int = 1
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
    batch_id: str = ""
    restoring: bool = False
    not_before_ms: int = 0
    last_ms: int = 0
    memory: str = ""
    owed: dict[str, dict[str, Decimal]] = {}


_encoder = msgspec.json.Encoder(decimal_format="string")
_decoder = msgspec.json.Decoder(Snapshot)


class _Header(msgspec.Struct, frozen=True):
    v: int = 1


def version_of(
    markets: Iterable[MarketBook],
    orders: Iterable[Order],
    *,
    newer: bool,
    forgotten: bool,
    owing: bool,
) -> int:
    """The least version of a reader that must not misread these; `newer`: something else needs 2."""
    for needed, version in ((owing, 4), (forgotten, 3)):
        if needed:
            return version
    planned = newer or any(market.plan is not None for market in markets)
    return 2 if planned or any(order.trigger is not None or order.group for order in orders) else 1


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
    except MALFORMED as error:
        raise UnknownRecordError(f"the snapshot cannot be read: {error}") from error
