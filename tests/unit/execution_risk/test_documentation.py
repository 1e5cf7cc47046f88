"""docs/risk.md says what the code does: its tables are built here from the code and compared."""

from __future__ import annotations

from pathlib import Path

from smarttrade.execution.risk import CHECKS, Kind
from smarttrade.execution.state import TABLE

DOCUMENT = Path(__file__).parents[3] / "docs" / "risk.md"


def build_checks_table() -> list[str]:
    kinds = (Kind.OPENING, Kind.REDUCING, Kind.PROTECTIVE, Kind.CANCEL)
    return [
        f"| {check.code} | {' | '.join('yes' if kind in check.applies_to else '-' for kind in kinds)} "
        f"| {check.about} |"
        for check in CHECKS
    ]


def build_states_table() -> list[str]:
    return [
        f"| {state} | {'yes' if row.new_entries else 'no'} | {row.reducing} "
        f"| {'kept' if row.own_entries_kept else 'cancelled'} | {row.protection} |"
        for state, row in TABLE.items()
    ]


def rows(heading: str) -> list[str]:
    """The body of the first table after a heading's line."""
    lines = iter(DOCUMENT.read_text().splitlines())
    while not next(lines).startswith(heading):
        pass
    while not next(lines).startswith("|---"):
        pass
    body: list[str] = []
    for line in lines:
        if not line.startswith("|"):
            break
        body.append(line)
    return body


def test_the_documented_checks_are_the_ones_in_the_code() -> None:
    assert rows("| code |") == build_checks_table()


def test_the_documented_states_are_the_ones_in_the_code() -> None:
    assert rows("| state |") == build_states_table()
