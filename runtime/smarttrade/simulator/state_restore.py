"""What was kept, back into an empty exchange.

Orders of markets that no longer exist stay in the file and out of the exchange; what they held is free again.
"""

import sqlite3
from decimal import Decimal

import msgspec

from smarttrade.matching import (
    Account,
    Contingency,
    Execution,
    FeeSchedule,
    Kind,
    Order,
    OrderList,
    OrderType,
    PreventedMatch,
    SelfTradePrevention,
    Status,
    TimeInForce,
    triggers,
)
from smarttrade.matching.orders import STOP_TYPES
from smarttrade.simulator.amendment import Amendment
from smarttrade.simulator.config import UserConfig
from smarttrade.simulator.history import FILLS_KEPT, LISTS_KEPT, ORDERS_KEPT
from smarttrade.simulator.state_rows import ExchangeRow, FillRow, ListRow, OrderRow, PreventedRow, UserRow
from smarttrade.simulator.users import build_user
from smarttrade.simulator.venue import Venue


def restore(venue: Venue, database: sqlite3.Connection) -> None:
    """Fill an empty venue from the database; drops history beyond what queries answer from."""
    found = database.execute("SELECT row FROM exchange").fetchone()
    if found is None:
        return
    _restore_exchange(venue, msgspec.json.decode(found[0], type=ExchangeRow))
    resting: list[Order] = []
    for name, row in database.execute("SELECT name, row FROM users ORDER BY rowid").fetchall():
        account = _restore_user(venue, msgspec.json.decode(row, type=UserRow))
        _drop_history(database, name)
        orders = _restore_orders(venue, account, database)
        _restore_fills(venue, account, database, orders)
        _restore_lists(venue, account, database, orders)
        _restore_details(venue, account, database, orders)
        _correct_locks(account)
        resting += account.open_orders.values()
    for order in sorted(resting, key=lambda o: (o.working_ms, o.id)):
        _rest_again(venue, order)


def _restore_exchange(venue: Venue, row: ExchangeRow) -> None:
    engine = venue.engine
    engine.next_order_id, engine.next_list_id = row.next_order_id, row.next_list_id
    engine.next_prevented_id, engine.sequence = row.next_prevented_id, row.sequence
    for symbol in engine.markets.keys() & row.next_trade_ids.keys():
        engine.markets[symbol].next_trade_id = row.next_trade_ids[symbol]
    engine.world.free, engine.house.free = row.world, row.fees


def _restore_user(venue: Venue, row: UserRow) -> Account:
    user = build_user(UserConfig(name=row.name, key=row.key, secret=row.secret, public_key=row.public_key))
    user.account.fees = FeeSchedule(Decimal(row.maker_fee), Decimal(row.taker_fee), row.fee_asset)
    user.account.free, user.account.locked = dict(row.free), dict(row.locked)
    venue.register(user)
    return user.account


def _drop_history(database: sqlite3.Connection, name: str) -> None:
    """Queries answer from a bounded history, so the file need not keep more; open orders always stay."""
    with database:
        database.execute(
            "DELETE FROM orders WHERE user = ?1 AND is_open = 0 AND id < "
            "(SELECT id FROM orders WHERE user = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            (name, ORDERS_KEPT),
        )
        database.execute(
            "DELETE FROM fills WHERE user = ?1 AND rowid < "
            "(SELECT rowid FROM fills WHERE user = ?1 ORDER BY rowid DESC LIMIT 1 OFFSET ?2)",
            (name, FILLS_KEPT),
        )
        database.execute(
            "DELETE FROM lists WHERE user = ?1 AND id < "
            "(SELECT id FROM lists WHERE user = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            (name, LISTS_KEPT),
        )
        for table in ("amendments", "prevented"):
            database.execute(
                f"DELETE FROM {table} WHERE user = ?1 AND order_id NOT IN "  # noqa: S608 - names of ours
                "(SELECT id FROM orders WHERE user = ?1)",
                (name,),
            )


