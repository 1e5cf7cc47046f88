from __future__ import annotations

from benchmarks._crossover.candles import MINUTE_MS, START_MS, draw_rows, repeat_rows
from benchmarks._crossover.compare import compare_trades

A, B, C = (START_MS + n * MINUTE_MS for n in (1, 5, 9))


def test_trades_are_the_same_when_both_ends_are_in_the_same_candles() -> None:
    ours = [(A + 50, 100.0, B, 110.0), (B, 100.0, C, 90.0)]
    theirs = [(START_MS, 1.0, A - 1, 1.0), (A, 100.0, B, 110.0), (B, 100.0, C + MINUTE_MS, 90.0)]
    found = compare_trades(ours, theirs)
    assert (found.ours, found.same, found.before, found.elsewhere) == (2, 1, 1, 1)


def test_a_dearer_entry_counts_against_us() -> None:
    found = compare_trades([(A, 101.0, B, 110.0)], [(A, 100.0, B, 110.0)])
    assert round(found.dearer, 4) == 0.01


def test_repeated_candles_go_on_in_time() -> None:
    rows = list(repeat_rows(draw_rows(3), 2))
    assert [row[0] for row in rows] == [START_MS + n * MINUTE_MS for n in range(6)]
    assert rows[0][1:] == rows[3][1:]
