"""What labels and names say does not make an object the operator's to change; without the guard it does."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.attacks.matrix import Attempt, Succeeded, judge
from tests.attacks.operator.attempts_operator import MATRIX, UNGUARDED, Domain
from tests.component.api.client import Client
from tests.component.operator.conftest import SHARED, RunShared, make_namespace
from tests.component.operator.harness import Namespace, OperatorProcess, build_account, eventually

UNGUARDEDS = "unguarded"


@pytest.fixture(scope="module")
def unguarded_operator(run_shared: RunShared) -> Iterator[OperatorProcess]:
    """One that serves an installation of its own, with ownership switched off."""
    with run_shared(UNGUARDEDS, ["-c", UNGUARDED]) as operator:
        yield operator


@dataclass(frozen=True)
class Victim:
    """Another tenant's account of the same operator's."""

    namespace: Namespace

    def start(self) -> None:
        self.namespace.create("TradingAccount", build_account("victim"))
        self.namespace.wait("Deployment", "victim")
        self.namespace.wait_condition("victim", "ConfigApplied", "AwaitingPods")

    def children(self) -> list[tuple[str, str]]:
        """What it consists of, each as it was last written."""
        kinds = ("Deployment", "NetworkPolicy", "PodDisruptionBudget", "Secret")
        return [
            (f"{kind} {each['metadata']['name']}", each["metadata"]["resourceVersion"])
            for kind in kinds
            for each in self.namespace.items(kind)
        ]

    def is_served(self) -> None:
        """A change of it is carried out."""
        self.namespace.patch("TradingAccount", "victim", {"spec": {"replicas": 1}})

        def carried_out() -> bool:
            return bool(self.namespace.get("Deployment", "victim")["spec"]["replicas"] == 1)

        eventually(carried_out, 60, "the victim's change is carried out")


@pytest.fixture
def victim(client: Client, operator: OperatorProcess) -> Iterator[Victim]:
    made = Victim(Namespace(client, f"victim-{uuid.uuid4().hex[:8]}", SHARED))
    make_namespace(client, made.namespace.name)
    made.start()
    operator.await_calm()
    yield made
    made.namespace.release("TradingAccount", "victim")


@pytest.mark.parametrize("attempt", MATRIX.attempts, ids=str)
def test_it_is_refused_and_another_account_notices_nothing(
    operator: OperatorProcess, namespace: Namespace, victim: Victim, attempt: Attempt
) -> None:
    before = victim.children()
    judge(attempt, attempt.run(Domain(operator, namespace)))  # type: ignore[arg-type]
    assert victim.children() == before
    victim.is_served()


@pytest.mark.parametrize(("attempt", "guard"), MATRIX.controls(), ids=str)
def test_without_its_guard_it_succeeds(
    unguarded_operator: OperatorProcess, namespace: Namespace, attempt: Attempt, guard: str
) -> None:
    namespace.installation = UNGUARDEDS
    outcome = attempt.run(Domain(unguarded_operator, namespace))
    assert isinstance(outcome, Succeeded), f"without {guard}: {outcome}"
