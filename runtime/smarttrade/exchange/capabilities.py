"""What each exchange can do for an order that must be neither lost nor doubled.

ccxt's `has` and `features` do not say how a deadline is enforced, which refusals are certain, or how long
an order may still surface. Each row is marked by how it is known: Verified was tried against a server that
enforces it, Documented is the exchange's own word. Live on a Documented row needs the object's opt-in.

The hold is the time after an order's deadline during which it may still surface inside the exchange;
Binance answers -1007 ("execution status unknown") after 10 s. The simulator has no queue of that kind, so its
hold is short; chaos tests run with Binance's too. How fast we may ask is paced by each row's own rate.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from smarttrade.errors import ConfigurationError
from smarttrade.exchange.weights import BINANCE, BINANCE_ORDERS, OrderLimit, Question

DEADLINE_MISSED = "DeadlineMissed"
WOULD_MATCH = "WouldMatch"
WOULD_TRIGGER = "WouldTrigger"
SIMULATOR = "Simulator"
_SIMULATOR_HOLD_MS = 2_000
_SIMULATOR_RATE = 2_000.0


class Deadline(StrEnum):
    """How the exchange is told until when it may accept an order."""

    TIMESTAMP_WINDOW = "TimestampWindow"
    PARAMETER = "Parameter"
    HEADER = "Header"
    SIGNED_TIME = "SignedTime"
    NONE = "None"


class Lookup(StrEnum):
    """How an order is found by its client id: asked for, whether open or ended; asked for while it is open,
    and looked for among the ended ones; looked for in both lists."""

    FETCH_ORDER = "FetchOrder"
    WHILE_OPEN = "WhileOpen"
    ORDER_LISTS = "OrderLists"


class Evidence(StrEnum):
    VERIFIED = "Verified"
    DOCUMENTED = "Documented"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One exchange. `codes`: its code, or `code|words`, to ours; an empty meaning says: proves nothing.
    `unknown_order_codes` are written in the same way. `ended_orders` are ccxt's methods that together list
    every order that has ended, those among them that were cancelled after a part had filled;
    `trades_parameter` asks for the trades of one order, by its id there.

    `options` are ccxt's, set so that an order makes no other request before its own. `stop_orders`: a stop
    rests there under a client id and is found, cancelled and listed like any order; `order_pairs`: two of
    which one cancels the other. Where they do not, the leader watches the price. `dead_mans_switch`: a
    count-down that cancels every order unless it is renewed. `pages_by`: the id by which the whole history
    of orders is read, where there is one.

    `deadline_name` and `window_name` are the request's or the header's own words; `pins_signature` says that
    the signature's time is the deadline's base too. `identifier_prefix` stands before our ids there.
    `test_parameters` make an order a trial; None where the exchange has none. `weight_header` tells how much
    of `weight_limit` was used this minute, `weights` what a question weighs; without them each counts one.
    `order_limits`: how many new orders an account may send; `market_orders`: how many it may have open in a
    market, where the market itself does not tell.
    """

    exchange: str
    deadline: Deadline
    deadline_name: str = ""
    window_name: str = ""
    pins_signature: bool = False
    lookup: Lookup = Lookup.FETCH_ORDER
    lookup_parameter: str = "clientOrderId"
    identifier_length: int = 32
    identifier_prefix: str = ""
    codes: dict[str, str] = field(default_factory=dict)
    unknown_order_codes: frozenset[str] = frozenset()
    ended_orders: tuple[str, ...] = ("fetch_closed_orders",)
    trades_parameter: str = "orderId"
    credential_codes: frozenset[str] = frozenset()
    options: dict[str, Any] = field(default_factory=dict)
    test_parameters: dict[str, Any] | None = None
    stop_orders: bool = False
    order_pairs: bool = False
    amends: bool = False
    dead_mans_switch: bool = False
    pages_by: str = ""
    window_ms: int = 800
    settle_ms: int = 500
    hold_ms: int = 10_000
    requests_per_s: float = 40.0
    burst: float = 80.0
    weight_header: str = ""
    weight_limit: int = 0
    weights: dict[Question, int] = field(default_factory=dict)
    order_limits: tuple[OrderLimit, ...] = ()
    market_orders: int = 0
    evidence: Evidence = Evidence.DOCUMENTED


