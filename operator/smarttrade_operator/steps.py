"""Steps of a reconcile that must not stop one another: each failure becomes a problem with a reason."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field

from smarttrade.errors import BusError, SmartTradeError
from smarttrade_operator.apply import NameTaken
from smarttrade_operator.diagnose import Problem
from smarttrade_operator.kube import Conflict, Refused, Unavailable
from smarttrade_operator.plan import InvalidSpec, UnknownBus, UnknownEnvironment
from smarttrade_operator.rollout import RolloutStopped
from smarttrade_operator.strategy import ImageNotAllowed, StrategyMissing

_REASONS: tuple[tuple[type[SmartTradeError], str], ...] = (
    (InvalidSpec, "InvalidSpec"),
    (UnknownBus, "UnknownBus"),
    (UnknownEnvironment, "UnknownEnvironment"),
    (NameTaken, "NameTaken"),
    (BusError, "NatsUnavailable"),
    (Unavailable, "ApiUnavailable"),
    (Refused, "ApplyRefused"),
    (Conflict, "Conflict"),
    (RolloutStopped, "RolloutStopped"),
    (StrategyMissing, "StrategyMissing"),
    (ImageNotAllowed, "ImageNotAllowed"),
)


class StepsFailed(SmartTradeError):  # noqa: N818
    """Some steps did not succeed; the queue comes back later."""


@dataclass(slots=True)
class Steps:
    """Runs steps and collects what went wrong."""

    failures: list[Problem] = field(default_factory=list)

    async def attempt(self, what: str, step: Awaitable[object]) -> bool:
        """Await one step; False when it failed in a way that is told in the conditions."""
        try:
            await step
        except SmartTradeError as error:
            self.failures.append(Problem(reason_of(error), f"{what}: {error}"))
            return False
        return True

    def raise_if_failed(self) -> None:
        if self.failures:
            raise StepsFailed("; ".join(f"{problem.reason}: {problem.message}" for problem in self.failures))


def reason_of(error: SmartTradeError) -> str:
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "Failed")
