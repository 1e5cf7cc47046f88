"""Opens orders: the intent goes to the log first, with the exchange time that the order will carry.

T is pinned here and nowhere else. A process that sleeps between the log's acknowledgement and the send
wakes up with an order that the exchange refuses, because T + W has passed; signing at send time would hand
it a fresh one.
"""

from __future__ import annotations

from smarttrade.execution.context import Context
from smarttrade.execution.effects import Send
from smarttrade.execution.identifiers import client_order_id
from smarttrade.execution.orders import Purpose
from smarttrade.execution.records import OrderIntended
from smarttrade.execution.targets import Leg


def open_intent(
    ctx: Context,
    market: str,
    decision_id: str,
    leg: Leg,
    purpose: Purpose,
    *,
    number: int,
    attempt: int,
    key: str = "",
) -> str:
    """Record one order to be sent when the log has it; its client order id."""
    cid = client_order_id(ctx.identity, decision_id, number, attempt)
    deadline_ms = ctx.exchange_ms
    ctx.record(
        OrderIntended(
            cid=cid,
            market=market,
            side=leg.side,
            kind=leg.kind,
            price=leg.price,
            quantity=leg.quantity,
            purpose=purpose,
            decision_id=decision_id,
            leg=number,
            attempt=attempt,
            deadline_ms=deadline_ms,
            window_ms=ctx.tuning.window_ms,
            epoch=ctx.lead.epoch,
            key=key,
        ),
        Send(
            cid=cid,
            market=market,
            side=leg.side,
            kind=leg.kind,
            price=leg.price,
            quantity=leg.quantity,
            deadline_ms=deadline_ms,
            window_ms=ctx.tuning.window_ms,
            leave_by_ms=ctx.now_ms + ctx.tuning.window_ms - (ctx.clock.error_ms(ctx.now_ms) or 0.0),
        ),
    )
    return cid
