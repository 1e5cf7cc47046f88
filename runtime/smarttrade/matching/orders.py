"""Orders as the engine keeps them, and the requests they come from.

`Order` is mutable and slotted because the book changes it on every fill; whoever needs a picture of one
moment takes it from the `Execution` event. Side is +1 for buy and -1 for sell so that one
formula serves both.
"""

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from smarttrade.matching.ledger import Account
    from smarttrade.matching.market import Market

BUY: Final = 1
SELL: Final = -1
SIDE_NAMES: Final = {BUY: "BUY", SELL: "SELL"}


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"


STOP_TYPES: Final = frozenset(
    (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)
)
PRICED_TYPES: Final = frozenset(
    (OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT)
)
TIMED_TYPES: Final = PRICED_TYPES - {OrderType.LIMIT_MAKER}


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class Status(StrEnum):
    """PENDING_NEW waits for another order to fill; REJECTED waited, and then could not be placed."""

    NEW = "NEW"
    PENDING_NEW = "PENDING_NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"
    REJECTED = "REJECTED"


OPEN_STATUSES: Final = frozenset((Status.NEW, Status.PENDING_NEW, Status.PARTIALLY_FILLED))


class SelfTradePrevention(StrEnum):
    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"
    DECREMENT = "DECREMENT"


class OrderRequest(msgspec.Struct, frozen=True, gc=False):
    """What a user asks for; prices in quote, quantities in base, `quote_quantity` in quote.

    `iceberg_quantity` is how much of a limit order the book shows at a time.
    """

    symbol: str
    side: int
    type: OrderType
    client_order_id: str
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.NONE
    iceberg_quantity: Decimal | None = None


class Resting:
    """What the book knows of an order: side (+1 buys, -1 sells), price and the quantity that rests.

    `open` is shown; `hidden` follows behind the queue in slices of `display`. Recorded liquidity is nothing
    more than this; `account` is then None.
    """

    __slots__ = ("account", "display", "hidden", "id", "open", "price", "side")

    def __init__(
        self, order_id: int, account: "Account | None", side: int, price: int, quantity: int
    ) -> None:
        self.id = order_id
        self.account = account
        self.side = side
        self.price = price
        self.open = quantity
        self.hidden = 0
        self.display = 0


class Order(Resting):
    """A user's order. `open + hidden` rests in the book; `remaining` is what is left of the order.

    `prevented` is what self-trade prevention took from it, `prevented_id` the last match that it kept from
    happening, `cancel_id` the client's own id of the cancel that ended it, `former_id` its client order
    id before it was amended.
    """

    account: "Account"

    __slots__ = (
        "cancel_id",
        "client_order_id",
        "created_ms",
        "fee_locked",
        "filled",
        "former_id",
        "list_id",
        "locked",
        "market",
        "prevented",
        "prevented_id",
        "quantity",
        "quote_filled",
        "quote_quantity",
        "self_trade_prevention",
        "status",
        "stop_price",
        "time_in_force",
        "triggered",
        "type",
        "updated_ms",
        "working_ms",
    )

    def __init__(
        self,
        order_id: int,
        account: "Account",
        market: "Market",
        side: int,
        price: int,
        quantity: int,
        kind: OrderType = OrderType.LIMIT,
        time_in_force: TimeInForce = TimeInForce.GTC,
        client_order_id: str = "",
        now_ms: int = 0,
    ) -> None:
        super().__init__(order_id, account, side, price, 0)
        self.market = market
        self.quantity = quantity
        self.filled = 0
        self.prevented = 0
        self.prevented_id = -1
        self.quote_filled = 0
        self.quote_quantity = 0
        self.stop_price = 0
        self.triggered = False
        self.type = kind
        self.time_in_force = time_in_force
        self.client_order_id = client_order_id
        self.cancel_id = ""
        self.former_id = ""
        self.status = Status.NEW
        self.self_trade_prevention = SelfTradePrevention.NONE
        self.locked = 0
        self.fee_locked = 0
        self.list_id = -1
        self.created_ms = now_ms
        self.updated_ms = now_ms
        self.working_ms = now_ms

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled - self.prevented

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def is_working(self) -> bool:
        """Whether it takes part in the market: neither a stop that waits nor an order that is pending."""
        return self.status is not Status.PENDING_NEW and (self.type not in STOP_TYPES or self.triggered)

    @property
    def lock_asset(self) -> str:
        return self.market.quote if self.side == BUY else self.market.base
