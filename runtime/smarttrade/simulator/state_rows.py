"""The shapes in which the exchange's state is kept: numbers in units, times in ms."""

from typing import Any

import msgspec

from smarttrade.matching import Execution, Order, OrderList, PreventedMatch
from smarttrade.simulator.users import User
from smarttrade.simulator.venue import Venue

ORDER_FIELDS = (
    "id",
    "list_id",
    "side",
    "price",
    "open",
    "hidden",
    "display",
    "quantity",
    "filled",
    "prevented",
    "prevented_id",
    "quote_filled",
    "quote_quantity",
    "stop_price",
    "triggered",
    "client_order_id",
    "cancel_id",
    "locked",
    "fee_locked",
    "created_ms",
    "updated_ms",
    "working_ms",
)


class ExchangeRow(msgspec.Struct):
    next_order_id: int
    next_list_id: int
    next_prevented_id: int
    next_trade_ids: dict[str, int]
    sequence: int
    world: dict[str, int]
    fees: dict[str, int]


class UserRow(msgspec.Struct):
    """One user with key and balances."""

    name: str
    key: str
    secret: str
    public_key: str
    maker_fee: str
    taker_fee: str
    fee_asset: str
    free: dict[str, int]
    locked: dict[str, int]


class OrderRow(msgspec.Struct):
    """One order; `symbol` as BASE/QUOTE."""

    symbol: str
    type: str
    time_in_force: str
    status: str
    self_trade_prevention: str
    fields: dict[str, Any]


class FillRow(msgspec.Struct):
    order_id: int
    trade_id: int
    time_ms: int
    status: str
    filled: int
    quote_filled: int
    price: int
    quantity: int
    quote_quantity: int
    commission: int
    commission_asset: str | None
    is_maker: bool
    sequence: int


class ListRow(msgspec.Struct):
    """`orders` and `waiting` are order ids."""

    id: int
    client_list_id: str
    created_ms: int
    contingency: str
    orders: list[int]
    waiting: list[int]
    is_decided: bool
    is_done: bool


class PreventedRow(msgspec.Struct):
    """`taker` and `maker` are order ids."""

    id: int
    time_ms: int
    taker: int
    maker: int
    price: int
    taker_quantity: int
    maker_quantity: int


def build_exchange(venue: Venue) -> ExchangeRow:
    engine = venue.engine
    return ExchangeRow(
        next_order_id=engine.next_order_id,
        next_list_id=engine.next_list_id,
        next_prevented_id=engine.next_prevented_id,
        next_trade_ids={symbol: state.next_trade_id for symbol, state in engine.markets.items()},
        sequence=engine.sequence,
        world=engine.world.free,
        fees=engine.house.free,
    )


def build_user_row(user: User) -> UserRow:
    fees = user.account.fees
    return UserRow(
        name=user.name,
        key=user.key,
        secret=user.config.secret,
        public_key=user.config.public_key,
        maker_fee=str(fees.maker),
        taker_fee=str(fees.taker),
        fee_asset=fees.asset,
        free=user.account.free,
        locked=user.account.locked,
    )


def build_order(order: Order) -> OrderRow:
    return OrderRow(
        order.market.symbol,
        order.type.value,
        order.time_in_force.value,
        order.status.value,
        order.self_trade_prevention.value,
        {name: getattr(order, name) for name in ORDER_FIELDS},
    )


def build_fill(fill: Execution) -> FillRow:
    return FillRow(
        order_id=fill.order.id,
        trade_id=fill.trade_id,
        time_ms=fill.time_ms,
        status=fill.status.value,
        filled=fill.filled,
        quote_filled=fill.quote_filled,
        price=fill.price,
        quantity=fill.quantity,
        quote_quantity=fill.quote_quantity,
        commission=fill.commission,
        commission_asset=fill.commission_asset,
        is_maker=fill.is_maker,
        sequence=fill.sequence,
    )


def build_prevented(row: PreventedMatch) -> PreventedRow:
    return PreventedRow(
        row.id, row.time_ms, row.taker.id, row.maker.id, row.price, row.taker_quantity, row.maker_quantity
    )


def build_list(order_list: OrderList) -> ListRow:
    return ListRow(
        id=order_list.id,
        client_list_id=order_list.client_list_id,
        created_ms=order_list.created_ms,
        contingency=order_list.contingency.value,
        orders=[order.id for order in order_list.orders],
        waiting=[order.id for order in order_list.waiting],
        is_decided=order_list.is_decided,
        is_done=order_list.is_done,
    )
