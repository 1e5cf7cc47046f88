"""What the core is told and what it asks for, as plain data.

`service` turns the world into inputs and performs effects; the simulation of the tests does the same on
virtual time. Effects of one call are performed in order, except that a later one never waits for the
network answer of an earlier one.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from smarttrade.api import TradingAccountSpec
from smarttrade.exchange.reports import Balance, MarketFilters, OrderKind, OrderReport, TradeReport
from smarttrade.execution.commands_wire import Answer, AnyCommand
from smarttrade.execution.records import Batch, HaltOrdered
from smarttrade.execution.snapshot import Snapshot
from smarttrade.execution.view import Hold
from smarttrade.messages import (
    AccountView,
    Decision,
    DecisionOutcome,
    DecisionReply,
    ExecutionReport,
    Fill,
    Quote,
    Side,
)

# --- Inputs ---------------------------------------------------------------------------------------------


class _Input(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    pass


class ControlRead(_Input, frozen=True, kw_only=True):
    """The account's specification as of a generation; `refusal` says why it cannot be traded on."""

    generation: int
    spec: TradingAccountSpec
    deleting: bool = False
    kill: bool = False
    refusal: str = ""
    cleared: tuple[str, ...] = ()
    shared: str = ""


class SnapshotRead(_Input, frozen=True, kw_only=True):
    """The newest snapshot, read before the log's tail."""

    snapshot: Snapshot


class LogRead(_Input, frozen=True, kw_only=True):
    """A batch from the log, or the last one again, to see that it is the same log. `live`: read to follow it,
    so its news are passed on."""

    sequence: int
    batch: Batch
    live: bool = False


class LogMissing(_Input, frozen=True, kw_only=True):
    """The log has nothing at or behind the last batch that was read: it lost its end."""


class LogCaughtUp(_Input, frozen=True, kw_only=True):
    """Snapshot and log were read to their end: from here on the book is the account's, not a part of it."""


class LeaseGained(_Input, frozen=True, kw_only=True):
    """The lease is ours until `until_ms` (monotonic, self-fence subtracted); the log was read to its end."""

    until_ms: float


class LeaseRenewed(_Input, frozen=True, kw_only=True):
    until_ms: float


class LeaseLost(_Input, frozen=True, kw_only=True):
    reason: str


class Appended(_Input, frozen=True, kw_only=True):
    """The batch in flight is durable."""

    sequence: int


class AppendFailed(_Input, frozen=True, kw_only=True):
    """The batch in flight was refused, or its fate could not be found out: the lead is over."""

    reason: str


class DecisionReceived(_Input, frozen=True, kw_only=True):
    """`token` comes back in the Reply; 0 for a decision that nobody waits for."""

    decision: Decision
    token: int = 0


class QuoteSeen(_Input, frozen=True, kw_only=True):
    quote: Quote


class StreamSeen(_Input, frozen=True, kw_only=True):
    """Monitoring's verdict on a market's data."""

    market: str
    fresh: bool


class FiltersRead(_Input, frozen=True, kw_only=True):
    filters: tuple[MarketFilters, ...]


class SendSucceeded(_Input, frozen=True, kw_only=True):
    cid: str
    report: OrderReport


class SendRejected(_Input, frozen=True, kw_only=True):
    """The exchange refused, and certainly has no such order."""

    cid: str
    code: str
    message: str


class SendUncertain(_Input, frozen=True, kw_only=True):
    """Anything else than an acceptance or a certain refusal."""

    cid: str
    reason: str


class SendWithheld(_Input, frozen=True, kw_only=True):
    """The order did not leave: the lease or the deadline had run out at the last check."""

    cid: str


class QueryAnswered(_Input, frozen=True, kw_only=True):
    """`report` None: the exchange says that it knows no such order. `asked_ms` is when the query left."""

    cid: str
    report: OrderReport | None
    asked_ms: float


class QueryFailed(_Input, frozen=True, kw_only=True):
    cid: str
    reason: str


class CancelFailed(_Input, frozen=True, kw_only=True):
    """The cancel was refused or its fate is unknown; `gone`: the exchange has nothing to cancel."""

    cid: str
    gone: bool
    reason: str


class AmendFailed(_Input, frozen=True, kw_only=True):
    """The exchange refused to lower an order's quantity, or did not answer."""

    cid: str
    reason: str


class OrderSeen(_Input, frozen=True, kw_only=True):
    """An order report from the user stream, or the answer to a cancel or an amendment."""

    report: OrderReport


