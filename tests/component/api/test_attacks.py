"""Malicious objects are refused by the definition; where it checks types alone they are stored."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from smarttrade.api.crds.document import build_crd
from tests.attacks.matrix import Attempt, Succeeded, judge
from tests.attacks.objects.attempts_objects import MATRIX, Registry, weaken
from tests.component.api.client import Client
from tests.component.operator.harness import eventually

WEAK = "weak.smarttrade.io"


@pytest.fixture(scope="module")
def place(client: Client) -> str:
    name = f"objects-{uuid.uuid4().hex[:6]}"
    assert client.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}}).status == 201
    return name


@pytest.fixture(scope="module")
def guarded(client: Client, definition: None, place: str) -> Registry:
    return Registry(client, "smarttrade.io", place)


@pytest.fixture(scope="module")
def weakened(client: Client, place: str) -> Iterator[Registry]:
    definition = weaken(build_crd(), WEAK)
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition['metadata']['name']}"
    assert client.apply(path, definition).status == 201
    served = f"/apis/{WEAK}/v1alpha1/tradingaccounts"
    eventually(lambda: client.call("GET", served).status == 200, 60, "the weakened definition is served")
    yield Registry(client, WEAK, place)
    client.call("DELETE", path)


@pytest.mark.parametrize("attempt", MATRIX.attempts, ids=str)
def test_it_is_refused(guarded: Registry, attempt: Attempt) -> None:
    judge(attempt, attempt.run(guarded))  # type: ignore[arg-type]


@pytest.mark.parametrize(("attempt", "guard"), MATRIX.controls(), ids=str)
def test_without_its_guard_it_succeeds(weakened: Registry, attempt: Attempt, guard: str) -> None:
    outcome = attempt.run(weakened)
    assert isinstance(outcome, Succeeded), f"without the {guard}: {outcome}"
