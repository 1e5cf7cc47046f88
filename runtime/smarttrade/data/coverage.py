"""What has been asked of the exchange and answered, as half-open spans of time.

An interval that is covered and has no candle is a gap of the exchange: it had no trade, or was down. One that
is not covered has only not been downloaded. Without the difference a resumed download would ask for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """From `begin_ms` up to, but not with, `end_ms`."""

    begin_ms: int
    end_ms: int


def united(spans: Iterable[Span]) -> list[Span]:
    """Sorted, with what touches or overlaps made one, and without what is empty."""
    whole: list[Span] = []
    for span in sorted(span for span in spans if span.begin_ms < span.end_ms):
        if whole and span.begin_ms <= whole[-1].end_ms:
            whole[-1] = Span(whole[-1].begin_ms, max(whole[-1].end_ms, span.end_ms))
        else:
            whole.append(span)
    return whole


def missing(covered: Iterable[Span], wanted: Span) -> list[Span]:
    """The parts of `wanted` that no span covers."""
    holes, at_ms = [], wanted.begin_ms
    for span in united(covered):
        if span.begin_ms > at_ms:
            holes.append(Span(at_ms, min(span.begin_ms, wanted.end_ms)))
        at_ms = max(at_ms, span.end_ms)
        if at_ms >= wanted.end_ms:
            break
    return united([*holes, Span(at_ms, wanted.end_ms)])


def find_gaps(present: Sequence[Span], covered: Iterable[Span]) -> list[Span]:
    """Covered spans without a candle, from the first candle on; `present` spans hold one in each interval."""
    return [
        gap
        for span in united(covered)
        if present
        for gap in missing(present, Span(max(span.begin_ms, present[0].begin_ms), span.end_ms))
    ]
