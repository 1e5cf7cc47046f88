"""What an attempt is, and the table of all of them.

An attempt is a function that does what an attacker would and says how it ended: `Refused`, with the words of
whoever refused it, or `Succeeded`, with what was won. The matrix wants every attempt refused as declared; a
control runs the same function with one guard switched off and wants it to succeed, so the matrix can fail.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DOCUMENT = "docs/reference/attacks.md"
_INTRODUCTION = """# The attack matrix

Generated from `tests/attacks` by `make attack-table`. Every attempt is made against the real enforcing parts
while, on the bus, in pods and at the gateway, another account works, and the operator serves another one; it
must be refused in exactly these words, and the other account must lose and hear nothing and be as quick as
before. The last column names the guards: a control makes the same attempt with them switched off, and it
succeeds. Where it says *given*, the guard is not the platform's to switch off, for the reason that follows.

"""


@dataclass(frozen=True)
class Refused:
    """The attempt failed; `words` is what told the attacker so, or `silence`."""

    words: str


@dataclass(frozen=True)
class Succeeded:
    """The attacker has got `prize`."""

    prize: str


Outcome = Refused | Succeeded
SILENCE = Refused("silence: nothing arrives")


@dataclass(frozen=True)
class Attempt:
    """One row. `refusal` is what the words must contain; `guards` are those that a control switches off, or
    `given` says whose the guard is that none can."""

    name: str
    channel: str
    tries: str
    refusal: str
    guards: tuple[str, ...]
    run: Callable[[Any], Awaitable[Outcome] | Outcome]
    given: str = ""

    def __post_init__(self) -> None:
        if bool(self.guards) == bool(self.given):
            raise ValueError(f"{self.name} needs a guard that a control switches off, or why there is none")

    def __str__(self) -> str:
        return self.name


@dataclass
class Matrix:
    """The attempts of one layer, in the order in which they are written."""

    attempts: list[Attempt] = field(default_factory=list)

    def attempt(
        self, name: str, channel: str, tries: str, *, refusal: str, guard: str = "", given: str = ""
    ) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
        """Declare the decorated function as an attempt."""

        def declare(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
            guards = (guard,) if guard else ()
            if any(known.name == name for known in self.attempts):
                raise ValueError(f"two attempts are called {name}")
            self.attempts.append(Attempt(name, channel, tries, refusal, guards, function, given))
            return function

        return declare

    def controls(self) -> list[tuple[Attempt, str]]:
        """Every attempt with each guard that alone stands before it."""
        return [(attempt, guard) for attempt in self.attempts for guard in attempt.guards]


def judge(attempt: Attempt, outcome: Outcome) -> None:
    """Raise unless it was refused as declared."""
    if isinstance(outcome, Succeeded):
        raise AssertionError(f"{attempt.name} succeeded: {outcome.prize}")
    if attempt.refusal.lower() not in outcome.words.lower():
        raise AssertionError(
            f"{attempt.name} was refused otherwise: {outcome.words!r}, not {attempt.refusal!r}"
        )


def layers() -> list[Attempt]:
    """All attempts of all layers: every module `attempts_*.py` below this folder declares some."""
    modules = sorted(HERE.rglob("attempts_*.py"))
    matrices: list[Matrix] = []
    for path in modules:
        dotted = ".".join(path.relative_to(HERE.parents[1]).with_suffix("").parts)
        matrix = importlib.import_module(dotted).MATRIX
        if not any(matrix is known for known in matrices):
            matrices.append(matrix)
    return [attempt for matrix in matrices for attempt in matrix.attempts]


def render(attempts: list[Attempt]) -> str:
    """The table in Markdown."""
    rows = [
        "| # | Channel | Attempt | Refused with | Switched off in the control |",
        "|---|---|---|---|---|",
    ]
    for number, attempt in enumerate(attempts, 1):
        tries = f"`{attempt.name}`: {attempt.tries}"
        guards = ", ".join(attempt.guards) or f"*given*: {attempt.given}"
        rows.append(f"| {number} | {attempt.channel} | {tries} | {attempt.refusal} | {guards} |")
    return "\n".join(rows) + "\n"


def document() -> str:
    """The page of the documentation."""
    return _INTRODUCTION + render(layers())