_BINANCE = Capability(
    exchange="binance",
    deadline=Deadline.TIMESTAMP_WINDOW,
    deadline_name="timestamp",
    window_name="recvWindow",
    identifier_length=36,
    codes={
        "-1021": DEADLINE_MISSED,
        "-2010|insufficient balance": "InsufficientBalance",
        "-2010|immediately match": WOULD_MATCH,
        "-2010|trigger immediately": WOULD_TRIGGER,
        "-2010|relationship of the prices": "PricesCrossed",
        "-2010|duplicate order": "",
        "-2010": "VenueRejected",
        "|account has insufficient balance for requested action": "InsufficientBalance",
        "|order would immediately match and take": WOULD_MATCH,
        "|stop price would trigger immediately": WOULD_TRIGGER,
        "-1013|market is closed": "MarketClosed",
        "|market is closed": "MarketClosed",
        "-1013": "FilterFailure",
        "-1015": "TooManyOrders",
        "-1111": "BadPrecision",
        "-1121": "BadSymbol",
        "-1022": "BadSignature",
        "-1100": "BadParameter",
        "-1102": "BadParameter",
        "-1104": "BadParameter",
        "-1106": "BadParameter",
        "-1116": "BadParameter",
        "-2014": "CredentialsRefused",
        "-2015": "CredentialsRefused",
    },
    unknown_order_codes=frozenset({"-2013", "-2011"}),
    credential_codes=frozenset({"-2014", "-2015", "-1022", "-2008"}),
    test_parameters={"test": True},
    stop_orders=True,
    order_pairs=True,
    amends=True,
    pages_by="orderId",
    weight_header="x-mbx-used-weight-1m",
    weight_limit=6_000,
    weights=BINANCE,
    order_limits=BINANCE_ORDERS,
    evidence=Evidence.VERIFIED,
)

