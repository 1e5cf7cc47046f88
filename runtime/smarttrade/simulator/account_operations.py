"""What an account holds and what became of its orders."""

from typing import Any

from smarttrade.simulator import render_account, render_trading
from smarttrade.simulator.call import Call
from smarttrade.simulator.errors import ApiError, missing
from smarttrade.simulator.limits import build_order_limits
from smarttrade.simulator.list_operations import is_within


def open_orders(call: Call) -> Any:
    name = call.parameters.get("symbol")
    symbol = call.find_market(name).market.symbol if name else None
    mine = sorted(call.account.open_orders.values(), key=lambda order: order.id)
    shown = [order for order in mine if symbol is None or order.market.symbol == symbol]
    return [render_trading.build_order(order) for order in shown if call.venue.history.is_visible(order)]


def all_orders(call: Call) -> Any:
    rows = call.venue.history.find_orders(call.account, call.market().market.symbol)
    first, limit = call.parameters.integer("orderId"), call.parameters.limit(500, 1000)
    start, end = call.parameters.moment("startTime"), call.parameters.moment("endTime")
    rows = [order for order in rows if is_within(order.created_ms, start, end)]
    if first is not None:
        return [render_trading.build_order(order) for order in rows if order.id >= first][:limit]
    chosen = rows[:limit] if start is not None else rows[-limit:]
    return [render_trading.build_order(order) for order in chosen]


def my_trades(call: Call) -> Any:
    data = call.market()
    first, limit = call.parameters.integer("fromId"), call.parameters.limit(500, 1000)
    order_id = call.parameters.integer("orderId")
    start, end = call.parameters.moment("startTime"), call.parameters.moment("endTime")
    rows = [
        fill
        for fill in call.venue.history.fills[call.account.name]
        if fill.order.market.id == data.market.id
        and (order_id is None or fill.order.id == order_id)
        and (first is None or fill.trade_id >= first)
        and is_within(fill.time_ms, start, end)
        and call.venue.history.is_visible(fill.order)
    ]
    chosen = rows[:limit] if first is not None or start is not None else rows[-limit:]
    return [render_trading.build_my_trade(fill) for fill in chosen]


def prevented_matches(call: Call) -> Any:
    """What self-trade prevention kept from happening, by its id or by order."""
    data = call.market()
    match_id, order_id = call.parameters.integer("preventedMatchId"), call.parameters.integer("orderId")
    first, limit = call.parameters.integer("fromPreventedMatchId"), call.parameters.limit(500, 1000)
    if match_id is None and order_id is None:
        raise missing("preventedMatchId")
    rows = [
        row
        for row in call.venue.history.prevented[call.account.name]
        if row.taker.market.id == data.market.id
        and match_id in (None, row.id)
        and order_id in (None, row.taker.id, row.maker.id)
        and (first is None or row.id >= first)
    ]
    return [render_trading.build_prevented_match(row) for row in rows[:limit]]


def allocations(call: Call) -> Any:
    """Smart order routing does not exist here, so nothing was ever allocated."""
    call.market()
    return []


def account(call: Call) -> Any:
    omit_zero = (call.parameters.get("omitZeroBalances") or "false").lower() == "true"
    return render_account.build_account(call.account, call.venue.clock.now_ms(), omit_zero)


def commission(call: Call) -> Any:
    return render_account.build_commission(call.account, call.market().market.id)


def order_limits(call: Call) -> Any:
    return build_order_limits(call.venue.order_counts, call.account.name, call.venue.clock.now_ms())


# --- what clients ask of the wallet's API ---------------------------------------------------------------


def coins(call: Call) -> Any:
    assets = sorted(
        {asset for data in call.venue.data.values() for asset in (data.market.base, data.market.quote)}
    )
    return [render_account.build_coin(call.account, asset) for asset in assets]


def trade_fees(call: Call) -> Any:
    name = call.parameters.get("symbol")
    markets = [call.find_market(name)] if name else list(call.venue.data.values())
    return [render_account.build_trade_fee(call.account, data.market.id) for data in markets]


def user_assets(call: Call) -> Any:
    wanted = call.parameters.get("asset")
    return [
        row
        for row in render_account.build_user_assets(call.account)
        if wanted is None or row["asset"] == wanted
    ]


def key_permissions(call: Call) -> Any:
    can_withdraw = call.user is not None and call.user.config.can_withdraw
    return render_account.build_key_permissions(call.venue.clock.now_ms(), can_withdraw)


def account_status(call: Call) -> Any:
    del call
    return {"data": "Normal"}


def margin_pairs(call: Call) -> Any:
    """Margin trading does not exist here."""
    del call
    return []


def listen_key(call: Call) -> Any:
    del call
    raise ApiError(0, "listenKeys are gone: use userDataStream.subscribe of the websocket API.", status=410)
