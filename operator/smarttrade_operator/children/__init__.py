"""Pure builders: one account in, plain manifests out. Nothing here reads a clock, a file or the API."""

from smarttrade_operator.children.blueprint import Blueprint
from smarttrade_operator.children.credentials import build_credentials_secret
from smarttrade_operator.children.deployment import build_deployment
from smarttrade_operator.children.disruption_budget import build_pod_disruption_budget
from smarttrade_operator.children.network_policy import build_network_policy
from smarttrade_operator.kinds import Manifest

__all__ = [
    "Blueprint",
    "build_children",
    "build_credentials_secret",
    "build_deployment",
    "build_network_policy",
    "build_pod_disruption_budget",
]


def build_children(blueprint: Blueprint) -> list[Manifest]:
    """Every child of the account that the operator watches, in the order in which they are applied.

    The policy comes before the pods that it confines. The credentials Secret is not among them: it is
    written when credentials are made, never compared.
    """
    budget = build_pod_disruption_budget(blueprint)
    return [
        build_network_policy(blueprint),
        *([budget] if budget else []),
        build_deployment(blueprint),
    ]