class TradesSeen(_Input, frozen=True, kw_only=True):
    """Trades, joined to own orders by order id."""

    trades: tuple[TradeReport, ...]


class PriceRead(_Input, frozen=True, kw_only=True):
    """What one of an asset is worth in the account's currency; None, with the reason, if nobody tells."""

    asset: str
    price: Decimal | None
    reason: str = ""


class AccountRead(_Input, frozen=True, kw_only=True):
    """The exchange's view at reconciliation: open orders, recent trades, wallet."""

    orders: tuple[OrderReport, ...]
    trades: tuple[TradeReport, ...]
    balances: tuple[Balance, ...]
    asked_ms: float


class HistoryRead(_Input, frozen=True, kw_only=True):
    """All that the exchange keeps of the account's orders, ended ones too, and of its trades; `asked_ms` is
    when the first question left."""

    orders: tuple[OrderReport, ...]
    trades: tuple[TradeReport, ...]
    asked_ms: float


class HistoryReadFailed(_Input, frozen=True, kw_only=True):
    reason: str


class AccountReadFailed(_Input, frozen=True, kw_only=True):
    reason: str
    credentials: bool = False


class SwitchAnswered(_Input, frozen=True, kw_only=True):
    """The dead man's switch was set to `timeout_ms`, 0 for disarmed; `failure`: why that is not known."""

    timeout_ms: int
    failure: str = ""


class ClockSampled(_Input, frozen=True, kw_only=True):
    sent_ms: float
    received_ms: float
    exchange_ms: float


class StreamBroke(_Input, frozen=True, kw_only=True):
    """The user stream was away: something may have been missed."""


class BusDisconnected(_Input, frozen=True, kw_only=True):
    pass


class BusReconnected(_Input, frozen=True, kw_only=True):
    pass


class Draining(_Input, frozen=True, kw_only=True):
    """SIGTERM: settle what is in flight, then hand over."""


class PeersUnhealthy(_Input, frozen=True, kw_only=True):
    """This pod's monitoring or evaluation is silent, or the exchange unreachable from here."""

    reason: str


class MarketsRefused(_Input, frozen=True, kw_only=True):
    """The exchange does not have a market that the account shall trade; the filters known before stay."""

    reason: str


class PreflightRead(_Input, frozen=True, kw_only=True):
    """What the exchange's answers have against trading; empty: it passed."""

    findings: tuple[Hold, ...]
    fingerprints: tuple[str, ...] = ()


class CommandReceived(_Input, frozen=True, kw_only=True):
    """A person's command; `token` comes back in the CommandAnswered."""

    command: AnyCommand
    token: int


class HaltHeard(_Input, frozen=True, kw_only=True):
    """Another pod of the account was told to halt, and wants it in the log; it may not be there yet."""

    halt: HaltOrdered


class Tick(_Input, frozen=True, kw_only=True):
    """Time has passed: sent at the time that the last SetTimer named, and at least once a second."""


Input = (
    ControlRead
    | SnapshotRead
    | LogRead
    | LogMissing
    | LogCaughtUp
    | LeaseGained
    | LeaseRenewed
    | LeaseLost
    | Appended
    | AppendFailed
    | DecisionReceived
    | QuoteSeen
    | StreamSeen
    | FiltersRead
    | SendSucceeded
    | SendRejected
    | SendUncertain
    | SendWithheld
    | QueryAnswered
    | QueryFailed
    | CancelFailed
    | AmendFailed
    | OrderSeen
    | TradesSeen
    | PriceRead
    | AccountRead
    | HistoryRead
    | HistoryReadFailed
    | AccountReadFailed
    | SwitchAnswered
    | ClockSampled
    | StreamBroke
    | BusDisconnected
    | BusReconnected
    | Draining
    | PeersUnhealthy
    | MarketsRefused
    | PreflightRead
    | CommandReceived
    | HaltHeard
    | Tick
)

# --- Effects --------------------------------------------------------------------------------------------


