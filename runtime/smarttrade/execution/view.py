"""What the risk checks look at and what they answer: one order, one instant, one verdict."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from smarttrade.api import TradingAccountSpec
from smarttrade.execution.equity import LossState, Valuation
from smarttrade.execution.exposure import Exposure, MarketExposure
from smarttrade.execution.ledger import ZERO
from smarttrade.execution.orders import Purpose
from smarttrade.execution.state import Effective
from smarttrade.messages import Side


class Kind(StrEnum):
    """What an order does to the worst case; the columns of the table of checks."""

    OPENING = "opening"
    REDUCING = "reducing"
    PROTECTIVE = "protective"
    CANCEL = "cancel"


class Answer(StrEnum):
    ALLOWED = "Allowed"
    DENIED = "Denied"
    WAIT = "Wait"


class Proposal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order that is about to be written as an intent. `rests`: it may stay open on the exchange;
    `waits`: for a trigger."""

    market: str
    side: Side
    quantity: Decimal
    price: Decimal
    purpose: Purpose = Purpose.TARGET
    rests: bool = False
    waits: bool = False


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What becomes of a proposal.

    Allowed: `quantity` base may be sent now (round it down to the lot; the rest is another leg). Wait: ask
    again at `until_ms` of exchange time.
    """

    answer: Answer
    quantity: Decimal = ZERO
    code: str = ""
    message: str = ""
    until_ms: int = 0


class Hold(msgspec.Struct, frozen=True, gc=False):
    """A condition found elsewhere that forbids new exposure, such as ClockSkew or BalanceShortfall.

    An empty `market` means the whole account. `waits`: it is about to be known, so orders wait for it
    instead of being denied."""

    code: str
    message: str
    market: str = ""
    waits: bool = False


class View(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that the checks look at, as of one instant of exchange time.

    `state`: the one effective for the proposal's market. `marks`: mid price of the newest quote per
    market. `fresh`: markets whose data monitoring calls fresh. `costs`: what the ledger's
    positions cost, per market. `last_losses_ms`: market to its last losing exit. `sent_ms`: times of the
    orders of the last minute, oldest first. `resting`: own orders that are or may be open; `listed`: all
    that are or may be in the proposal's market, protection and those of others on the same exchange account
    too; `listable`: how many the exchange allows there, 0 if it has told no limit; `stops` and `stoppable`
    likewise, of those that wait for a trigger.
    `free_balance`: of capital.currency in the wallet, None if unknown. `first`: a live account that never
    sent an order.
    """

    spec: TradingAccountSpec
    now_ms: int
    state: Effective
    exposure: Exposure
    marks: Mapping[str, Decimal]
    fresh: Collection[str]
    valuation: Valuation
    losses: LossState
    costs: Mapping[str, Decimal] = {}
    last_losses_ms: Mapping[str, int] = {}
    sent_ms: Sequence[int] = ()
    resting: int = 0
    listed: int = 0
    listable: int = 0
    stops: int = 0
    stoppable: int = 0
    free_balance: Decimal | None = None
    holds: tuple[Hold, ...] = ()
    first: bool = False

    def of(self, market: str) -> MarketExposure:
        return self.exposure.of(market)

    def after(self, proposal: Proposal) -> Exposure:
        """The exposure as if the order were out."""
        return self.exposure.with_order(proposal.market, proposal.side, proposal.quantity, proposal.price)
