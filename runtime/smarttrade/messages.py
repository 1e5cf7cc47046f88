"""What travels between the containers of one account: versioned msgspec structs, JSON on the wire.

Money and quantities are `Decimal` and decimal strings in JSON; times are milliseconds of exchange time
unless the name says otherwise; quantities are in the base asset, notionals in the quote asset.

Compatibility: a rollout runs two versions side by side. Fields are only ever added, with a default.
A reader accepts `v <= VERSION`, ignores fields that it does not know, and refuses a newer `v` by
`decode` raising `UnknownVersionError`: the sender raises `v` only when an old reader must not guess.

Subjects are in `smarttrade.bus.subjects`.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from smarttrade.errors import BusError

VERSION = 1
# What decoding raises for a stranger's bytes: text that is none, and nesting that exhausts the stack, besides
# what msgspec itself calls wrong.
MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class UnknownVersionError(BusError):
    """A message of a newer version than this process understands."""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False, gc=False):
    """Base of every wire struct. None refers to itself, so the garbage collector need not look at them."""

    v: int = VERSION


# --- Market events: monitoring -> evaluation, execution -------------------------------------------------


class Side(StrEnum):
    BUY = "Buy"
    SELL = "Sell"


class Trade(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="trade", omit_defaults=True):
    """One public trade; `side` is the taker's. `outlier`: its price is far from those before it, see
    monitoring.outliers; it counts all the same."""

    market: str
    id: str
    price: Decimal
    quantity: Decimal
    side: Side
    time_ms: int
    outlier: bool = False


class Quote(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="quote", omit_defaults=True):
    """Best bid and ask. `update_id` grows; 0 where the exchange has none. `outlier`: as of a trade, of the
    middle."""

    market: str
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    time_ms: int
    update_id: int = 0
    outlier: bool = False


BOOK_LEVELS = (5, 10, 20)
"""How many levels of an order book can be asked for."""


class Book(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="book"):
    """The best levels of the order book, best first, each `(price, quantity)`. `update_id` grows; 0 where
    the exchange has none."""

    market: str
    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]
    time_ms: int
    update_id: int = 0


class Candle(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="candle"):
    """One candle. Decisions are made on `final` ones; the others show the running interval. A `correction`
    is what the exchange says later of one that was final already."""

    market: str
    timeframe: str
    open_ms: int
    close_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    final: bool
    correction: bool = False


class Verdict(StrEnum):
    """What monitoring says of one stream. Silence alone is not Stale: see TRADING semantics."""

    FRESH = "Fresh"
    STALE = "Stale"
    BACKFILLING = "Backfilling"
    BROKEN = "Broken"


class StreamStatus(msgspec.Struct, frozen=True, kw_only=True, tag="status"):
    """The verdict on one stream of one market, sent on change and once a second."""

    market: str
    stream: str
    verdict: Verdict
    since_ms: int
    reason: str = ""


class StrategyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The modules of a user's own strategy, as one generation took them out of a ConfigMap, or the image that
    has them. `origin` is the ConfigMap's name, `digest` that of what is packed (see `smarttrade.source`); or
    the image and its digest, and then nothing is packed."""

    origin: str = msgspec.field(name="config_map")
    digest: str
    packed: bytes

    @property
    def name(self) -> str:
        """What decisions carry and the status shows."""
        return f"{self.origin.partition('@')[0][-200:]}@{self.digest[:12]}"


class ControlChange(msgspec.Struct, frozen=True, kw_only=True, tag="control"):
    """The account's specification as of `generation`, placed into the event stream at one point; `strategy`
    as in AccountControl."""

    generation: int
    spec: dict[str, Any]
    strategy: StrategyVersion | None = None


MarketEvent = Trade | Quote | Book | Candle | StreamStatus | ControlChange


class MarketBatch(Message, frozen=True, kw_only=True, tag="market"):
    """Events of one kind, in order. `feed` names one run of one monitoring process; `seq` counts the
    batches of that feed over all kinds, so that a reader of all kinds can prove that it missed none."""

    feed: str
    seq: int
    events: list[MarketEvent]


# --- Decisions: evaluation -> execution -----------------------------------------------------------------


class OrderStyle(StrEnum):
    MARKETABLE = "Marketable"
    PASSIVE = "Passive"


class Target(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="target"):
    """The position that the strategy wants, in the base asset, until `valid_until_ms`.

    `stop_loss` and `take_profit` are prices, `trailing_stop` a share of the price: what is held is sold at
    whichever comes first. They hold until a later decision of the market has been carried out.
    """

    quantity: Decimal
    valid_until_ms: int
    style: OrderStyle = OrderStyle.MARKETABLE
    limit: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_stop: Decimal | None = None


