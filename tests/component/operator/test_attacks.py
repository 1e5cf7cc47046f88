"""What labels and names say does not make an object the operator's to change; without the guard it does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.matrix import Attempt, Succeeded, judge
from tests.attacks.operator.attempts_operator import MATRIX, UNGUARDED, Domain
from tests.component.operator.conftest import RunShared
from tests.component.operator.harness import Namespace, OperatorProcess

UNGUARDEDS = "unguarded"


@pytest.fixture(scope="module")
def unguarded_operator(run_shared: RunShared) -> Iterator[OperatorProcess]:
    """One that serves an installation of its own, with ownership switched off."""
    with run_shared(UNGUARDEDS, ["-c", UNGUARDED]) as operator:
        yield operator


@pytest.mark.parametrize("attempt", MATRIX.attempts, ids=str)
def test_it_is_refused(operator: OperatorProcess, namespace: Namespace, attempt: Attempt) -> None:
    judge(attempt, attempt.run(Domain(operator, namespace)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("attempt", "guard"), MATRIX.controls(), ids=str)
def test_without_its_guard_it_succeeds(
    unguarded_operator: OperatorProcess, namespace: Namespace, attempt: Attempt, guard: str
) -> None:
    namespace.installation = UNGUARDEDS
    outcome = attempt.run(Domain(unguarded_operator, namespace))
    assert isinstance(outcome, Succeeded), f"without {guard}: {outcome}"
