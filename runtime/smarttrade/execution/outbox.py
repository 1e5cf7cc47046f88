"""Group commit: what one step decides is one log message, and the next waits for its acknowledgement.

The log's compare-and-swap names the last sequence, so at most one append can be in flight. Records that
come up meanwhile wait and go together. What depends on a record (an order, a reply) is released by its
acknowledgement, never earlier: an order that the log does not know would be lost by a crash.

A message of the bus has a largest size. What one step decides stays far below it, but for a history that is
restored: that goes in parts, and what waits for it waits for the last of them.
"""

from __future__ import annotations

from smarttrade.execution.effects import Append, Effect
from smarttrade.execution.records import AnyRecord, Batch, version_of

LARGEST = 500
"""Records of one append: below the 1 MiB of a message, whatever they are."""


class Outbox:
    """Records that wait for the log, with the effects that wait for the records."""

    def __init__(self) -> None:
        self.sequence = 0
        self.batch_id = self.seen_id = ""
        """Ids of the last batch that is followed, and of the one at `sequence`, which may be a stray."""
        self._records: list[AnyRecord] = []
        self._effects: list[Effect] = []
        self._in_flight: list[Effect] | None = None
        self._in_flight_id = ""
        self._flights = 0

    @property
    def idle(self) -> bool:
        return self._in_flight is None and not self._records

    def add(self, record: AnyRecord, *after: Effect) -> None:
        """Queue a record, and effects for when it is durable."""
        self._records.append(record)
        self._effects.extend(after)

    def after(self, *effects: Effect) -> None:
        """Effects for when everything that was added so far is durable; only while there is such a thing."""
        waiting = self._effects if self._records or self._in_flight is None else self._in_flight
        waiting.extend(effects)

    def flush(self, epoch: int, holder: str, claimed_ms: int) -> Append | None:
        """The next append, unless one is in flight or there is nothing to say.

        Its id never comes again: epochs and sequences may, after a loss of the log, the time of the claim
        does not."""
        if self._in_flight is not None or not self._records:
            return None
        records, self._records = tuple(self._records[:LARGEST]), self._records[LARGEST:]
        self._in_flight = []
        if not self._records:
            self._in_flight, self._effects = self._effects, []
        self._flights += 1
        self._in_flight_id = f"{holder}-{epoch}-{claimed_ms}-{self.sequence}-{self._flights}"
        batch = Batch(
            v=version_of(records),
            epoch=epoch,
            records=records,
            after=self.sequence,
            id=self._in_flight_id,
            previous=self.batch_id,
        )
        return Append(batch=batch, after=self.sequence, message_id=self._in_flight_id)

    def acknowledged(self, sequence: int) -> list[Effect]:
        """The append in flight is durable: what waited for it."""
        released, self._in_flight = self._in_flight or [], None
        self.sequence, self.batch_id = sequence, self._in_flight_id
        self.seen_id = self._in_flight_id
        return released

    def released_when_idle(self) -> list[Effect]:
        """Effects that wait for nothing any more, because no record was queued with them."""
        if self._in_flight is not None or self._records:
            return []
        released, self._effects = self._effects, []
        return released
