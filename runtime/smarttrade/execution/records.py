"""What is written to the account's log: the only thing that survives a crash.

One log message is a `Batch`: records that are decided together stand or fall together, and one synced
write carries them. Fields are only ever added, with a default. A reader refuses a batch of a newer
`v`, because a leader that skips a record it cannot read would trade on a wrong state. A batch says the
least version that understands all of it (`version_of`), so two versions share a log until something is
written that the older one must not misread; from then on it stands aside.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from smarttrade.exchange.reports import OrderKind
from smarttrade.execution.errors import UnknownRecordError
from smarttrade.execution.orders import OrderState, Purpose
from smarttrade.messages import MALFORMED, Decision, EffectiveState, Fill, Outcome, Side, Target

RECORD_VERSION = 4
"""2: protective orders (triggers, groups, stop exits), a log restored from the exchange, commands by hand.
3: fees in a third asset, orders lowered where they stand, the exchange's other sum of a settled one, since
when protection is missed. 4: the second side of a trade between two orders of the account's own, which an
older version takes for counted."""


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of every record."""


class EpochStarted(Record, frozen=True, kw_only=True, tag="epoch"):
    """A pod took the lead; an append by an older epoch fails from here on."""

    epoch: int
    holder: str
    time_ms: int


class LedgerOpened(Record, frozen=True, kw_only=True, tag="ledger"):
    """The first record of money: the allocation, and adopted holdings as (market, quantity, price).

    `restoring`: the exchange was not asked yet whether this log is the account's first.
    """

    currency: str
    allocation: Decimal
    positions: tuple[tuple[str, Decimal, Decimal], ...]
    time_ms: int
    restoring: bool = False


class HistoryRestored(Record, frozen=True, kw_only=True, tag="restored"):
    """The exchange told what it keeps of this account's orders. `lost`: the log should have known them, so
    nothing that was decided on events up to `time_ms` is executed any more. `final`: nothing that was sent
    before may still surface."""

    lost: bool
    final: bool
    orders: int
    fills: int
    time_ms: int


class DecisionAccepted(Record, frozen=True, kw_only=True, tag="accepted"):
    """A decision counts from here: its market's high-water mark moves."""

    decision: Decision
    time_ms: int


class DecisionClosed(Record, frozen=True, kw_only=True, tag="closed"):
    """The one outcome of a decision."""

    id: str
    market: str
    outcome: Outcome
    code: str
    message: str
    time_ms: int


class OrderIntended(Record, frozen=True, kw_only=True, tag="intent"):
    """Written before an order is sent, with the exchange time T and window W that it will carry."""

    cid: str
    market: str
    side: Side
    kind: OrderKind
    price: Decimal
    quantity: Decimal
    purpose: Purpose
    decision_id: str
    leg: int
    attempt: int
    deadline_ms: int
    window_ms: int
    epoch: int
    key: str = ""
    trigger: Decimal | None = None
    group: str = ""


class OrderMoved(Record, frozen=True, kw_only=True, tag="order"):
    """The exchange's word on an order, or the proof that there is none (Void, Rejected). `quantity`: what it
    was lowered to. `told`: nothing has moved, but the exchange tells of this sum filled by an order that was
    settled."""

    cid: str
    state: OrderState
    order_id: str
    filled: Decimal
    time_ms: int
    code: str = ""
    message: str = ""
    quantity: Decimal | None = None
    told: Decimal | None = None


class OrderAdopted(Record, frozen=True, kw_only=True, tag="adopted"):
    """An order of this account's that the exchange knows and the log does not."""

    cid: str
    order_id: str
    market: str
    side: Side
    price: Decimal
    quantity: Decimal
    time_ms: int
    trigger: Decimal | None = None


class FillRecorded(Record, frozen=True, kw_only=True, tag="fill"):
    """One fill enters the ledger. `fee_value` is the fee in the account's currency at fill time; `unvalued`:
    it was paid in a third asset, and counts when a FeeValued says what it was worth. `crossed`: the trade's
    other side was the account's own too, and is counted."""

    fill: Fill
    fee_value: Decimal
    unvalued: bool = False
    crossed: bool = False


class FeeValued(Record, frozen=True, kw_only=True, tag="fee"):
    """So much of a market's unvalued fees in an asset was worth `value` in the account's currency."""

    market: str
    asset: str
    quantity: Decimal
    price: Decimal
    value: Decimal
    time_ms: int


class DayStarted(Record, frozen=True, kw_only=True, tag="day"):
    """The profit from which the daily loss counts: not equity, so a raised allocation hides no loss."""

    day: str
    pnl: Decimal
    time_ms: int


class PeakReached(Record, frozen=True, kw_only=True, tag="peak"):
    """The highest profit so far, from which the drawdown counts."""

    pnl: Decimal
    time_ms: int


