"""Whether a victim got slower: its own latency during the attack beside that of just before.

Both are taken in one test, so that the machine's load is in both; the median, so that one stall of the
machine is no attack; and below the floor nothing is called slow, because a few milliseconds double by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

ENOUGH = 9
TIMES = 4.0
FLOOR_S = 0.05


def limit_s(before_s: Sequence[float]) -> float:
    """What the median may be during the attack."""
    return TIMES * median(before_s) + FLOOR_S


def judge_latency(before_s: Sequence[float], during_s: Sequence[float]) -> None:
    """Raise when the median of the times during the attack exceeds `TIMES` that of before and the floor."""
    now, limit = median(during_s), limit_s(before_s)
    assert now <= limit, f"the victim got slower: {now:.3f} s, at most {limit:.3f} s after what was before"
