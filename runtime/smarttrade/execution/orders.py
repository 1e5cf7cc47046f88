"""One order's life, after FIX, plus two states that FIX lacks and that money depends on.

Unknown holds exposure: the order may exist, so its full quantity counts until the exchange has answered.
Void is final: proved never to have reached the exchange, and only ever entered by way of a log record.
Any transition that is not in the table is an error; a fill after a cancel, even after Void, is legal,
because exchanges do report in that order.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from smarttrade.exchange.reports import OrderKind, VenueStatus
from smarttrade.execution.errors import IllegalTransitionError
from smarttrade.messages import Side


class OrderState(StrEnum):
    PENDING_NEW = "PendingNew"
    NEW = "New"
    PARTIALLY_FILLED = "PartiallyFilled"
    PENDING_CANCEL = "PendingCancel"
    UNKNOWN = "Unknown"
    FILLED = "Filled"
    CANCELED = "Canceled"
    REJECTED = "Rejected"
    EXPIRED = "Expired"
    VOID = "Void"


RESOLVED_BY_HAND = "ResolvedByHand"
"""The code of an order whose fate a person has told."""
FORGOTTEN = "Forgotten"
"""The code of an accepted order that the exchange knows no more: it forgets what ended unfilled."""


class Purpose(StrEnum):
    """Why an order exists; it decides what a state of the account does to it.

    Protective orders wait at the exchange for their price; a StopExit is what the leader sends where none
    can wait there.
    """

    TARGET = "Target"
    RESTING = "Resting"
    FLATTEN = "Flatten"
    PROTECTIVE = "Protective"
    ADOPTED = "Adopted"
    STOP_EXIT = "StopExit"


_S = OrderState
ON_BOOK = (_S.NEW, _S.PARTIALLY_FILLED, _S.PENDING_CANCEL)
_LIVE = set(ON_BOOK)
_ENDED = {_S.FILLED, _S.CANCELED, _S.REJECTED, _S.EXPIRED, _S.VOID}
_LEGAL: dict[OrderState, set[OrderState]] = {
    _S.PENDING_NEW: _LIVE | _ENDED | {_S.UNKNOWN},
    _S.UNKNOWN: _LIVE | _ENDED,
    _S.NEW: _LIVE | {_S.FILLED, _S.CANCELED, _S.EXPIRED, _S.REJECTED},
    _S.PARTIALLY_FILLED: {_S.PENDING_CANCEL, _S.FILLED, _S.CANCELED, _S.EXPIRED},
    _S.PENDING_CANCEL: {_S.NEW, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELED, _S.EXPIRED},
    _S.CANCELED: {_S.FILLED},
    _S.EXPIRED: {_S.FILLED},
    _S.VOID: _LIVE | _ENDED,
    _S.REJECTED: set(),
    _S.FILLED: set(),
}
_FROM_VENUE = {
    VenueStatus.FILLED: _S.FILLED,
    VenueStatus.CANCELED: _S.CANCELED,
    VenueStatus.REJECTED: _S.REJECTED,
    VenueStatus.EXPIRED: _S.EXPIRED,
}


class Order(msgspec.Struct, kw_only=True, gc=False):
    """One own order. `filled` is what the exchange says, `recorded` what the ledger has as fills.

    `trigger` is a stop's price; orders of one `group` cancel one another at the exchange. `trades` are the
    ids of what was recorded, until all is. `told`: what the exchange says that a settled order filled, where
    that is or was another sum than the ledger's.
    """

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
    key: str = ""
    state: OrderState = OrderState.PENDING_NEW
    order_id: str = ""
    filled: Decimal = Decimal(0)
    recorded: Decimal = Decimal(0)
    code: str = ""
    trigger: Decimal | None = None
    group: str = ""
    trades: list[str] = []
    told: Decimal | None = None

    @property
    def ended(self) -> bool:
        return self.state in _ENDED

    @property
    def settled(self) -> bool:
        """Ended, and every fill that the exchange counts is in the ledger."""
        return self.ended and self.recorded >= self.filled

    @property
    def told_by_hand(self) -> bool:
        """Whether a person has told what it filled: the exchange's trades of it count already."""
        return self.code == RESOLVED_BY_HAND and self.state is not OrderState.VOID

    @property
    def exposure(self) -> Decimal:
        """Base quantity that may still change the position: all of it while the fate is unknown."""
        whole = self.filled if self.ended else self.quantity
        return max(whole - self.recorded, Decimal(0))

    @property
    def resting(self) -> bool:
        return self.state in (OrderState.NEW, OrderState.PARTIALLY_FILLED)

    def move(self, target: OrderState) -> None:
        """Change state; IllegalTransitionError names what was tried."""
        if target is self.state:
            return
        if target not in _LEGAL[self.state]:
            raise IllegalTransitionError(f"order {self.cid}: {self.state} cannot become {target}")
        self.state = target


def state_from_venue(order: Order, status: VenueStatus, filled: Decimal) -> OrderState | None:
    """The state that an exchange's report implies; None if the report is older than what is known.

    An order that ended in another way than the report says stays as it ended; what it filled counts.
    """
    if filled < order.filled:
        return None
    if status is not VenueStatus.OPEN:
        implied = _FROM_VENUE[status]
        if implied in _LEGAL[order.state]:
            return implied
        return order.state if filled > order.filled else None
    if order.ended and order.state is not OrderState.VOID:
        return order.state if order.state is OrderState.REJECTED else None
    if order.state is OrderState.PENDING_CANCEL:
        return OrderState.PENDING_CANCEL
    return OrderState.PARTIALLY_FILLED if filled > 0 else OrderState.NEW
