"""Messages of the user data stream; plain data."""

from typing import Any

from smarttrade.matching import Execution, Kind, ListChange, Status
from smarttrade.matching.ledger import Account
from smarttrade.matching.orders import SIDE_NAMES
from smarttrade.matching.units import to_text
from smarttrade.simulator.render_lists import build_order_list

Json = dict[str, Any]
_EXECUTION_TYPES = {Kind.ACTIVATED: "NEW", Kind.PREVENTED: "TRADE_PREVENTION"}


def execution_type(execution: Execution) -> str:
    if execution.status is Status.EXPIRED_IN_MATCH:
        return "TRADE_PREVENTION"
    return _EXECUTION_TYPES.get(execution.kind, execution.kind.value)


def build_execution_report(execution: Execution) -> Json:
    """executionReport of the user data stream; `c` is a cancel's own id, or an amended order's new one."""
    order = execution.order
    cancel_id = order.cancel_id if execution.kind is Kind.CANCELED else ""
    original = {Kind.CANCELED: order.client_order_id, Kind.REPLACED: order.former_id}.get(execution.kind, "")
    report: Json = {
        "e": "executionReport",
        "E": execution.time_ms,
        "s": order.market.id,
        "c": cancel_id or order.client_order_id,
        "S": SIDE_NAMES[order.side],
        "o": order.type.value,
        "f": order.time_in_force.value,
        "q": to_text(order.quantity),
        "p": to_text(order.price),
        "P": to_text(order.stop_price),
        "F": to_text(order.display),
        "g": order.list_id,
        "C": original,
        "x": execution_type(execution),
        "X": execution.status.value,
        "r": execution.reject_reason,
        "i": order.id,
        "l": to_text(execution.quantity),
        "z": to_text(execution.filled),
        "L": to_text(execution.price),
        "n": to_text(execution.commission) if execution.commission_asset else "0",
        "N": execution.commission_asset,
        "T": execution.time_ms,
        "t": execution.trade_id,
        "I": execution.sequence,
        "w": bool(order.open),
        "m": execution.is_maker,
        "M": False,
        "O": order.created_ms,
        "Z": to_text(execution.quote_filled),
        "Y": to_text(execution.quote_quantity),
        "Q": to_text(order.quote_quantity),
        "V": order.self_trade_prevention.value,
    }
    if order.is_working:
        report["W"] = order.working_ms
    if order.prevented_id >= 0:
        report["v"] = order.prevented_id
        report["A"] = to_text(order.prevented)
    return report


def build_position_event(account: Account, assets: list[str], now_ms: int) -> Json:
    """outboundAccountPosition: the balances that may have changed."""
    return {
        "e": "outboundAccountPosition",
        "E": now_ms,
        "u": now_ms,
        "B": [
            {
                "a": name,
                "f": to_text(account.free.get(name, 0)),
                "l": to_text(account.locked.get(name, 0)),
            }
            for name in assets
        ],
    }


def build_balance_update(asset: str, units: int, now_ms: int) -> Json:
    """balanceUpdate: a deposit, or (negative) a withdrawal."""
    return {"e": "balanceUpdate", "E": now_ms, "a": asset, "d": to_text(units), "T": now_ms}


def build_list_event(change: ListChange) -> Json:
    """listStatus: an order list was accepted, or is done."""
    shown = build_order_list(change.order_list, is_open=not change.is_done)
    return {
        "e": "listStatus",
        "E": change.time_ms,
        "s": shown["symbol"],
        "g": shown["orderListId"],
        "c": shown["contingencyType"],
        "l": shown["listStatusType"],
        "L": shown["listOrderStatus"],
        "r": "NONE",
        "C": shown["listClientOrderId"],
        "T": change.time_ms,
        "O": [
            {"s": row["symbol"], "i": row["orderId"], "c": row["clientOrderId"]} for row in shown["orders"]
        ],
    }


def build_end_event(now_ms: int) -> Json:
    """eventStreamTerminated: a subscription has ended."""
    return {"e": "eventStreamTerminated", "E": now_ms}
