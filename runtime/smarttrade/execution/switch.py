"""The exchange's dead man's switch: it cancels every order of the exchange account when nobody asks any more.

It cancels stops and other people's orders too, so it is armed only where the object says so, and not while
something protective rests. A firing is seen by what it does, an order that ended without being asked to:
then protection is placed before anything that would add to a position.
"""

from __future__ import annotations

from smarttrade.api import DeadMansSwitch
from smarttrade.execution.context import Context
from smarttrade.execution.effects import ArmSwitch
from smarttrade.execution.orders import Order, OrderState, Purpose

FIRED = "DeadMansSwitchFired"
_RESTED = (OrderState.NEW, OrderState.PARTIALLY_FILLED)


class Switch:
    """Arms, renews, disarms, and notices."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._renew_ms = 0.0
        self._armed = False
        self.firings = 0

    def advance(self) -> None:
        """Renew well before it runs out; disarm when it should not be armed."""
        ctx = self._ctx
        if not self._wanted():
            if self._armed:
                ctx.emit(ArmSwitch(timeout_ms=0))
            self._armed = False
        elif not self._armed or ctx.now_ms >= self._renew_ms:
            self._armed = True
            self._renew_ms = ctx.now_ms + ctx.tuning.switch_ms / 3
            ctx.emit(ArmSwitch(timeout_ms=ctx.tuning.switch_ms))
        if self._armed:
            ctx.wake_at(self._renew_ms)

    def notice(self, order: Order, before: OrderState) -> None:
        """An order was cancelled: by us, or by the exchange?"""
        ctx = self._ctx
        unasked = order.state is OrderState.CANCELED and before in _RESTED
        if not (unasked and self._asked_for()):
            return
        self.firings += 1
        ctx.fired.add(order.market)
        ctx.problems[FIRED] = (
            f"order {order.cid} of {order.market} was cancelled without being asked to, as the exchange's "
            "dead man's switch does; protection is placed first"
        )

    def _asked_for(self) -> bool:
        spec = self._ctx.spec
        return spec is not None and spec.exchange.dead_mans_switch is DeadMansSwitch.ARMED

    def _wanted(self) -> bool:
        ctx = self._ctx
        if not (self._asked_for() and ctx.tuning.switch_ms and ctx.ready) or ctx.lead.draining:
            return False
        return not any(order.purpose is Purpose.PROTECTIVE for order in ctx.book.unsettled())
