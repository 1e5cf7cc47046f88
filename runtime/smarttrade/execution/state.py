"""What the account may do now: the most restrictive of everything that restricts it.

The user's wish, an unacknowledged breach, the platform's kill switch and the exchange's own condition each
name a state; the effective one is the most closed of them. What a state means stands in `TABLE` and
nowhere else, so that core, documentation and tests cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from smarttrade.messages import EffectiveState


class Source(StrEnum):
    """Who asks for a state."""

    SPEC = "spec.state"
    BREACH = "breach"
    KILL_SWITCH = "kill switch"
    VENUE = "exchange"
    HAND = "halt by hand"


class Reducing(StrEnum):
    """What may make a position smaller."""

    DECISIONS = "Decisions"
    EXIT = "Exit"
    NOTHING = "Nothing"


class Protection(StrEnum):
    """What happens to resting protective orders."""

    KEPT = "Kept"
    REPLACED = "Replaced"
    CANCELLED = "Cancelled"


@dataclass(frozen=True, slots=True)
class Permissions:
    """One row of the table. `unprotected`: a position held in this state is reported as unprotected."""

    new_entries: bool
    reducing: Reducing
    own_entries_kept: bool
    protection: Protection

    @property
    def unprotected(self) -> bool:
        return self.protection is Protection.CANCELLED


TABLE: Mapping[EffectiveState, Permissions] = {
    EffectiveState.ACTIVE: Permissions(True, Reducing.DECISIONS, True, Protection.KEPT),
    EffectiveState.REDUCE_ONLY: Permissions(False, Reducing.DECISIONS, False, Protection.KEPT),
    EffectiveState.PAUSED: Permissions(False, Reducing.NOTHING, False, Protection.KEPT),
    EffectiveState.FLATTEN: Permissions(False, Reducing.EXIT, False, Protection.REPLACED),
    EffectiveState.HALTED: Permissions(False, Reducing.NOTHING, False, Protection.CANCELLED),
}

_CLOSEDNESS = {state: rank for rank, state in enumerate(EffectiveState)}


@dataclass(frozen=True, slots=True)
class Demand:
    """One source's wish. `market` is empty for the whole account."""

    state: EffectiveState
    source: Source
    reason: str = ""
    market: str = ""


@dataclass(frozen=True, slots=True)
class Effective:
    """The state that holds, and the demand that made it so."""

    state: EffectiveState
    source: Source = Source.SPEC
    reason: str = ""

    @property
    def permissions(self) -> Permissions:
        return TABLE[self.state]

    @property
    def explanation(self) -> str:
        """For messages: which state, because of what."""
        return f"{self.state} by {self.source}" + (f": {self.reason}" if self.reason else "")


def effective_state(demands: Iterable[Demand], market: str = "") -> Effective:
    """The most closed of the demands on the account and, where `market` is named, on that market.

    Of two that are equally closed the first is named; without any demand the account is Active.
    """
    chosen = Effective(EffectiveState.ACTIVE)
    for demand in demands:
        applies = demand.market in ("", market)
        if applies and _CLOSEDNESS[demand.state] > _CLOSEDNESS[chosen.state]:
            chosen = Effective(demand.state, demand.source, demand.reason)
    return chosen


def build_demands(
    wanted: EffectiveState,
    *,
    breach: tuple[EffectiveState, str] | None = None,
    kill: bool = False,
    halted: bool = False,
    venue: Iterable[tuple[str, EffectiveState, str]] = (),
) -> tuple[Demand, ...]:
    """Demands from spec.state, (effect, id) of an unacknowledged breach, the kill switch, a halt by hand, and
    (market, state, reason) of what the exchange's condition asks for."""
    demands = [Demand(wanted, Source.SPEC)]
    if breach:
        demands.append(Demand(breach[0], Source.BREACH, f"{breach[1]} is not acknowledged"))
    if kill:
        demands.append(Demand(EffectiveState.HALTED, Source.KILL_SWITCH))
    if halted:
        demands.append(Demand(EffectiveState.HALTED, Source.HAND, "until the object's change is read"))
    demands += [Demand(state, Source.VENUE, reason, market) for market, state, reason in venue]
    return tuple(demands)
