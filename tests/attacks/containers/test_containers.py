"""In the containers' own code: each attempt is refused as declared, and succeeds unguarded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.containers.attempts_containers import MATRIX, Place
from tests.attacks.matrix import Attempt, Succeeded, judge


@pytest.mark.parametrize("attempt", MATRIX.attempts, ids=str)
def test_it_is_refused(tmp_path: Path, attempt: Attempt) -> None:
    judge(attempt, attempt.run(Place(tmp_path)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("attempt", "guard"), MATRIX.controls(), ids=str)
def test_without_its_guard_it_succeeds(tmp_path: Path, attempt: Attempt, guard: str) -> None:
    outcome = attempt.run(Place(tmp_path, off=guard))
    assert isinstance(outcome, Succeeded), f"without {guard}: {outcome}"
