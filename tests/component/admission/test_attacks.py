"""What a tenant must not be let through is refused, and admitted where just that rule is not bound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.attacks.matrix import Attempt, Refused, Succeeded, judge
from tests.attacks.objects.attempts_admission import MATRIX, Tenancy
from tests.component.admission.conftest import PLURALS, POLICIES, build_live
from tests.component.api.client import Client
from tests.component.operator.harness import Namespace, eventually

BINDINGS = f"{POLICIES}/{PLURALS['ValidatingAdmissionPolicyBinding']}"
RIGHTS = {"apiGroups": ["smarttrade.io"], "resources": ["tradingaccounts"], "verbs": ["*"]}


@pytest.fixture
def tenancy(namespace: Namespace) -> Tenancy:
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace.name}"
    binding = {
        "metadata": {"name": "mallory"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "mallory"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "mallory"}],
    }
    role = {"metadata": {"name": "mallory"}, "rules": [RIGHTS]}
    for kind, body in (("roles", role), ("rolebindings", binding)):
        assert namespace.client.call("POST", f"{path}/{kind}", body).status == 201
    own = Namespace(namespace.client.as_user("mallory"), namespace.name)
    listed = own.path("TradingAccount")
    eventually(lambda: own.client.call("GET", listed).status == 200, what="the right is known")
    return Tenancy(own, namespace, build_live)


@contextmanager
def unbound(client: Client, rule: str) -> Iterator[None]:
    """Meanwhile the rule is there and binds nobody."""
    [binding] = [
        each
        for each in client.call("GET", BINDINGS).body["items"]
        if each["metadata"]["name"].endswith(f"-{rule}")
    ]
    name = binding["metadata"]["name"]
    assert client.call("DELETE", f"{BINDINGS}/{name}").status == 200
    try:
        yield
    finally:
        bound = {**binding, "metadata": {"name": name, "labels": binding["metadata"]["labels"]}}
        assert client.call("POST", BINDINGS, bound).status == 201


@pytest.mark.parametrize("attempt", MATRIX.attempts, ids=str)
def test_it_is_refused(tenancy: Tenancy, attempt: Attempt) -> None:
    judge(attempt, attempt.run(tenancy))  # type: ignore[arg-type]


@pytest.mark.parametrize(("attempt", "guard"), MATRIX.controls(), ids=str)
def test_without_its_guard_it_succeeds(
    client: Client, tenancy: Tenancy, attempt: Attempt, guard: str
) -> None:
    """The API server takes a moment to notice, both times."""
    with unbound(client, guard):
        eventually(lambda: isinstance(attempt.run(tenancy), Succeeded), 60, f"succeeds without {guard}")
    eventually(lambda: isinstance(attempt.run(tenancy), Refused), 60, f"{guard} is in force again")