def _rows(database: sqlite3.Connection, table: str, name: str, order: str) -> list[bytes]:
    query = f"SELECT row FROM {table} WHERE user = ? ORDER BY {order}"  # noqa: S608 - names of ours
    return [row for (row,) in database.execute(query, (name,))]


def _restore_orders(venue: Venue, account: Account, database: sqlite3.Connection) -> dict[int, Order]:
    orders = {}
    for content in _rows(database, "orders", account.name, "id"):
        row = msgspec.json.decode(content, type=OrderRow)
        if row.symbol not in venue.engine.markets:
            continue
        order = _build_order(venue, account, row)
        orders[order.id] = order
        venue.history.remember(order)
        if order.is_open:
            account.open_orders[order.id] = order
            account.open_client_ids[row.symbol, order.client_order_id] = order
    return orders


def _build_order(venue: Venue, account: Account, row: OrderRow) -> Order:
    market = venue.engine.markets[row.symbol].market
    order = Order(0, account, market, 1, 0, 0, OrderType(row.type), TimeInForce(row.time_in_force))
    for name, value in row.fields.items():
        setattr(order, name, value)
    order.status = Status(row.status)
    order.self_trade_prevention = SelfTradePrevention(row.self_trade_prevention)
    return order


def _restore_fills(
    venue: Venue, account: Account, database: sqlite3.Connection, orders: dict[int, Order]
) -> None:
    for content in _rows(database, "fills", account.name, "rowid"):
        row = msgspec.json.decode(content, type=FillRow)
        if row.order_id in orders:
            venue.history.fills[account.name].append(_build_fill(orders[row.order_id], row))


def _build_fill(order: Order, row: FillRow) -> Execution:
    return Execution(
        Kind.TRADE,
        order,
        row.time_ms,
        Status(row.status),
        row.filled,
        row.quote_filled,
        row.trade_id,
        row.price,
        row.quantity,
        row.quote_quantity,
        row.commission,
        row.commission_asset,
        row.is_maker,
        row.sequence,
    )


def _restore_lists(
    venue: Venue, account: Account, database: sqlite3.Connection, orders: dict[int, Order]
) -> None:
    for content in _rows(database, "lists", account.name, "id"):
        row = msgspec.json.decode(content, type=ListRow)
        if not all(order_id in orders for order_id in row.orders):
            continue
        order_list = OrderList(
            row.id,
            row.client_list_id,
            account,
            row.created_ms,
            Contingency(row.contingency),
            [orders[order_id] for order_id in row.orders],
            [orders[order_id] for order_id in row.waiting],
            row.is_decided,
            row.is_done,
        )
        venue.engine.order_lists[row.id] = order_list
        venue.history.remember_list(order_list)


def _restore_details(
    venue: Venue, account: Account, database: sqlite3.Connection, orders: dict[int, Order]
) -> None:
    for content in _rows(database, "amendments", account.name, "id"):
        amended = msgspec.json.decode(content, type=Amendment)
        if amended.order_id in orders:
            venue.history.amend(amended)
    for content in _rows(database, "prevented", account.name, "id"):
        row = msgspec.json.decode(content, type=PreventedRow)
        if row.taker in orders and row.maker in orders:
            match = PreventedMatch(
                row.id,
                row.time_ms,
                orders[row.taker],
                orders[row.maker],
                row.price,
                row.taker_quantity,
                row.maker_quantity,
            )
            venue.history.prevented[account.name].append(match)


def _correct_locks(account: Account) -> None:
    """What nobody holds any more is free again."""
    held: dict[str, int] = {}
    for order in account.open_orders.values():
        held[order.lock_asset] = held.get(order.lock_asset, 0) + order.locked + order.fee_locked
    for asset, locked in list(account.locked.items()):
        account.lock(asset, held.get(asset, 0) - locked)
    account.take_touched()


def _rest_again(venue: Venue, order: Order) -> None:
    state = venue.engine.markets[order.market.symbol]
    if order.open:
        state.book.add(order)
    elif order.type in STOP_TYPES and order.is_open and order.status is not Status.PENDING_NEW:
        triggers.register(state, order)
