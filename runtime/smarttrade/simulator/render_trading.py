"""Orders, fills, lists and balances as the exchange answers them; plain data."""

from typing import Any

from smarttrade.matching import BUY, Execution, Order, OrderList
from smarttrade.matching.ledger import Account
from smarttrade.matching.orders import SIDE_NAMES, STOP_TYPES
from smarttrade.matching.units import SCALE, to_text

Json = dict[str, Any]


def build_order(order: Order) -> Json:
    """An order as queries show it."""
    shown = build_order_state(order)
    shown.update(
        {
            "stopPrice": to_text(order.stop_price),
            "icebergQty": "0.00000000",
            "time": order.created_ms,
            "updateTime": order.updated_ms,
            "isWorking": order.type not in STOP_TYPES or order.triggered,
            "workingTime": order.working_ms if order.type not in STOP_TYPES or order.triggered else -1,
        }
    )
    return shown


def build_order_state(order: Order) -> Json:
    return {
        "symbol": order.market.id,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        "price": to_text(order.price),
        "origQty": to_text(order.quantity),
        "executedQty": to_text(order.filled),
        "origQuoteOrderQty": to_text(order.quote_quantity),
        "cummulativeQuoteQty": to_text(order.quote_filled),
        "status": order.status.value,
        "timeInForce": order.time_in_force.value,
        "type": order.type.value,
        "side": SIDE_NAMES[order.side],
        "selfTradePreventionMode": order.self_trade_prevention.value,
    }


def build_ack(order: Order) -> Json:
    return {
        "symbol": order.market.id,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        "transactTime": order.created_ms,
    }


def build_placed(order: Order, fills: list[Execution], response: str) -> Json:
    """The answer to a new order: ACK, RESULT or FULL."""
    shown = build_ack(order)
    if response == "ACK":
        return shown
    shown.update(build_order_state(order))
    shown["transactTime"] = order.updated_ms
    shown["workingTime"] = order.working_ms
    if order.stop_price:
        shown["stopPrice"] = to_text(order.stop_price)
    if response == "FULL":
        shown["fills"] = [build_fill(fill) for fill in fills]
    return shown


def build_fill(fill: Execution) -> Json:
    return {
        "price": to_text(fill.price),
        "qty": to_text(fill.quantity),
        "commission": to_text(fill.commission),
        "commissionAsset": fill.commission_asset,
        "tradeId": fill.trade_id,
    }


def build_canceled(order: Order, new_client_id: str) -> Json:
    return {
        **build_order_state(order),
        "origClientOrderId": order.client_order_id,
        "clientOrderId": new_client_id,
        "transactTime": order.updated_ms,
    }


def build_my_trade(fill: Execution) -> Json:
    order = fill.order
    return {
        "symbol": order.market.id,
        "id": fill.trade_id,
        "orderId": order.id,
        "orderListId": order.list_id,
        "price": to_text(fill.price),
        "qty": to_text(fill.quantity),
        "quoteQty": to_text(fill.quote_quantity),
        "commission": to_text(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.time_ms,
        "isBuyer": order.side == BUY,
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def build_order_list(order_list: OrderList) -> Json:
    orders = order_list.orders
    is_open = order_list.is_open
    return {
        "orderListId": order_list.id,
        "contingencyType": "OCO",
        "listStatusType": "EXEC_STARTED" if is_open else "ALL_DONE",
        "listOrderStatus": "EXECUTING" if is_open else "ALL_DONE",
        "listClientOrderId": order_list.client_list_id,
        "transactionTime": order_list.created_ms,
        "symbol": orders[0].market.id,
        "orders": [
            {"symbol": o.market.id, "orderId": o.id, "clientOrderId": o.client_order_id} for o in orders
        ],
    }


def build_account(account: Account, now_ms: int, omit_zero: bool) -> Json:
    maker, taker = account.fees.rate_units(True), account.fees.rate_units(False)
    names = sorted(set(account.free) | set(account.locked))
    rows = [(name, account.free.get(name, 0), account.locked.get(name, 0)) for name in names]
    return {
        "makerCommission": maker * 10_000 // SCALE,
        "takerCommission": taker * 10_000 // SCALE,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": to_text(maker),
            "taker": to_text(taker),
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": name, "free": to_text(free), "locked": to_text(locked)}
            for name, free, locked in rows
            if free or locked or not omit_zero
        ],
        "permissions": ["SPOT"],
        "uid": abs(hash(account.name)) % 10**9,
    }
