"""The table in the documentation is that of the tests, and the matrix judges as it says."""

from pathlib import Path

import pytest

from tests.attacks.matrix import (
    DOCUMENT,
    Attempt,
    Matrix,
    Outcome,
    Refused,
    Succeeded,
    document,
    judge,
    layers,
)

ROOT = Path(__file__).resolve().parents[3]
ATTEMPT = Attempt("a", "NATS", "tries", "permissions violation", ("lists",), lambda scene: Refused(""))


def test_the_documented_table_follows_from_the_attempts() -> None:
    assert (ROOT / DOCUMENT).read_text() == document(), "run `make attack-table`"


def test_every_layer_is_in_the_table_once() -> None:
    names = [attempt.name for attempt in layers()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("outcome", [Succeeded("the log"), Refused("timed out")])
def test_success_and_another_refusal_are_failures(outcome: Outcome) -> None:
    with pytest.raises(AssertionError, match=r"succeeded: the log|refused otherwise: 'timed out'"):
        judge(ATTEMPT, outcome)


def test_the_refusal_may_say_more() -> None:
    judge(ATTEMPT, Refused('Permissions Violation for Publish to "log"'))


def test_two_attempts_of_one_name_are_an_error() -> None:
    matrix = Matrix()
    matrix.attempt("a", "NATS", "x", refusal="y", guard="z")(lambda scene: Refused(""))
    with pytest.raises(ValueError, match="two attempts are called a"):
        matrix.attempt("a", "NATS", "x", refusal="y", guard="z")(lambda scene: Refused(""))


@pytest.mark.parametrize("why", [{}, {"guard": "lists", "given": "the kernel's"}])
def test_an_attempt_needs_a_guard_to_switch_off_or_a_reason(why: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="a needs a guard that a control switches off, or why"):
        Matrix().attempt("a", "NATS", "x", refusal="y", **why)(lambda scene: Refused(""))