class _Effect(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    pass


class Append(_Effect, frozen=True, kw_only=True):
    """Compare-and-swap append; answered by Appended or AppendFailed. At most one is in flight."""

    batch: Batch
    after: int
    message_id: str


class Fence(_Effect, frozen=True, kw_only=True):
    """Append beside the leader, so that its own next append fails; what became of it is read in the log."""

    batch: Batch
    after: int
    message_id: str


class Send(_Effect, frozen=True, kw_only=True):
    """Place an order, unless the lease or the deadline has run out when it is about to leave.

    `deadline_ms` is the exchange time T that the request carries, `window_ms` how long after T the
    exchange may still accept it; `leave_by_ms` is monotonic: later it would be refused anyway.
    `decision_id` is for the operator's eyes: which decision it carries out or protects."""

    cid: str
    market: str
    side: Side
    kind: OrderKind
    price: Decimal
    quantity: Decimal
    deadline_ms: int
    window_ms: int
    leave_by_ms: float
    trigger: Decimal | None = None
    decision_id: str = ""


class SendPair(_Effect, frozen=True, kw_only=True):
    """Place two orders of which one cancels the other, in one request; answered for each of them.

    Both carry the same deadline; `limit` takes profit, `stop` ends a loss."""

    group: str
    limit: Send
    stop: Send

    @property
    def legs(self) -> tuple[Send, Send]:
        return self.limit, self.stop


class Query(_Effect, frozen=True, kw_only=True):
    """Ask for one order by its client id; it was placed after `since_ms` of the exchange's time."""

    cid: str
    market: str
    order_id: str
    since_ms: int = 0


class Cancel(_Effect, frozen=True, kw_only=True):
    """Cancel one own order by its client id."""

    cid: str
    market: str
    order_id: str


class Amend(_Effect, frozen=True, kw_only=True):
    """Lower one own order's quantity, the filled part included; it keeps its place and its client id."""

    cid: str
    market: str
    order_id: str
    quantity: Decimal


class FetchTrades(_Effect, frozen=True, kw_only=True):
    """Ask for the trades of one order."""

    market: str
    order_id: str


class ReadPrice(_Effect, frozen=True, kw_only=True):
    """Ask what one of an asset is worth in a currency."""

    asset: str
    currency: str


class ReadAccount(_Effect, frozen=True, kw_only=True):
    """Ask for open orders, wallet, and trades since an exchange time."""

    since_ms: int


class ReadHistory(_Effect, frozen=True, kw_only=True):
    """Ask for every order and trade of the account's markets that the exchange keeps."""


class ArmSwitch(_Effect, frozen=True, kw_only=True):
    """Let the exchange cancel every order unless it is told again in time; 0 disarms. Answered by
    SwitchAnswered."""

    timeout_ms: int


class MeasureClock(_Effect, frozen=True, kw_only=True):
    """Sample the exchange's clock several times."""


class FollowMarkets(_Effect, frozen=True, kw_only=True):
    """These markets are the account's from now on; of those that were `left` by the specification the
    exchange has to be asked for prices too, because monitoring does not follow them."""

    listed: tuple[str, ...]
    left: tuple[str, ...]


class RefreshFilters(_Effect, frozen=True, kw_only=True):
    """Read the markets' filters again."""


class Reply(_Effect, frozen=True, kw_only=True):
    token: int
    reply: DecisionReply


class Publish(_Effect, frozen=True, kw_only=True):
    """To the pod's own evaluation, or to the operator: the type says where it goes."""

    message: Fill | DecisionOutcome | AccountView | ExecutionReport


class CommandAnswered(_Effect, frozen=True, kw_only=True):
    """What became of a person's command."""

    token: int
    answer: Answer


class SaveSnapshot(_Effect, frozen=True, kw_only=True):
    """Store the encoded snapshot, then purge the log up to the sequence that it covers, whose batch has id
    `batch_id`: unless another batch is there, because the log was lost."""

    payload: bytes
    up_to: int
    batch_id: str


class SetTimer(_Effect, frozen=True, kw_only=True):
    """Send a Tick at this monotonic time, or earlier."""

    at_ms: float


class ReleaseLease(_Effect, frozen=True, kw_only=True):
    """Give the lead to another replica; `backoff_ms` before trying to take it again."""

    reason: str
    backoff_ms: int = 0


class Reload(_Effect, frozen=True, kw_only=True):
    """The state may be ahead of the log: build a new core, and read snapshot and log again."""

    reason: str


Effect = (
    Append
    | Fence
    | Send
    | SendPair
    | Query
    | Cancel
    | Amend
    | FetchTrades
    | ReadPrice
    | ReadAccount
    | ReadHistory
    | ArmSwitch
    | MeasureClock
    | RefreshFilters
    | FollowMarkets
    | Reply
    | Publish
    | CommandAnswered
    | SaveSnapshot
    | SetTimer
    | ReleaseLease
    | Reload
)
