"""Opens orders: the intent goes to the log first, with the exchange time that the order will carry.

T is pinned here and nowhere else. A process that sleeps between the log's acknowledgement and the send
wakes up with an order that the exchange refuses, because T + W has passed; signing at send time would hand
it a fresh one.
"""

from __future__ import annotations

from collections.abc import Sequence

from smarttrade.execution.context import Context
from smarttrade.execution.effects import Send, SendPair
from smarttrade.execution.orders import Purpose
from smarttrade.execution.protection import Guard
from smarttrade.execution.records import OrderIntended
from smarttrade.execution.targets import Leg
from smarttrade.messages import Side


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
    claim = f"{ctx.holder}-{ctx.lead.epoch}-{ctx.lead.claimed_ms}"
    cid = ctx.ids.build(decision_id, number, attempt, claim)
    intent = OrderIntended(
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
        deadline_ms=ctx.exchange_ms,
        window_ms=ctx.tuning.window_ms,
        epoch=ctx.lead.epoch,
        key=key,
    )
    ctx.intend(intent, _build_send(ctx, intent))
    return cid


def open_guards(ctx: Context, market: str, decision_id: str, guards: Sequence[Guard]) -> None:
    """Record one protective order, or a pair that cancels one another: both intents in one write.

    They are named by their time and the number of intents so far, because they have no decision that is
    carried out only once; neither comes again, not even after a loss of the log.
    """
    name = f"guard:{market}:{ctx.exchange_ms}:{ctx.book.intents}"
    cids = [ctx.ids.build(name, number, 1) for number in range(1, len(guards) + 1)]
    intents = [
        OrderIntended(
            cid=cid,
            market=market,
            side=Side.SELL,
            kind=guard.kind,
            price=guard.price,
            quantity=guard.quantity,
            purpose=Purpose.PROTECTIVE,
            decision_id=decision_id,
            leg=number,
            attempt=1,
            deadline_ms=ctx.exchange_ms,
            window_ms=ctx.tuning.window_ms,
            epoch=ctx.lead.epoch,
            trigger=guard.trigger,
            group=cids[0] if len(guards) > 1 else "",
        )
        for number, (cid, guard) in enumerate(zip(cids, guards, strict=True), 1)
    ]
    sends = [_build_send(ctx, intent) for intent in intents]
    for intent in intents[:-1]:
        ctx.intend(intent)
    ctx.intend(intents[-1], sends[0] if len(sends) == 1 else _build_pair(cids[0], sends))


def _build_send(ctx: Context, intent: OrderIntended) -> Send:
    return Send(
        cid=intent.cid,
        market=intent.market,
        side=intent.side,
        kind=intent.kind,
        price=intent.price,
        quantity=intent.quantity,
        deadline_ms=intent.deadline_ms,
        window_ms=intent.window_ms,
        leave_by_ms=ctx.now_ms + ctx.tuning.window_ms - (ctx.clock.error_ms(ctx.now_ms) or 0.0),
        trigger=intent.trigger,
        decision_id=intent.decision_id,
    )


def _build_pair(group: str, sends: Sequence[Send]) -> SendPair:
    limit = next(send for send in sends if send.trigger is None)
    return SendPair(group=group, limit=limit, stop=next(send for send in sends if send is not limit))
