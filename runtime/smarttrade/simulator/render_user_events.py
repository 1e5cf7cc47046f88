"""Messages of the user data stream; plain data."""

from typing import Any

from smarttrade.matching import Execution, Kind
from smarttrade.matching.ledger import Account
from smarttrade.matching.orders import SIDE_NAMES, STOP_TYPES
from smarttrade.matching.units import to_text

Json = dict[str, Any]


def build_execution_report(execution: Execution) -> Json:
    """executionReport of the user data stream."""
    order = execution.order
    canceled = execution.kind in (Kind.CANCELED,)
    report: Json = {
        "e": "executionReport",
        "E": execution.time_ms,
        "s": order.market.id,
        "c": order.client_order_id,
        "S": SIDE_NAMES[order.side],
        "o": order.type.value,
        "f": order.time_in_force.value,
        "q": to_text(order.quantity),
        "p": to_text(order.price),
        "P": to_text(order.stop_price),
        "F": "0.00000000",
        "g": order.list_id,
        "C": order.client_order_id if canceled else "",
        "x": "TRADE_PREVENTION" if execution.status.value == "EXPIRED_IN_MATCH" else execution.kind.value,
        "X": execution.status.value,
        "r": "NONE",
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
    if order.type not in STOP_TYPES or order.triggered:
        report["W"] = order.working_ms
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