class RestingOrder(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    side: Side
    price: Decimal
    quantity: Decimal


class RestingOrders(msgspec.Struct, frozen=True, kw_only=True, tag="resting"):
    """The whole set of orders that shall rest in the market; the newest set wins."""

    orders: list[RestingOrder]
    valid_until_ms: int


MEMORY_LIMIT = 16_384
"""Characters of what a strategy remembers."""

TEXT_LIMIT, ORDERS_LIMIT = 256, 200
"""Characters of any other text of a decision; resting orders of one."""
NUMBER_LIMIT = 82
"""Characters of a decision's number: 15 before its point, 64 behind it, sign, point and a zero."""


class Decision(Message, frozen=True, kw_only=True, tag="decision"):
    """What a strategy wants for one market, because of one event.

    Decisions of one (strategy, market) are ordered by `(event_time_ms, event_ordinal, index)`; execution
    refuses anything at or below the highest it has logged. `event_key` is a trade id, `TIMEFRAME:OPEN_MS`,
    a quote's update id, or `timer:NAME:EVENT_TIME`; `event_ordinal` is its numeric part where events of
    one millisecond must be told apart (trade id, update id), else 0.

    `memory` is what the strategy remembers by then, at most MEMORY_LIMIT characters that only the account's
    evaluations read; the account's log keeps the newest. Empty: nothing is said about it.

    `version` names the StrategyVersion that decided; empty for a built-in strategy.
    """

    id: str
    strategy: str
    market: str
    event_key: str
    event_time_ms: int
    event_ordinal: int
    index: int
    generation: int
    want: Target | RestingOrders
    reason: str = ""
    memory: str = ""
    version: str = ""

    @property
    def order_key(self) -> tuple[int, int, int]:
        return (self.event_time_ms, self.event_ordinal, self.index)


class Answer(StrEnum):
    """The immediate reply to a decision; its one final outcome is logged and published later."""

    ACCEPTED = "Accepted"
    SUPERSEDED = "Superseded"
    DENIED = "Denied"


class DecisionReply(Message, frozen=True, kw_only=True, tag="decision_reply"):
    id: str
    answer: Answer
    code: str = ""
    message: str = ""


class Outcome(StrEnum):
    """How a decision ended. Every decision that was logged ends in exactly one of these."""

    REACHED = "Reached"
    SUPERSEDED = "Superseded"
    EXPIRED = "Expired"
    DENIED = "Denied"
    REJECTED = "Rejected"
    PARKED = "Parked"


class DecisionOutcome(Message, frozen=True, kw_only=True, tag="decision_outcome"):
    id: str
    market: str
    outcome: Outcome
    code: str = ""
    message: str = ""
    time_ms: int


# --- Fills and positions: execution -> evaluation -------------------------------------------------------


class Fill(Message, frozen=True, kw_only=True, tag="fill"):
    """One execution of one own order. `fee` is positive when paid, in `fee_asset`."""

    market: str
    trade_id: str
    order_id: str
    client_order_id: str
    decision_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    time_ms: int


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger's position in one market: signed base quantity at average cost in the quote asset.

    `opened_ms` is when what is held now began to be bought; 0 where it was not bought."""

    market: str
    quantity: Decimal
    average_price: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    opened_ms: int = 0


class EffectiveState(StrEnum):
    """Ordered from free to closed: the most restrictive of all sources holds."""

    ACTIVE = "Active"
    REDUCE_ONLY = "ReduceOnly"
    PAUSED = "Paused"
    FLATTEN = "Flatten"
    HALTED = "Halted"


class AccountView(Message, frozen=True, kw_only=True, tag="account_view"):
    """What execution tells the evaluation of its own pod: on every change, and once a second.

    `memory` is that of the newest decision in the account's log."""

    leading: bool
    epoch: int
    effective_state: EffectiveState
    currency: str
    equity: Decimal
    available: Decimal
    positions: list[Position]
    time_ms: int
    memory: str = ""


# --- Services of monitoring: evaluation -> monitoring ---------------------------------------------------


class HistoryRequest(Message, frozen=True, kw_only=True, tag="history"):
    """The last `count` final candles of one market and timeframe, oldest first; with `before_ms`, of those
    that open before it, so that a long history is read in pages that fit a message."""

    market: str
    timeframe: str
    count: int
    before_ms: int = 0


class DescribeRequest(Message, frozen=True, kw_only=True, tag="describe"):
    """What is the specification, and where does the live stream stand?"""


class EvaluationStatus(Message, frozen=True, kw_only=True, tag="evaluation_status"):
    """Evaluation's heartbeat, once a second: monitoring exports and reports it on its behalf, and watches
    the order book to `book_levels` on each side, 0 for not at all.

    `version` is the StrategyVersion that runs; `refused` is a generation that cannot be run, 0 for none: then
    `generation` is the one that runs on, and `error` says why."""

    pod: str
    generation: int
    ready: bool
    leading: bool
    decisions: int
    divergences: int
    error: str = ""
    book_levels: int = 0
    events: int = 0
    accepted: int = 0
    denied: int = 0
    unanswered: int = 0
    gaps: int = 0
    version: str = ""
    refused: int = 0
    lost_batches: int = 0


class MissedRequest(Message, frozen=True, kw_only=True, tag="missed_request"):
    """The batches `first` to `last` of a feed, which did not arrive."""

    feed: str
    first: int
    last: int


ServiceRequest = HistoryRequest | DescribeRequest | EvaluationStatus | MissedRequest


# --- Between the monitorings of one account -------------------------------------------------------------


class PeerTradesRequest(Message, frozen=True, kw_only=True, tag="peer_trades_request"):
    """Who has the trades of one market with the ids `first` to `last`, all of which `pod` missed?"""

    pod: str
    market: str
    first: int
    last: int


class PeerTrades(Message, frozen=True, kw_only=True, tag="peer_trades"):
    """All of them, in order. Who lacks one does not answer."""

    trades: list[Trade]


class HistoryReply(Message, frozen=True, kw_only=True, tag="history_reply"):
    candles: list[Candle]
    error: str = ""


class MissedReply(Message, frozen=True, kw_only=True, tag="missed_reply"):
    """The first of them in order, as many as fit a message; none where the first is not kept any more."""

    batches: list[MarketBatch]


class DescribeReply(Message, frozen=True, kw_only=True, tag="describe_reply"):
    """`generation` 0 and an empty spec mean that monitoring has not yet read the control value."""

    generation: int
    spec: dict[str, Any]
    feed: str
    seq: int
    strategy: StrategyVersion | None = None


# --- Control: operator -> monitoring, execution ---------------------------------------------------------


class AccountControl(Message, frozen=True, kw_only=True, tag="account_control"):
    """The whole specification (camelCase, defaults filled in) as one last-value message.

    `cleared` are fingerprints of exchange accounts that the operator found with no other TradingAccount;
    `shared` names, for the user, the earlier one that uses the same; see `ExecutionReport.fingerprints`.
    `strategy` are the modules of a strategy of the user's own, or its image; None while there is no ConfigMap
    of that name.
    """

    generation: int
    spec: dict[str, Any]
    deleting: bool = False
    kill: bool = False
    written_ms: int = 0
    cleared: tuple[str, ...] = ()
    shared: str = ""
    strategy: StrategyVersion | None = None


# --- Reports: monitoring, execution -> operator ---------------------------------------------------------


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict that becomes a condition: type as in the object's status, CamelCase reason."""

    type: str
    ok: bool
    reason: str
    message: str = ""


class ExecutionReport(Message, frozen=True, kw_only=True, tag="execution_report"):
    """Execution's own view; numbers hold as of `as_of_ms`. Sent on change and every 5 s as a heartbeat.

    `fingerprints` are keyed marks of API key and exchange account: two accounts with one in common share it.
    """

    pod: str
    generation: int
    leading: bool
    epoch: int
    effective_state: EffectiveState
    equity: Decimal | None
    realized_pnl: Decimal | None
    unrealized_pnl: Decimal | None
    open_orders: int
    unknown_orders: int
    fills: int
    positions: list[Position]
    checks: list[Check]
    as_of_ms: int
    breach_id: str = ""
    breach_reason: str = ""
    breach_time_ms: int = 0
    fingerprints: tuple[str, ...] = ()


class MonitoringReport(Message, frozen=True, kw_only=True, tag="monitoring_report"):
    """Monitoring's view of the data, and evaluation's heartbeat passed on."""

    pod: str
    generation: int
    checks: list[Check]
    evaluation: EvaluationStatus | None
    as_of_ms: int


Report = ExecutionReport | MonitoringReport

_encoder = msgspec.json.Encoder(decimal_format="string")
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}

T = TypeVar("T")


def encode(message: Any) -> bytes:
    """JSON with decimals as strings."""
    return _encoder.encode(message)


def decode(payload: bytes, kind: type[T] | Any) -> T:
    """Read one struct (or tagged union); BusError says what is malformed, UnknownVersionError what is new."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        message: T = decoder.decode(payload)
    except MALFORMED as error:
        raise BusError(f"malformed message for {kind}: {error}") from error
    version = getattr(message, "v", VERSION)
    if version > VERSION:
        raise UnknownVersionError(f"message version {version} is newer than {VERSION}: upgrade this process")
    return message
