"""What the commands by hand conclude from what they see, and that their page says the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from smarttrade.cli import main
from smarttrade.cli.halting import describe, says_halted
from smarttrade.execution.commands_wire import Answer, Line, Result, worst
from smarttrade.execution.strangers import SHARED

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "by-hand.md").read_text()


def build_status(state: str = "Halted", applied: str = "True", generation: int = 7) -> dict[str, Any]:
    condition = {"type": "ConfigApplied", "status": applied, "observedGeneration": generation}
    return {"effectiveState": state, "conditions": [condition]}


def test_a_halt_is_confirmed_by_pods_that_run_the_changed_object() -> None:
    assert says_halted(build_status(), 7)
    assert says_halted(build_status(generation=8), 7)


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"effectiveState": "Halted"},
        build_status("Active"),
        build_status(applied="Unknown"),
        build_status(generation=6),
    ],
    ids=["nothing is known", "no condition", "another state", "a pod is behind", "an older object"],
)
def test_nothing_less_confirms_it(status: dict[str, Any]) -> None:
    assert not says_halted(status, 7)


def test_a_pod_without_an_answer_is_said_to_be_unknown() -> None:
    assert describe("a", "pod a cannot be reached: no route") == [
        "a: UNKNOWN, pod a cannot be reached: no route"
    ]


def test_an_answer_is_as_bad_as_its_worst_line() -> None:
    def line(result: Result) -> Line:
        return Line(subject="x", result=result, message="m")

    assert worst(()) is Result.DONE
    assert worst((line(Result.DONE), line(Result.REFUSED))) is Result.REFUSED
    assert worst((line(Result.REFUSED), line(Result.UNKNOWN), line(Result.DONE))) is Result.UNKNOWN


def test_every_line_of_an_answer_is_shown() -> None:
    lines = (Line(subject="sT1", result=Result.DONE, message="cancelled in BTC/USDT"),)
    answer = Answer(pod="a", leading=True, state="Halted", result=Result.DONE, lines=lines)
    assert describe("a", answer) == ["a (the leader): Halted, Done", "  sT1: Done, cancelled in BTC/USDT"]


# --- the page ---------------------------------------------------------------------------------------------


def test_the_page_names_every_reason_of_the_preflight() -> None:
    source = (ROOT / "runtime" / "smarttrade" / "execution" / "preflight.py").read_text()
    reasons = {*re.findall(r'Hold\(\s*"(\w+)"', source), SHARED} - {"BalanceUnread"}
    shown = set(re.findall(r"^\| (\w+) \|", PAGE, re.MULTILINE)) - {"reason", "command"}
    assert shown == reasons


def test_every_command_on_the_page_exists() -> None:
    names = {command.callback.__name__ for command in main.app.registered_commands if command.callback}
    groups = {group.name for group in main.app.registered_groups}
    used = set(re.findall(r"smarttrade ([a-z]+)\b", PAGE)) - {"are"}
    assert used <= names | groups
    assert {"orders", "cancel", "close", "adopt", "halt", "order", "breach"} <= used
