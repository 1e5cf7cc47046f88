"""Runs one plan and says what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.checks import ViolationError
from tests.simulation.plan import Plan
from tests.simulation.safeguards import Safeguards
from tests.simulation.world import World


@dataclass
class Verdict:
    """`invariant` is empty if everything held."""

    plan: Plan
    invariant: str = ""
    detail: str = ""
    coverage: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)

    @property
    def is_missed(self) -> bool:
        """Whether this shows that a safeguard is needed: an error of the core that is no word of its own is a
        fault of the one who switched the safeguard off."""
        raised = self.invariant == "core raised" and not self.detail.startswith("ReusedClientOrderIdError")
        return bool(self.invariant) and not raised


def run(plan: Plan, safeguards: Safeguards | None = None, *, trace: bool = False) -> Verdict:
    """One history from beginning to rest."""
    safeguards = safeguards or Safeguards()
    verdict = Verdict(plan)
    with safeguards.patched():
        world = World(plan, safeguards)
        world.trace = verdict.trace if trace else None
        verdict.coverage = world.coverage
        try:
            world.run()
        except ViolationError as violation:
            verdict.invariant, verdict.detail = violation.invariant, violation.detail
    return verdict
