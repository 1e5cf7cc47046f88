"""Balances, open orders and recent history on disk, so that a restart keeps them.

Written as one JSON file, replaced atomically, at most once a second when something has changed, and on the
way out. Orders that were open rest again in their old order; the market has moved on meanwhile, so what it
would have filled is not filled.
"""

import os
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from smarttrade.errors import ConfigurationError
from smarttrade.matching import Account, FeeSchedule, Order, OrderType, Status, TimeInForce, triggers
from smarttrade.matching.orders import STOP_TYPES, SelfTradePrevention
from smarttrade.simulator.config import UserConfig
from smarttrade.simulator.users import User, build_user
from smarttrade.simulator.venue import Venue

_SAVE_EVERY_S = 1.0
_ORDERS_KEPT = 10_000
_ORDER_FIELDS = (
    "id",
    "side",
    "price",
    "quantity",
    "filled",
    "quote_filled",
    "quote_quantity",
    "stop_price",
    "triggered",
    "client_order_id",
    "locked",
    "fee_locked",
    "created_ms",
    "updated_ms",
    "working_ms",
)


class OrderState(msgspec.Struct):
    """One order; `symbol` as BASE/QUOTE, numbers in units."""

    symbol: str
    type: str
    time_in_force: str
    status: str
    self_trade_prevention: str
    fields: dict[str, Any]


class UserState(msgspec.Struct):
    """One user with key and balances in units."""

    name: str
    key: str
    secret: str
    public_key: str
    maker_fee: str
    taker_fee: str
    fee_asset: str
    free: dict[str, int]
    locked: dict[str, int]
    orders: list[OrderState]


class ExchangeState(msgspec.Struct):
    """Everything that is kept; `version` guards the shape."""

    users: list[UserState]
    next_order_id: int
    next_trade_ids: dict[str, int]
    sequence: int
    world: dict[str, int]
    fees: dict[str, int]
    version: int = 1


class StateStore:
    """Without a directory it does nothing."""

    def __init__(self, directory: str | None, venue: Venue) -> None:
        self.path = Path(directory) / "exchange.json" if directory else None
        self.venue = venue
        self._saved_sequence = -1
        self._saved_at = 0.0

    def save_if_due(self) -> None:
        now = time.monotonic()
        changed = self.venue.engine.sequence != self._saved_sequence
        if self.path is not None and changed and now - self._saved_at >= _SAVE_EVERY_S:
            self.save()
            self._saved_at = now

    def save(self) -> None:
        if self.path is None:
            return
        temporary = self.path.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(build_state(self.venue)))
        os.replace(temporary, self.path)
        self._saved_sequence = self.venue.engine.sequence

    def restore(self) -> None:
        """Load what an earlier run saved; ConfigurationError where the file cannot be used."""
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            content = self.path.read_bytes() if self.path.exists() else None
            state = msgspec.json.decode(content, type=ExchangeState) if content else None
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigurationError(
                f"state {self.path} cannot be read ({error}); remove it to start anew"
            ) from error
        if state is not None:
            restore_state(self.venue, state)
            self._saved_sequence = self.venue.engine.sequence


def build_state(venue: Venue) -> ExchangeState:
    engine = venue.engine
    return ExchangeState(
        users=[_build_user_state(venue, user) for user in venue.users.values()],
        next_order_id=engine.next_order_id,
        next_trade_ids={symbol: state.next_trade_id for symbol, state in engine.markets.items()},
        sequence=engine.sequence,
        world=engine.world.free,
        fees=engine.house.free,
    )


def _build_user_state(venue: Venue, user: User) -> UserState:
    fees = user.account.fees
    orders = list(venue.orders[user.name].values())
    kept = {order.id: order for order in orders[-_ORDERS_KEPT:]} | user.account.open_orders
    return UserState(
        name=user.name,
        key=user.key,
        secret=user.config.secret,
        public_key=user.config.public_key,
        maker_fee=str(fees.maker),
        taker_fee=str(fees.taker),
        fee_asset=fees.asset,
        free=user.account.free,
        locked=user.account.locked,
        orders=[_build_order_state(kept[order_id]) for order_id in sorted(kept)],
    )


def _build_order_state(order: Order) -> OrderState:
    return OrderState(
        order.market.symbol,
        order.type.value,
        order.time_in_force.value,
        order.status.value,
        order.self_trade_prevention.value,
        {name: getattr(order, name) for name in _ORDER_FIELDS},
    )


def restore_state(venue: Venue, state: ExchangeState) -> None:
    """Fill an empty venue; orders of markets that no longer exist are left out."""
    engine = venue.engine
    engine.next_order_id, engine.sequence = state.next_order_id, state.sequence
    for symbol in engine.markets.keys() & state.next_trade_ids.keys():
        engine.markets[symbol].next_trade_id = state.next_trade_ids[symbol]
    engine.world.free, engine.house.free = state.world, state.fees
    resting: list[Order] = []
    for saved in state.users:
        user = _restore_user(venue, saved)
        for row in saved.orders:
            if row.symbol in engine.markets:
                order = _restore_order(venue, user.account, row)
                if order.is_open:
                    resting.append(order)
    for order in sorted(resting, key=lambda o: (o.working_ms, o.id)):
        _rest_again(venue, order)


def _restore_user(venue: Venue, saved: UserState) -> User:
    user = build_user(
        UserConfig(name=saved.name, key=saved.key, secret=saved.secret, public_key=saved.public_key)
    )
    user.account.fees = FeeSchedule(Decimal(saved.maker_fee), Decimal(saved.taker_fee), saved.fee_asset)
    user.account.free, user.account.locked = dict(saved.free), dict(saved.locked)
    venue.register(user)
    return user


def _restore_order(venue: Venue, account: Account, row: OrderState) -> Order:
    market = venue.engine.markets[row.symbol].market
    order = Order(0, account, market, 1, 0, 0, OrderType(row.type), TimeInForce(row.time_in_force))
    for name, value in row.fields.items():
        setattr(order, name, value)
    order.status = Status(row.status)
    order.self_trade_prevention = SelfTradePrevention(row.self_trade_prevention)
    venue.remember(order)
    return order


def _rest_again(venue: Venue, order: Order) -> None:
    state = venue.engine.markets[order.market.symbol]
    order.account.open_orders[order.id] = order
    order.account.open_client_ids[(order.market.symbol, order.client_order_id)] = order
    if order.type in STOP_TYPES and not order.triggered:
        triggers.register(state, order)
    else:
        order.open = order.remaining
        state.book.add(order)
