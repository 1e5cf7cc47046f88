"""The exchange's dead man's switch: it cancels every order of the exchange account when nobody asks any more.

It cancels stops and other people's orders too, so it is armed only where the object says so, and not while
something protective or an order of somebody else's rests. One request is under way at a time: an arming that
arrives behind a disarming would cancel what was placed meanwhile. What is not confirmed counts as armed, and
so does, beside what must not be cancelled, whatever the leader before left behind.

A firing is seen by what it does, an order that ended without being asked to: then protection is placed before
anything that would add to a position.
"""

from __future__ import annotations

from smarttrade.api import DeadMansSwitch
from smarttrade.exchange.reports import OrderReport, VenueStatus
from smarttrade.execution.context import Context
from smarttrade.execution.effects import ArmSwitch, SwitchAnswered
from smarttrade.execution.orders import Order, OrderState, Purpose

FIRED = "DeadMansSwitchFired"
HELD_BACK = "DeadMansSwitchHeldBack"
_RESTED = (OrderState.NEW, OrderState.PARTIALLY_FILLED)
_AGAIN_MS = 1_000.0


class Switch:
    """Arms, renews, disarms, and notices."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._armed: bool | None = None
        """None: by the leader before, perhaps."""
        self._asking = False
        self._renew_ms = self._again_ms = 0.0
        self.firings = 0

    def advance(self) -> None:
        """Renew well before it runs out; disarm when it should not be armed, until that is confirmed."""
        self._tell_strangers()
        wanted = self._wanted()
        if wanted:
            due_ms = max(self._renew_ms if self._armed else 0.0, self._again_ms)
        elif self._armed or (self._armed is None and self._endangers()):
            due_ms = self._again_ms
        else:
            return
        ctx = self._ctx
        if self._asking or ctx.now_ms < due_ms:
            ctx.wake_at(max(due_ms, ctx.now_ms + _AGAIN_MS) if self._asking else due_ms)
            return
        self._asking = True
        self._renew_ms = ctx.now_ms + ctx.tuning.switch_ms / 3
        ctx.emit(ArmSwitch(timeout_ms=ctx.tuning.switch_ms if wanted else 0))

    def answered(self, event: SwitchAnswered) -> None:
        """An arming that failed may have had its effect; a disarming that failed had none."""
        self._asking = False
        if event.timeout_ms:
            self._armed = True
        elif not event.failure:
            self._armed = False
        if event.failure:
            self._renew_ms = 0.0
            self._again_ms = self._ctx.now_ms + _AGAIN_MS

    def see(self, report: OrderReport) -> None:
        """The stream tells of an order that is not in the book; the next comparison counts them all."""
        foreign, market = self._ctx.foreign, report.market
        if report.status is VenueStatus.OPEN and not self._ctx.ids.is_own(report.client_order_id):
            foreign[market] = foreign[market] or 1

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
        return (
            self._asked_for()
            and self._possible
            and ctx.ready
            and not (ctx.lead.draining or self._endangers())
        )

    def _endangers(self) -> bool:
        """Whether something rests that it must not cancel."""
        ctx = self._ctx
        if not (self._asked_for() and self._possible):
            return False
        return bool(ctx.foreign.total()) or any(o.purpose is Purpose.PROTECTIVE for o in ctx.book.unsettled())

    @property
    def _possible(self) -> bool:
        return self._ctx.tuning.switch_ms > 0

    def _tell_strangers(self) -> None:
        ctx, strangers = self._ctx, self._ctx.foreign.total()
        if strangers and self._asked_for() and self._possible:
            ctx.problems[HELD_BACK] = (
                f"spec.exchange.deadMansSwitch is Armed and not in force: it would cancel {strangers} open "
                "orders of others on the exchange account too; give this account a sub-account of its own"
            )
        else:
            ctx.problems.pop(HELD_BACK, None)
