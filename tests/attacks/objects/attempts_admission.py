"""With a tenant's own rights: what the definition lets pass and the chart's rules of admission refuse."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from tests.attacks.matrix import Matrix, Outcome, Refused, Succeeded
from tests.component.api.client import Answer, Client
from tests.component.operator.harness import Manifest, Namespace, build_account

MATRIX = Matrix()
CHANNEL = "objects: rules of admission"
SETTLE = "smarttrade.io/settle"


@dataclass(frozen=True)
class Tenancy:
    """A namespace as its tenant sees it, and as the platform does, which writes the status there."""

    own: Namespace
    platform: Namespace
    build_live: Callable[..., Manifest]

    def open_account(self, **status: object) -> str:
        """The path of a new Live account of the tenant's."""
        name = f"mallory-{uuid.uuid4().hex[:6]}"
        self.own.create("TradingAccount", self.build_live(name))
        self.platform.patch("TradingAccount", name, {"status": status}, status=True)
        return self.own.path("TradingAccount", name)

    @property
    def client(self) -> Client:
        return self.own.client


def _tell(answer: Answer) -> Outcome:
    return Succeeded("admitted") if answer.status in (200, 201, 202) else Refused(answer.message)


@MATRIX.attempt(
    "delete-what-is-open",
    CHANNEL,
    "deletes a Live account with an open order, which then nobody watches",
    refusal="has open orders or positions",
    guard="account-deletion",
)
def delete_what_is_open(tenancy: Tenancy) -> Outcome:
    return _tell(tenancy.client.call("DELETE", tenancy.open_account(openOrders=1)))


@MATRIX.attempt(
    "delete-a-tenants-namespace",
    CHANNEL,
    "deletes a tenant's whole namespace with a right to delete namespaces",
    refusal="holds trading accounts",
    guard="namespace-deletion",
)
def delete_a_namespace(tenancy: Tenancy) -> Outcome:
    name = f"tenant-{uuid.uuid4().hex[:6]}"
    body = {"metadata": {"name": name, "labels": {"smarttrade.io/tenant": name}}}
    assert tenancy.platform.client.call("POST", "/api/v1/namespaces", body).status == 201
    return _tell(tenancy.platform.client.call("DELETE", f"/api/v1/namespaces/{name}"))


@MATRIX.attempt(
    "leave-without-settling",
    CHANNEL,
    "takes the finalizer away that keeps the audit trail and ends the credentials",
    refusal=f"must keep {SETTLE}",
    guard="account-settlement",
)
def leave_without_settling(tenancy: Tenancy) -> Outcome:
    path = tenancy.open_account(openOrders=0)
    assert tenancy.client.merge(path, {"metadata": {"finalizers": [SETTLE]}}).status == 200
    return _tell(tenancy.client.merge(path, {"metadata": {"finalizers": None}}))


@MATRIX.attempt(
    "take-all-bandwidth",
    CHANNEL,
    "gives its pods a thousand times the bandwidth that anybody may have",
    refusal="the platform allows at most",
    guard="account-bandwidth",
)
def take_all_bandwidth(tenancy: Tenancy) -> Outcome:
    greedy = build_account(f"mallory-{uuid.uuid4().hex[:6]}", resources={"egressBandwidth": "100G"})
    return _tell(tenancy.client.call("POST", tenancy.own.path("TradingAccount"), greedy))


@MATRIX.attempt(
    "acknowledge-unseen",
    CHANNEL,
    "acknowledges a breach before there is one, to trade on through it",
    refusal="must be the id in status.breach",
    guard="breach-acknowledgement",
)
def acknowledge_unseen(tenancy: Tenancy) -> Outcome:
    path = tenancy.open_account(openOrders=0)
    return _tell(tenancy.client.merge(path, {"spec": {"acknowledgedBreach": "DailyLoss-1"}}))