class Breached(Record, frozen=True, kw_only=True, tag="breach"):
    """A loss limit was passed; it stays until its id is acknowledged."""

    id: str
    reason: str
    effect: EffectiveState
    time_ms: int


class BreachAcknowledged(Record, frozen=True, kw_only=True, tag="acknowledged"):
    """The user named the breach's id; losses count from this profit on."""

    id: str
    pnl: Decimal
    time_ms: int


class LossTaken(Record, frozen=True, kw_only=True, tag="loss"):
    """An exit at a loss started the cooldown of a market."""

    market: str
    time_ms: int


class ProtectionMissed(Record, frozen=True, kw_only=True, tag="unprotected"):
    """Since when a position lacks the protection that it should have; 0: it has it again, or needs none."""

    market: str
    since_ms: int


class Instructed(Record, frozen=True, kw_only=True, tag="instructed"):
    """A person's command, as it came, before anything of it is done. Nothing follows from it."""

    command: str
    by: str
    time_ms: int


class HaltOrdered(Record, frozen=True, kw_only=True, tag="halt"):
    """Halted by hand when the specification of generation `seen` ran, until that of `until` is read."""

    seen: int
    until: int
    by: str
    time_ms: int

    def holds(self, generation: int) -> bool:
        """A lower generation than was seen is a re-created object's, which says itself what it wants."""
        return self.seen <= generation < self.until


class HaltLifted(Record, frozen=True, kw_only=True, tag="lifted"):
    """The object's own word is read again."""

    generation: int
    time_ms: int


AnyRecord = (
    EpochStarted
    | LedgerOpened
    | HistoryRestored
    | DecisionAccepted
    | DecisionClosed
    | OrderIntended
    | OrderMoved
    | OrderAdopted
    | FillRecorded
    | FeeValued
    | DayStarted
    | PeakReached
    | Breached
    | BreachAcknowledged
    | LossTaken
    | ProtectionMissed
    | Instructed
    | HaltOrdered
    | HaltLifted
)


class Batch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One log message. `after` is the sequence of the one before it, 0 for the first.

    Sequences have gaps (the stream holds more than the log), so a reader can only tell by this that
    nothing between was compacted away unread. -1: written before there was such a field. `id` is unique,
    `previous` the id of the batch that its writer had read last: sequences begin anew when a log is lost,
    ids do not. Empty: written before there was such a field.
    """

    v: int = 1
    epoch: int
    records: tuple[AnyRecord, ...]
    after: int = -1
    id: str = ""
    previous: str = ""


def version_of(records: Iterable[AnyRecord]) -> int:
    """The least version of a reader that understands all of these."""
    return max([_version(record) for record in records if type(record) not in _SINCE_1], default=1)


_SINCE_1 = frozenset({DecisionClosed})


def _version(record: AnyRecord) -> int:
    if isinstance(record, OrderMoved):
        return 1 if record.quantity is record.told is None else 3
    if isinstance(record, FillRecorded):
        return 4 if record.crossed else 3 if record.unvalued else 1
    if isinstance(record, OrderIntended):
        return 2 if record.trigger is not None or record.group or record.purpose in _SINCE_2 else 1
    if isinstance(record, DecisionAccepted):
        want = record.decision.want
        plain = (
            not isinstance(want, Target) or want.stop_loss is want.take_profit is want.trailing_stop is None
        )
        return 1 if plain else 2
    if isinstance(record, OrderAdopted):
        return 1 if record.trigger is None else 2
    if isinstance(record, FeeValued | ProtectionMissed):
        return 3
    return 2 if isinstance(record, HistoryRestored | Instructed | HaltOrdered | HaltLifted) else 1


_SINCE_2 = (Purpose.PROTECTIVE, Purpose.STOP_EXIT)


class _Header(msgspec.Struct, frozen=True):
    v: int = 1


_encoder = msgspec.json.Encoder(decimal_format="string")
_decoder = msgspec.json.Decoder(Batch)
_header = msgspec.json.Decoder(_Header)


def encode_batch(batch: Batch) -> bytes:
    return _encoder.encode(batch)


def decode_batch(payload: bytes) -> Batch:
    """Read one log message; UnknownRecordError if it is newer than this version, or malformed."""
    try:
        batch = _decoder.decode(payload)
    except MALFORMED as error:
        _check_version(_stated_version(payload))
        raise UnknownRecordError(f"the log holds a record that cannot be read: {error}") from error
    _check_version(batch.v)
    return batch


def _stated_version(payload: bytes) -> int:
    """The version of a batch whose records cannot be read; 0 where not even that can."""
    try:
        return _header.decode(payload).v
    except MALFORMED:
        return 0


def _check_version(version: int) -> None:
    if version > RECORD_VERSION:
        raise UnknownRecordError(
            f"the log holds records of version {version}, this version reads up to {RECORD_VERSION}: "
            "finish the rollout, or go back to the newer version"
        )
