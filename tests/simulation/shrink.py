"""Makes a violating plan small: leaves out what is not needed for the same violation."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.history import run
from tests.simulation.plan import Plan, with_parts
from tests.simulation.safeguards import Safeguards

PARTS = ("faults", "wishes", "changes")


def shrink(plan: Plan, invariant: str, build: Callable[[], Safeguards], tries: int = 400) -> Plan:
    """The smallest plan found that violates the same invariant, within so many histories."""
    left = [tries]

    def violates(candidate: Plan) -> bool:
        left[0] -= 1
        return run(candidate, build()).invariant == invariant

    before = None
    while before != plan and left[0] > 0:
        before = plan
        for part in PARTS:
            plan = _without(plan, part, violates, left)
    return plan


def _without(plan: Plan, part: str, violates: Callable[[Plan], bool], left: list[int]) -> Plan:
    """Halves first, then quarters, down to single items."""
    size = max(len(getattr(plan, part)) // 2, 1)
    while size >= 1:
        start = 0
        while start < len(getattr(plan, part)) and left[0] > 0:
            items = getattr(plan, part)
            candidate = with_parts(plan, **{part: items[:start] + items[start + size :]})
            if violates(candidate):
                plan = candidate
            else:
                start += size
        size //= 2
    return plan
