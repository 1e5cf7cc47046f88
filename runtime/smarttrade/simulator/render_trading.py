"""Orders and fills as the exchange answers them; plain data.

Fields that the documentation calls conditional appear only where they say something.
"""

from typing import Any

from smarttrade.matching import BUY, Execution, Order, PreventedMatch, Status
from smarttrade.matching.orders import SIDE_NAMES
from smarttrade.matching.units import to_text
from smarttrade.simulator.amendment import Amendment

Json = dict[str, Any]


def build_order(order: Order) -> Json:
    """An order as queries show it."""
    shown = build_order_state(order)
    shown.update(
        {
            "stopPrice": to_text(order.stop_price),
            "icebergQty": to_text(order.display),
            "time": order.created_ms,
            "updateTime": order.updated_ms,
            "isWorking": order.is_working,
            "workingTime": order.working_ms if order.is_working else -1,
        }
    )
    return shown


def build_order_state(order: Order) -> Json:
    shown = {
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
    if not order.quantity and order.status is Status.PENDING_NEW:
        del shown["origQty"]  # what is to pay for it has not filled
    if order.prevented_id >= 0:
        shown["preventedMatchId"] = order.prevented_id
        shown["preventedQuantity"] = to_text(order.prevented)
    return shown


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
    shown["workingTime"] = order.working_ms if order.is_working else -1
    shown.update(build_conditional(order))
    if response == "FULL":
        shown["fills"] = [build_fill(fill) for fill in fills]
    return shown


def build_conditional(order: Order) -> Json:
    shown = {}
    if order.stop_price:
        shown["stopPrice"] = to_text(order.stop_price)
    if order.display:
        shown["icebergQty"] = to_text(order.display)
    return shown


def build_fill(fill: Execution) -> Json:
    return {
        "price": to_text(fill.price),
        "qty": to_text(fill.quantity),
        "commission": to_text(fill.commission),
        "commissionAsset": fill.commission_asset,
        "tradeId": fill.trade_id,
    }


def build_canceled(order: Order) -> Json:
    return {
        **build_order_state(order),
        **build_conditional(order),
        "origClientOrderId": order.client_order_id,
        "clientOrderId": order.cancel_id or order.client_order_id,
        "transactTime": order.updated_ms,
    }


def build_amended(order: Order, row: Amendment) -> Json:
    """The order in the answer to an amendment, whose fields have names of their own."""
    return {
        "symbol": order.market.id,
        "orderId": order.id,
        "orderListId": order.list_id,
        "origClientOrderId": row.old_client_id,
        "clientOrderId": row.new_client_id,
        "price": to_text(order.price),
        "qty": to_text(order.quantity),
        "executedQty": to_text(order.filled),
        "preventedQty": to_text(order.prevented),
        "quoteOrderQty": to_text(order.quote_quantity),
        "cumulativeQuoteQty": to_text(order.quote_filled),
        "status": order.status.value,
        "timeInForce": order.time_in_force.value,
        "type": order.type.value,
        "side": SIDE_NAMES[order.side],
        "workingTime": order.working_ms,
        "selfTradePreventionMode": order.self_trade_prevention.value,
    }


def build_amendment(order: Order, row: Amendment) -> Json:
    return {
        "symbol": order.market.id,
        "orderId": order.id,
        "executionId": row.execution_id,
        "origClientOrderId": row.old_client_id,
        "newClientOrderId": row.new_client_id,
        "origQty": to_text(row.before),
        "newQty": to_text(row.after),
        "time": row.time_ms,
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


def build_prevented_match(row: PreventedMatch) -> Json:
    return {
        "symbol": row.taker.market.id,
        "preventedMatchId": row.id,
        "takerOrderId": row.taker.id,
        "makerSymbol": row.maker.market.id,
        "makerOrderId": row.maker.id,
        "tradeGroupId": -1,
        "selfTradePreventionMode": row.taker.self_trade_prevention.value,
        "price": to_text(row.price),
        "takerPreventedQuantity": to_text(row.taker_quantity),
        "makerPreventedQuantity": to_text(row.maker_quantity),
        "transactTime": row.time_ms,
    }
