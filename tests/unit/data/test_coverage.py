from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from smarttrade.data.coverage import Span, find_gaps, missing, united

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda s: Span(s[0], s[0] + s[1])))


def instants(spans: list[Span]) -> set[int]:
    return {instant for span in spans for instant in range(*span)}


@given(SPANS)
def test_united_spans_hold_the_same_instants_apart_from_each_other(spans: list[Span]) -> None:
    whole = united(spans)
    assert instants(whole) == instants(spans)
    assert all(earlier.end_ms < later.begin_ms for earlier, later in itertools.pairwise(whole))


@given(SPANS, st.integers(0, 60), st.integers(0, 30))
def test_what_is_missing_is_what_no_span_covers(spans: list[Span], begin: int, length: int) -> None:
    holes = missing(spans, Span(begin, begin + length))
    assert instants(holes) == set(range(begin, begin + length)) - instants(spans)


@given(st.sets(st.integers(0, 40), min_size=1), SPANS)
def test_gaps_are_covered_and_hold_no_candle(opened: set[int], spans: list[Span]) -> None:
    gaps = find_gaps(united(Span(each, each + 1) for each in opened), spans)
    assert instants(gaps) == {each for each in instants(spans) - opened if each >= min(opened)}
