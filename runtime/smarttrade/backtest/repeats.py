"""Decisions and outcomes of a run, kept so that saying the same again costs neither time nor memory.

A strategy says at every candle what it wants, and mostly it already is so. Such a decision is the one before
it a candle later: its times shift, all else is equal. A run of them is one row, however long; rows become
messages again when they are read.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import overload

import msgspec

from smarttrade.evaluation.core import Draft
from smarttrade.messages import Decision, DecisionOutcome, Outcome, Target

_EXTRAS = [name for name in Target.__struct_fields__ if name not in ("quantity", "valid_until_ms", "style")]
_extras = attrgetter(*_EXTRAS)
_NO_EXTRAS = (None,) * len(_EXTRAS)
_form = attrgetter("style", *_EXTRAS)
_place = attrgetter("market", "event", "event_ordinal", "index")


class _Template:
    """What repeats: a candle's draft for a bare target, which asks for nothing but a quantity. `kind` is the
    number of the first of its kind, `length_ms` the length of the candle."""

    __slots__ = ("_form", "_place", "_quantity", "_valid_for_ms", "kind", "length_ms")

    def __init__(self, kind: int, draft: Draft, want: Target) -> None:
        self.kind = kind
        self.length_ms = draft.event_time_ms - draft.opened_ms
        self._quantity, self._form, self._place = want.quantity, _form(want), _place(draft)
        self._valid_for_ms = want.valid_until_ms - draft.event_time_ms

    def fits(self, draft: Draft, want: Target) -> bool:
        """Whether a draft is the first one at another candle."""
        time_ms = draft.event_time_ms
        return (
            want.quantity is self._quantity
            and want.valid_until_ms - time_ms == self._valid_for_ms
            and time_ms - draft.opened_ms == self.length_ms
            and _place(draft) == self._place
            and _form(want) == self._form
        )


class Decisions(Sequence[Decision]):
    """In the order in which they were made; `decide` makes a decision of a draft again.

    A row begins a run of decisions of one kind and reason, one candle after the other. Those that repeat are
    those that were reached at once; `repeated` counts them."""

    def __init__(self, decide: Callable[[Draft], Decision]) -> None:
        self._decide = decide
        self._kinds: list[Decision | Draft] = []
        self.repeated = 0
        self._others = 0
        self._begins = array("q")
        self._repeated_before = array("q")
        self._kind = array("q")
        self._times = array("q")
        self._steps = array("q")
        self._reasons: list[str] = []
        self._newest: dict[str, _Template] = {}
        self._running: _Template | None = None
        self._reason = ""
        self._next_ms = 0

    def append(self, decision: Decision) -> None:
        self._running = None
        self._row(self._new(decision), decision.event_time_ms, 0, "")
        self._others += 1

    def interrupt(self) -> None:
        """Something may have changed: what is said again next may not be so already."""
        self._running = None

    def again(self, draft: Draft) -> bool:
        """Take a draft that says at the next candle what the newest decision said; False for any other."""
        running, want = self._running, draft.want
        if (
            running is None
            or draft.event_time_ms != self._next_ms
            or type(want) is not Target
            or draft.reason != self._reason
            or not running.fits(draft, want)
        ):
            return False
        self._next_ms += running.length_ms
        self.repeated += 1
        return True

    def repeat(self, draft: Draft) -> bool:
        """Take a draft for a bare target, to be made a decision of when it is read; False for any other."""
        want, reason, time_ms = draft.want, draft.reason, draft.event_time_ms
        if not isinstance(want, Target) or _extras(want) != _NO_EXTRAS:
            return False
        if draft.opened_ms < 0:
            self._running = None
            self._row(self._new(draft), time_ms, 0, reason)
        else:
            newest = self._newest.get(draft.market)
            if newest is None or not newest.fits(draft, want):
                newest = self._newest[draft.market] = _Template(self._new(draft), draft, want)
            self._running, self._reason = newest, reason
            self._row(newest.kind, time_ms, newest.length_ms, reason)
            self._next_ms = time_ms + newest.length_ms
        self.repeated += 1
        return True

    def _new(self, kind: Decision | Draft) -> int:
        self._kinds.append(kind)
        return len(self._kinds) - 1

    def _row(self, kind: int, time_ms: int, step_ms: int, reason: str) -> None:
        self._begins.append(len(self))
        self._repeated_before.append(self.repeated)
        self._kind.append(kind)
        self._times.append(time_ms)
        self._steps.append(step_ms)
        self._reasons.append(reason)

    def _at(self, row: int, number: int) -> Decision:
        """The `number`-th decision of a row."""
        kind = self._kinds[self._kind[row]]
        if isinstance(kind, Decision):
            return kind
        time_ms = self._times[row] + number * self._steps[row]
        want, later_ms = kind.want, time_ms - kind.event_time_ms
        if later_ms:
            want = msgspec.structs.replace(want, valid_until_ms=want.valid_until_ms + later_ms)
        draft = Draft(
            kind.market,
            want,
            self._reasons[row],
            kind.event,
            time_ms,
            kind.event_ordinal,
            kind.index,
            kind.opened_ms + later_ms,
        )
        return self._decide(draft)

    def __len__(self) -> int:
        return self.repeated + self._others

    def __iter__(self) -> Iterator[Decision]:
        ends = [*self._begins[1:], len(self)]
        for row, (begin, end) in enumerate(zip(self._begins, ends, strict=True)):
            for number in range(end - begin):
                yield self._at(row, number)

    def repetition(self, number: int) -> Decision:
        """The `number`-th of those that were reached at once."""
        row = bisect_right(self._repeated_before, number) - 1
        return self._at(row, number - self._repeated_before[row])

    @overload
    def __getitem__(self, index: int) -> Decision: ...
    @overload
    def __getitem__(self, index: slice) -> list[Decision]: ...
    def __getitem__(self, index: int | slice) -> Decision | list[Decision]:
        numbers = range(len(self))[index]
        return self._find(numbers) if isinstance(numbers, int) else [self._find(each) for each in numbers]

    def _find(self, number: int) -> Decision:
        row = bisect_right(self._begins, number) - 1
        return self._at(row, number - self._begins[row])


class Outcomes(Sequence[DecisionOutcome]):
    """In the order in which they came; `told` are those that say more than that a decision was reached the
    moment it was made, `_places` where they stand among all."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self.told: list[DecisionOutcome] = []
        self._places = array("q")

    def append(self, outcome: DecisionOutcome) -> None:
        self._places.append(len(self))
        self.told.append(outcome)

    def _find(self, number: int) -> DecisionOutcome:
        before = bisect_left(self._places, number)
        if before < len(self._places) and self._places[before] == number:
            return self.told[before]
        decision = self._decisions.repetition(number - before)
        return DecisionOutcome(
            id=decision.id,
            market=decision.market,
            outcome=Outcome.REACHED,
            time_ms=decision.event_time_ms,
        )

    def __len__(self) -> int:
        return self._decisions.repeated + len(self.told)

    def __iter__(self) -> Iterator[DecisionOutcome]:
        return map(self._find, range(len(self)))

    @overload
    def __getitem__(self, index: int) -> DecisionOutcome: ...
    @overload
    def __getitem__(self, index: slice) -> list[DecisionOutcome]: ...
    def __getitem__(self, index: int | slice) -> DecisionOutcome | list[DecisionOutcome]:
        numbers = range(len(self))[index]
        return self._find(numbers) if isinstance(numbers, int) else [self._find(each) for each in numbers]
