"""The bus as the pods need it: an append-only log with compare-and-swap, its snapshot, and the lease."""

from __future__ import annotations

from smarttrade.execution.records import Batch

TTL_MS = 1_000.0


class Journal:
    """Sequences start at 1; purged messages are gone. `fenced` False lets any writer append."""

    def __init__(self) -> None:
        self.messages: dict[int, Batch] = {}
        self.history: list[Batch] = []
        self.ids: dict[str, int] = {}
        self.last = 0
        self.fenced = True
        self.snapshot: bytes | None = None
        self.snapshot_up_to = 0
        self.purged = 0

    def append(self, batch: Batch, after: int, message_id: str) -> int | None:
        """The new sequence; None if `after` is not the last one. A repeated id keeps its sequence."""
        if message_id in self.ids:
            return self.ids[message_id]
        if self.fenced and after != self.last:
            return None
        self.last += 1
        self.messages[self.last] = batch
        self.history.append(batch)
        self.ids[message_id] = self.last
        return self.last

    def followed(self) -> list[Batch]:
        """What a reader of all follows: not what a leader of a log that is lost wrote by coincidence."""
        found: list[Batch] = []
        for batch in self.history:
            if not found or batch.previous in ("", found[-1].id):
                found.append(batch)
        return found

    def follows(self, batch: Batch) -> bool:
        """Whether this newest batch is one of those."""
        return self.followed()[-1] is batch

    def lose(self, batches: int) -> None:
        """The last so many batches are gone; all of it for 0, or where that reaches behind the snapshot."""
        left = self.last - batches if batches else 0
        if left < max(self.snapshot_up_to, 1) or left not in self.messages:
            self.snapshot, self.snapshot_up_to, left = None, 0, 0
        self.messages = {s: batch for s, batch in self.messages.items() if s <= left}
        self.ids = {name: sequence for name, sequence in self.ids.items() if sequence <= left}
        del self.history[left:]
        self.last = left

    def read(self, after: int) -> list[tuple[int, Batch]]:
        """What is still there behind a sequence, in order: what was purged is not missed by whoever reads."""
        return [(sequence, self.messages[sequence]) for sequence in sorted(self.messages) if sequence > after]

    def save(self, payload: bytes, up_to: int) -> None:
        """Keep the newest snapshot, and purge the log behind it, all but its last message."""
        if up_to < self.snapshot_up_to:
            return
        self.snapshot, self.snapshot_up_to = payload, up_to
        for sequence in [s for s in self.messages if s <= up_to and s != self.last]:
            del self.messages[sequence]
            self.purged += 1


class LeaseKey:
    """One key on the bus, written only over the revision that its writer last saw, as the pods do it.

    Whoever sees one revision for its time to live may take it; here that is told by the bus's own clock.
    """

    def __init__(self) -> None:
        self.holder = ""
        self._revision = 0
        self._expires_ms = 0.0

    def acquire(self, holder: str, now_ms: float) -> int:
        """Take a key that nobody holds, at its new revision, or 0; a holder that lost its memory takes its
        own again."""
        if self.holder not in ("", holder) and now_ms < self._expires_ms:
            return 0
        return self._write(holder, now_ms)

    def renew(self, holder: str, revision: int, now_ms: float) -> int:
        """The next revision, or 0: another wrote it meanwhile."""
        return self._write(holder, now_ms) if revision and revision == self._revision else 0

    def release(self, revision: int) -> None:
        """Nothing happens to a revision that is not the last one."""
        if revision and revision == self._revision:
            self._write("", 0.0)

    def forget(self) -> None:
        """The server started anew; whoever makes the key again begins behind every earlier revision."""
        self.holder = ""
        self._revision += 1

    def _write(self, holder: str, now_ms: float) -> int:
        self.holder, self._expires_ms = holder, now_ms + TTL_MS
        self._revision += 1
        return self._revision
