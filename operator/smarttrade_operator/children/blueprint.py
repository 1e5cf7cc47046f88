"""What every builder needs to know of one account, and what all of its children have in common."""

from __future__ import annotations

from dataclasses import dataclass

from smarttrade.api import TradingAccountSpec
from smarttrade.api.catalogue import Endpoint
from smarttrade.bus.gateway import build_user, in_order
from smarttrade.identity import AccountIdentity
from smarttrade_operator.kinds import TRADING_ACCOUNT, Kind, Manifest
from smarttrade_operator.settings import Network, Runtime

ACCOUNT_LABEL = "smarttrade.io/account"
MANAGED_BY = "smarttrade-operator"
CHILD_SELECTOR = f"app.kubernetes.io/managed-by={MANAGED_BY},{ACCOUNT_LABEL}"


# Names that the pods know without DNS: (address, name).
Aliases = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """One account as its children are built from it; `uid` is the object's, for owner references."""

    identity: AccountIdentity
    uid: str
    spec: TradingAccountSpec
    endpoint: Endpoint
    runtime: Runtime
    network: Network
    aliases: Aliases = ()

    @property
    def gateways(self) -> tuple[str, ...]:
        """The account's way out in its own order; none where it is straight or ends in the cluster."""
        straight = self.endpoint.pods is not None
        return () if straight else in_order(self.identity, self.network.gateways)

    def gateway_user(self, issued_s: int) -> str:
        exchange = self.spec.exchange
        return build_user(self.identity, exchange.name, exchange.environment, issued_s)

    @property
    def secret_name(self) -> str:
        return secret_name(self.identity)


def secret_name(identity: AccountIdentity) -> str:
    """The Secret that holds the account's NATS credentials."""
    return f"{identity.name}-nats"


def build_selector(identity: AccountIdentity) -> dict[str, str]:
    """The labels by which the account's pods are selected. They can never change: Deployments forbid it."""
    return {"app.kubernetes.io/name": "tradingaccount", ACCOUNT_LABEL: identity.name}


def build_labels(identity: AccountIdentity) -> dict[str, str]:
    return build_selector(identity) | {
        "app.kubernetes.io/instance": identity.name,
        "app.kubernetes.io/managed-by": MANAGED_BY,
    }


def build_child(blueprint: Blueprint, kind: Kind, name: str, **content: object) -> Manifest:
    """A manifest with the labels and the owner that all children share."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": name,
            "namespace": blueprint.identity.namespace,
            "labels": build_labels(blueprint.identity),
            "ownerReferences": [_build_owner(blueprint)],
        },
        **content,
    }


def _build_owner(blueprint: Blueprint) -> Manifest:
    return {
        "apiVersion": TRADING_ACCOUNT.api_version,
        "kind": TRADING_ACCOUNT.kind,
        "name": blueprint.identity.name,
        "uid": blueprint.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
