"""What evaluation counts. It serves no metrics: the strategy could make them say anything, at any length.

The heartbeat carries these few numbers, and monitoring exports them under names of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from smarttrade.messages import Answer, Decision


@dataclass(slots=True)
class Tally:
    """Since the process began. `decided` counts decisions that were not sent, too."""

    events: int = 0
    decided: int = 0
    accepted: int = 0
    denied: int = 0
    unanswered: int = 0

    def answered(self, _: Decision, answer: str, __: float) -> None:
        """One decision has got its answer, or is given up without one."""
        if answer == Answer.DENIED:
            self.denied += 1
        elif answer in (Answer.ACCEPTED, Answer.SUPERSEDED):
            self.accepted += 1
        else:
            self.unanswered += 1
