"""What is left of a run for the judge, each piece with the moment in which it happened, by one clock.

The log is stamped by the server that stored it, the journal when the exchange wrote it, what a pod told when
it was heard. So an order can be told from one that was sent before its intent was durable. What bites: the
log goes on while the journal is read, and the other way round. Therefore both are judged as far as they were
when the run had come to rest, and that nothing was sent after that is an invariant of its own.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from smarttrade.execution.records import Batch
from smarttrade.messages import Decision, ExecutionReport
from smarttrade.simulator.journal import JournalEntry


class Logged(msgspec.Struct, frozen=True):
    """A batch, and when its server stored it."""

    batch: Batch
    at_ms: float


class Happened(msgspec.Struct, frozen=True):
    """A line of the exchange's journal; its own times are those of a clock that is stepped."""

    entry: JournalEntry
    at_ms: float


class Told(msgspec.Struct, frozen=True):
    """What a pod said of itself."""

    report: ExecutionReport
    at_ms: float


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """A moment in which all was as decided: so much of log and journal was there. `last` are the newest
    decisions, by market."""

    logged: int
    happened: int
    last: dict[str, Decision]


@dataclass
class Evidence:
    """`decisions` are those that were offered, in order; `answered` those to which an execution said
    Accepted."""

    log: list[Logged] = field(default_factory=list)
    journal: list[Happened] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)
    decisions: dict[str, Decision] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)

    def in_order(self) -> Iterator[Logged | Happened | Told]:
        """As it happened; the log first where two things happened at once."""
        return heapq.merge(self.log, self.journal, self.told, key=lambda each: each.at_ms)

    def write(self, folder: Path) -> None:
        """For whoever looks into a failure."""
        for name, rows in (
            ("log", self.log),
            ("journal", self.journal),
            ("told", self.told),
            ("rests", self.rests),
            ("decisions", list(self.decisions.values())),
        ):
            lines = [_encoder.encode(row) + b"\n" for row in rows]
            (folder / f"{name}.jsonl").write_bytes(b"".join(lines))


_encoder = msgspec.json.Encoder(decimal_format="string")
