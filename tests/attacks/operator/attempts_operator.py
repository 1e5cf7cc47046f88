"""Labels and names written so that the operator takes over, changes or deletes what is somebody else's."""

from __future__ import annotations

from dataclasses import dataclass

from tests.attacks.matrix import Matrix, Outcome, Refused, Succeeded
from tests.component.operator.harness import (
    Manifest,
    Namespace,
    OperatorProcess,
    build_account,
    eventually,
)

MATRIX = Matrix()
CHANNEL = "operator"
OWNERSHIP = "ownership"
LABELS = {"app.kubernetes.io/managed-by": "smarttrade-operator", "smarttrade.io/account": "alice"}
CLOSED = {"podSelector": {"matchLabels": {"of": "somebody"}}, "policyTypes": ["Ingress", "Egress"]}

# As `smarttrade_operator.main`, but whatever it is asked about is its own.
UNGUARDED = """
from smarttrade_operator import ownership
ownership.is_controlled_by = lambda manifest, uid: True
from smarttrade_operator import main
main.main(["run"])
"""


@dataclass(frozen=True)
class Domain:
    """A namespace, and the operator that serves it."""

    operator: OperatorProcess
    namespace: Namespace

    def calm(self) -> None:
        self.operator.await_calm()

    def refused(self) -> Outcome:
        """In the account's own condition."""
        condition = self.namespace.condition("alice", "ConfigApplied")
        return Refused(f"{condition['reason']}: {condition['message']}")


def _policy(name: str, labels: dict[str, str], owners: list[Manifest] | None = None) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "labels": labels, "ownerReferences": owners or []},
        "spec": CLOSED,
    }


def _is_decided(domain: Domain, kind: str, name: str) -> bool:
    """The account's object has been judged: refused, or whatever it was after is now its own."""
    if domain.namespace.condition("alice", "ConfigApplied")["reason"] == "NameTaken":
        return True
    found = domain.namespace.find(kind, name)
    return found is None or "alice" in str(found["metadata"].get("ownerReferences"))


@MATRIX.attempt(
    "be-adopted",
    CHANNEL,
    "labels a network policy that opens everything like an account's, to be adopted as that account's",
    refusal="exists and does not belong to this TradingAccount",
    guard=OWNERSHIP,
)
def be_adopted(domain: Domain) -> Outcome:
    place = domain.namespace
    place.create("NetworkPolicy", _policy("alice", LABELS))
    place.create("TradingAccount", build_account("alice"))
    eventually(lambda: _is_decided(domain, "NetworkPolicy", "alice"), 60, "the operator has decided")
    found = place.get("NetworkPolicy", "alice")
    if found["spec"]["podSelector"] == CLOSED["podSelector"] and not found["metadata"].get("ownerReferences"):
        return domain.refused()
    return Succeeded("it is the account's own now")


@MATRIX.attempt(
    "take-over-anothers",
    CHANNEL,
    "names an account like a policy that another object controls, to have it replaced",
    refusal="exists and does not belong to this TradingAccount",
    guard=OWNERSHIP,
)
def take_over_anothers(domain: Domain) -> Outcome:
    place = domain.namespace
    other = {
        "apiVersion": "smarttrade.io/v1alpha1",
        "kind": "TradingAccount",
        "metadata": {"name": "owner", "labels": {"smarttrade.io/installation": "nobody"}},
        "spec": build_account("owner")["spec"],
    }
    owner = {"apiVersion": other["apiVersion"], "kind": other["kind"], "name": "owner", "controller": True}
    owner["uid"] = place.create("TradingAccount", other)["metadata"]["uid"]
    place.create("NetworkPolicy", _policy("alice", LABELS, [owner]))
    place.create("TradingAccount", build_account("alice"))

    def decided() -> bool:
        refused = place.condition("alice", "ConfigApplied")["reason"] == "NameTaken"
        return refused or place.get("NetworkPolicy", "alice")["spec"]["podSelector"] != CLOSED["podSelector"]

    eventually(decided, 60, "the operator has decided")
    if place.get("NetworkPolicy", "alice")["spec"]["podSelector"] == CLOSED["podSelector"]:
        return domain.refused()
    return Succeeded("the policy now selects other pods")


@MATRIX.attempt(
    "have-it-pruned",
    CHANNEL,
    "labels somebody's policy like an account's superfluous child, to have it deleted",
    refusal="it is left alone",
    guard=OWNERSHIP,
)
def have_it_pruned(domain: Domain) -> Outcome:
    place = domain.namespace
    place.create("NetworkPolicy", _policy("precious", LABELS))
    place.create("TradingAccount", build_account("alice"))
    place.wait("Deployment", "alice")
    domain.calm()
    pruned = place.find("NetworkPolicy", "precious") is None
    return Succeeded("it is deleted") if pruned else Refused("it is left alone")


@MATRIX.attempt(
    "have-it-deleted-with-the-account",
    CHANNEL,
    "labels somebody's policy like an account's child and deletes the account",
    refusal="it is left alone",
    guard=OWNERSHIP,
)
def have_it_deleted_with_the_account(domain: Domain) -> Outcome:
    place = domain.namespace
    place.create("TradingAccount", build_account("alice"))
    place.wait("Deployment", "alice")
    place.create("NetworkPolicy", _policy("precious", LABELS))
    place.delete("TradingAccount", "alice")
    eventually(lambda: place.find("TradingAccount", "alice") is None, 60, "the account is gone")
    pruned = place.find("NetworkPolicy", "precious") is None
    return Succeeded("it is deleted") if pruned else Refused("it is left alone")
