"""Decisions and outcomes of a run: most of them repeat the one before them, and are kept as a row of numbers.

A candle strategy says at every candle what it wants, and mostly it already is so. Such a decision is the one
before it a candle later: its times shift, all else is equal. Rows become messages again when they are read.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import TypeGuard, overload

import msgspec

from smarttrade.evaluation.core import Draft
from smarttrade.messages import Decision, DecisionOutcome, Outcome, RestingOrders, Target

_BARE = ("quantity", "valid_until_ms", "style")
_EXTRAS = [name for name in Target.__struct_fields__ if name not in _BARE]
_extras = attrgetter(*_EXTRAS)
_NO_EXTRAS = (None,) * len(_EXTRAS)


def is_bare(want: Target | RestingOrders) -> TypeGuard[Target]:
    """Whether a target asks for nothing but a quantity."""
    return isinstance(want, Target) and _extras(want) == _NO_EXTRAS


class _Template:
    """What repeats: `draft` is the first of its kind, `kind` its number."""

    def __init__(self, kind: int, draft: Draft, want: Target) -> None:
        timeframe, _, opened = draft.event_key.partition(":")
        self.kind = kind
        self._prefix = f"{timeframe}:"
        self._opened_before_ms = draft.event_time_ms - int(opened) if opened.isdigit() else -1
        self._quantity, self._style = want.quantity, want.style
        self._valid_for_ms = want.valid_until_ms - draft.event_time_ms
        self._mark = (draft.event_ordinal, draft.index)

    def fits(self, draft: Draft, want: Target) -> bool:
        """Whether a draft for a bare target is the first one at another candle."""
        time_ms = draft.event_time_ms
        return (
            want.quantity is self._quantity
            and want.valid_until_ms - time_ms == self._valid_for_ms
            and want.style is self._style
            and draft.event_key == f"{self._prefix}{time_ms - self._opened_before_ms}"
            and (draft.event_ordinal, draft.index) == self._mark
        )


class Decisions(Sequence[Decision]):
    """In the order in which they were made; `decide` makes a decision of a draft again."""

    def __init__(self, decide: Callable[[Draft], Decision]) -> None:
        self._decide = decide
        self._kinds: list[Decision | Draft] = []
        self._kind = array("q")
        self._times = array("q")
        self._newest: dict[str, _Template] = {}
        self._reasons: list[str] = []

    def append(self, decision: Decision) -> None:
        self._kind.append(self._new(decision))
        self._times.append(decision.event_time_ms)
        self._reasons.append("")

    def repeat(self, draft: Draft, want: Target) -> None:
        """A decision for the bare target `want` of a draft, made of it when it is looked at."""
        newest = self._newest.get(draft.market)
        if newest is None or not newest.fits(draft, want):
            newest = self._newest[draft.market] = _Template(self._new(draft), draft, want)
        self._kind.append(newest.kind)
        self._times.append(draft.event_time_ms)
        self._reasons.append(draft.reason)

    def _new(self, kind: Decision | Draft) -> int:
        self._kinds.append(kind)
        return len(self._kinds) - 1

    def _at(self, row: int) -> Decision:
        kind = self._kinds[self._kind[row]]
        if isinstance(kind, Decision):
            return kind
        later_ms = self._times[row] - kind.event_time_ms
        want, key = kind.want, kind.event_key
        if later_ms:
            want = msgspec.structs.replace(want, valid_until_ms=want.valid_until_ms + later_ms)
            timeframe, _, opened = key.partition(":")
            key = f"{timeframe}:{int(opened) + later_ms}"
        return self._decide(
            Draft(
                kind.market,
                want,
                self._reasons[row],
                key,
                self._times[row],
                kind.event_ordinal,
                kind.index,
            )
        )

    def __len__(self) -> int:
        return len(self._times)

    def __iter__(self) -> Iterator[Decision]:
        return map(self._at, range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Decision: ...
    @overload
    def __getitem__(self, index: slice) -> list[Decision]: ...
    def __getitem__(self, index: int | slice) -> Decision | list[Decision]:
        rows = range(len(self))[index]
        return self._at(rows) if isinstance(rows, int) else [self._at(row) for row in rows]


class Outcomes(Sequence[DecisionOutcome]):
    """In the order in which they came; `told` are those that say more than Reached at once."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self.told: list[DecisionOutcome] = []
        self._rows = array("q")

    def append(self, outcome: DecisionOutcome) -> None:
        self.told.append(outcome)
        self._rows.append(-len(self.told))

    def reached(self) -> None:
        """The newest decision was carried out the moment it was made."""
        self._rows.append(len(self._decisions) - 1)

    def _at(self, row: int) -> DecisionOutcome:
        number = self._rows[row]
        if number < 0:
            return self.told[-number - 1]
        decision = self._decisions[number]
        return DecisionOutcome(
            id=decision.id,
            market=decision.market,
            outcome=Outcome.REACHED,
            time_ms=decision.event_time_ms,
        )

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[DecisionOutcome]:
        return map(self._at, range(len(self)))

    @overload
    def __getitem__(self, index: int) -> DecisionOutcome: ...
    @overload
    def __getitem__(self, index: slice) -> list[DecisionOutcome]: ...
    def __getitem__(self, index: int | slice) -> DecisionOutcome | list[DecisionOutcome]:
        rows = range(len(self))[index]
        return self._at(rows) if isinstance(rows, int) else [self._at(row) for row in rows]
