from __future__ import annotations

import time
import uuid

import pytest

from cluster.controlplane import ControlPlane
from smarttrade.api.crds.document import NAME, build_crd
from tests.component.api.client import Client

_DEFINITION = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{NAME}"


@pytest.fixture(scope="session")
def client(control_plane: ControlPlane) -> Client:
    return Client(control_plane.kubeconfig)


@pytest.fixture(scope="session")
def definition(client: Client) -> dict[str, str]:
    """Installs the generated definition; its conditions, once it is established."""
    answer = client.apply(_DEFINITION, build_crd())
    assert answer.status in (200, 201), answer.message
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        status = client.call("GET", _DEFINITION).body.get("status", {})
        conditions = {each["type"]: each["status"] for each in status.get("conditions") or []}
        if conditions.get("Established") == "True" and _is_served(client):
            return conditions
        time.sleep(0.05)
    raise AssertionError(f"not established: {conditions}")


def _is_served(client: Client) -> bool:
    return client.call("GET", "/apis/smarttrade.io/v1alpha1/tradingaccounts").status == 200


@pytest.fixture(scope="session")
def accounts(client: Client, definition: dict[str, str]) -> str:
    """Path of the accounts of a namespace of these tests' own."""
    namespace = f"api-{uuid.uuid4().hex[:8]}"
    client.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    return f"/apis/smarttrade.io/v1alpha1/namespaces/{namespace}/tradingaccounts"
