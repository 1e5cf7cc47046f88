"""A halt by hand, and how it reaches the pods that were not told.

A pod that was told sends nothing more, at once and whatever the bus says. Another may be out of the command's
reach and lead: it would place again what was cancelled behind its back. So the halt goes into the account's
log, from a standby too, by the leader's own compare-and-swap: an order leaves only after its intent is in the
log, and the leader's next append fails there, makes it read the log again, and with it the halt. What bites:

* a leader that writes without a pause may win every race for the next sequence. The log's subject is heard
  by everyone, refused attempts too, so it hears of the halt all the same and obeys;
* a halt that the log has had is not written again: this pod may only be late in reading what has lifted it.
"""

from __future__ import annotations

from smarttrade.execution.commands_wire import Halt
from smarttrade.execution.context import Context
from smarttrade.execution.effects import Fence, HaltHeard
from smarttrade.execution.records import Batch, HaltLifted, HaltOrdered, version_of

_AGAIN_MS = 250.0


class Halting:
    """Obeys a halt, brings it into the log, and forgets it when the object's own word is read."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._due_ms = 0.0
        self._tried_at = -1

    def order(self, command: Halt) -> None:
        """A person's command; nothing follows where the changed object has been read already."""
        ctx = self._ctx
        if not command.generation or ctx.generation < command.generation:
            until = max(command.generation, ctx.generation + 1)
            ctx.halt = HaltOrdered(seen=ctx.generation, until=until, by=command.by, time_ms=ctx.exchange_ms)

    def hear(self, event: HaltHeard) -> None:
        """Another pod's attempt to write it."""
        ctx = self._ctx
        if ctx.halted is None and event.halt.holds(ctx.generation):
            ctx.halt = event.halt

    def advance(self) -> None:
        """Lift what the object has ended; write what the log does not have yet."""
        ctx = self._ctx
        if ctx.lead.claimed and ctx.book.halt is not None and not ctx.book.halt.holds(ctx.generation):
            ctx.record(HaltLifted(generation=ctx.generation, time_ms=ctx.exchange_ms))
        halt = ctx.halt
        if halt is None or halt is ctx.halt_written or not halt.holds(ctx.generation):
            return
        if _covers(ctx.book.ordered, halt):
            ctx.halt_written = halt
        elif ctx.lead.claimed and not ctx.lead.released:
            ctx.record(halt)
        elif not ctx.lead.holding and ctx.outbox.sequence and ctx.bus_lost_ms is None:
            self._fence(halt)

    def _fence(self, halt: HaltOrdered) -> None:
        """As soon as more of the log was read than at the last attempt, or after a while."""
        ctx, sequence = self._ctx, self._ctx.outbox.sequence
        if sequence == self._tried_at and ctx.now_ms < self._due_ms:
            ctx.wake_at(self._due_ms)
            return
        self._tried_at, self._due_ms = sequence, ctx.now_ms + _AGAIN_MS
        ctx.wake_at(self._due_ms)
        batch = Batch(
            v=version_of((halt,)),
            epoch=ctx.book.epoch,
            records=(halt,),
            after=sequence,
            id=f"{ctx.holder}-halt-{ctx.exchange_ms}-{sequence}",
            previous=ctx.outbox.batch_id,
        )
        ctx.emit(Fence(batch=batch, after=sequence, message_id=batch.id))


def _covers(written: HaltOrdered | None, halt: HaltOrdered) -> bool:
    """Whether the log's newest halt lasts as long. Generations begin anew with a re-created object."""
    return written is not None and written.seen < halt.until <= written.until