CAPABILITIES: dict[str, Capability] = {
    row.exchange: row
    for row in (
        _BINANCE,
        Capability(
            exchange="bybit",
            deadline=Deadline.SIGNED_TIME,
            window_name="recvWindow",
            pins_signature=True,
            lookup=Lookup.ORDER_LISTS,
            lookup_parameter="orderLinkId",
            identifier_length=36,
            codes={
                "10002": DEADLINE_MISSED,
                "170131": "InsufficientBalance",
                "170140": "FilterFailure",
                "170136": "FilterFailure",
                "170124": "FilterFailure",
                "170137": "BadPrecision",
                "170134": "BadPrecision",
                "170121": "BadSymbol",
                "170141": "",
            },
            options={"enableUnifiedMargin": False, "enableUnifiedAccount": True},
            unknown_order_codes=frozenset({"170213", "110001"}),
            ended_orders=("fetch_canceled_and_closed_orders",),
            credential_codes=frozenset({"10003", "10004", "10005"}),
        ),
        Capability(
            exchange="okx",
            deadline=Deadline.HEADER,
            deadline_name="expTime",
            trades_parameter="ordId",
            codes={
                "51149": "",
                "51008": "InsufficientBalance",
                "51020": "FilterFailure",
                "51121": "BadPrecision",
                "51001": "BadSymbol",
                "51174": "TooManyOrders",
                "51016": "",
            },
            unknown_order_codes=frozenset({"51603", "51400"}),
            ended_orders=("fetch_closed_orders", "fetch_canceled_orders"),
            credential_codes=frozenset({"50111", "50113", "50119"}),
            dead_mans_switch=True,
            market_orders=500,
        ),
        Capability(
            exchange="kraken",
            deadline=Deadline.PARAMETER,
            deadline_name="deadline",
            window_ms=4_000,  # it takes deadlines from 2 to 60 s ahead only
            lookup=Lookup.ORDER_LISTS,
            identifier_length=18,
            codes={
                "EService:Deadline elapsed": DEADLINE_MISSED,
                "EOrder:Insufficient funds": "InsufficientBalance",
                "EOrder:Order minimum not met": "FilterFailure",
                "EOrder:Cost minimum not met": "FilterFailure",
                "EOrder:Tick size check failed": "BadPrecision",
                "EOrder:Post only order": WOULD_MATCH,
                "EOrder:Orders limit exceeded": "TooManyOrders",
                "EQuery:Unknown asset pair": "BadSymbol",
                "EGeneral:Invalid arguments": "BadParameter",
            },
            unknown_order_codes=frozenset({"EOrder:Unknown order"}),
            credential_codes=frozenset(
                {"EAPI:Invalid key", "EAPI:Invalid signature", "EGeneral:Permission denied"}
            ),
            test_parameters={"validate": True},
            dead_mans_switch=True,
            market_orders=80,  # of a verified account; one with high limits may have 225
        ),
        Capability(
            exchange="gate",
            deadline=Deadline.HEADER,
            deadline_name="x-gate-exptime",
            lookup=Lookup.WHILE_OPEN,
            identifier_length=28,
            identifier_prefix="t-",
            trades_parameter="order_id",
            codes={
                "REQUEST_EXPIRED": DEADLINE_MISSED,
                "BALANCE_NOT_ENOUGH": "InsufficientBalance",
                "POC_FILL_IMMEDIATELY": WOULD_MATCH,
                "INVALID_PRECISION": "BadPrecision",
                "INVALID_CURRENCY_PAIR": "BadSymbol",
                "INVALID_PARAM_VALUE": "BadParameter",
            },
            options={"unifiedAccount": False},
            unknown_order_codes=frozenset({"ORDER_NOT_FOUND"}),
            credential_codes=frozenset({"INVALID_KEY", "INVALID_SIGNATURE", "FORBIDDEN"}),
        ),
        Capability(
            exchange="mexc",
            deadline=Deadline.SIGNED_TIME,
            window_name="recvWindow",
            pins_signature=True,
            identifier_length=32,
            codes={
                "700003": DEADLINE_MISSED,
                "30004": "InsufficientBalance",
                "30002": "FilterFailure",
                "30014": "BadSymbol",
            },
            test_parameters={"test": True},
            unknown_order_codes=frozenset({"-2013", "-2011"}),
            ended_orders=("fetch_orders",),
            credential_codes=frozenset({"10072", "700002", "700006"}),
        ),
        Capability(
            exchange="kucoin",
            deadline=Deadline.TIMESTAMP_WINDOW,
            deadline_name="clientTimestamp",
            window_name="allowMaxTimeWindow",
            pins_signature=True,
            identifier_length=40,
            codes={
                "400002": DEADLINE_MISSED,
                "200004": "InsufficientBalance",
                "400760": "FilterFailure",
                "900001": "BadSymbol",
            },
            options={"uta": False, "hf": True},
            test_parameters={"test": True},
            unknown_order_codes=frozenset(
                {
                    "400100|order_not_exist",
                    "400100|order not exist",
                    "400100|order does not exist",
                    "order_not_exist",
                }
            ),
            credential_codes=frozenset({"400003", "400004", "400005"}),
        ),
        Capability(
            exchange="bitget",
            deadline=Deadline.TIMESTAMP_WINDOW,
            deadline_name="requestTime",
            window_name="receiveWindow",
            identifier_length=50,
            codes={
                "40008": DEADLINE_MISSED,
                "43012": "InsufficientBalance",
                "45110": "FilterFailure",
                "40034": "BadSymbol",
            },
            options={"uta": False},
            unknown_order_codes=frozenset({"43001", "40109"}),
            ended_orders=("fetch_canceled_and_closed_orders",),
            credential_codes=frozenset({"40009", "40012", "40018"}),
        ),
    )
}


def find_capability(exchange: str, environment: str) -> Capability:
    """The row of an exchange; ConfigurationError says which there are. The simulator's holds are short."""
    row = CAPABILITIES.get(exchange)
    if row is None:
        known = ", ".join(sorted(CAPABILITIES))
        raise ConfigurationError(
            f"spec.exchange.name {exchange!r} has no row in the capability table: an order of unknown "
            f"fate could not be resolved there; there is: {known}"
        )
    if environment != SIMULATOR:
        return row
    return replace(
        row,
        hold_ms=_SIMULATOR_HOLD_MS,
        requests_per_s=_SIMULATOR_RATE,
        burst=_SIMULATOR_RATE,
        order_limits=(),
    )
