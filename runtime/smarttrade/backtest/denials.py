"""Decisions that came to nothing: risk denied them, or the exchange refused. What, where, how often."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from smarttrade.messages import Decision, DecisionOutcome, DecisionReply, Outcome


@dataclass(frozen=True, slots=True)
class Denial:
    """One decision; `code` as in the log."""

    time_ms: int
    market: str
    code: str
    message: str


@dataclass(slots=True)
class DenialGroup:
    """All denials of one code in one market; `message` is the last one's."""

    code: str
    market: str
    count: int
    first_ms: int
    last_ms: int
    message: str


def find_denials(
    decisions: Iterable[Decision], refused: dict[str, DecisionReply], outcomes: Iterable[DecisionOutcome]
) -> list[Denial]:
    """One for each decision, in time; where it was refused at the door and later again, the later counts."""
    found = dict(_refused(decisions, refused))
    for outcome in outcomes:
        if outcome.outcome in (Outcome.DENIED, Outcome.REJECTED):
            found[outcome.id] = Denial(outcome.time_ms, outcome.market, outcome.code, outcome.message)
    return sorted(found.values(), key=lambda denial: denial.time_ms)


def group_denials(denials: Iterable[Denial]) -> list[DenialGroup]:
    """The most frequent first."""
    groups: dict[tuple[str, str], DenialGroup] = {}
    for each in denials:
        key = (each.code, each.market)
        group = groups.get(key)
        if group is None:
            groups[key] = DenialGroup(each.code, each.market, 1, each.time_ms, each.time_ms, each.message)
        else:
            group.count += 1
            group.last_ms, group.message = each.time_ms, each.message
    return sorted(groups.values(), key=lambda group: (-group.count, group.code, group.market))


def _refused(
    decisions: Iterable[Decision], refused: dict[str, DecisionReply]
) -> Iterator[tuple[str, Denial]]:
    if not refused:
        return
    for decision in decisions:
        reply = refused.get(decision.id)
        if reply is not None:
            yield reply.id, Denial(decision.event_time_ms, decision.market, reply.code, reply.message)
