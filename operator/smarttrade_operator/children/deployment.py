"""The Deployment that runs the account's pods.

Nothing of the operator's own version may enter the pod template: upgrading the operator must leave every
account's pods alone. What may change without a restart travels through NATS, never through the template.
"""

from __future__ import annotations

from typing import Any

from smarttrade_operator.children.blueprint import (
    Aliases,
    Blueprint,
    build_child,
    build_labels,
    build_selector,
)
from smarttrade_operator.children.containers import ROLES, build_container, build_volumes
from smarttrade_operator.kinds import DEPLOYMENT, Manifest

GRACE_PERIOD_S = 30
# Read by the bandwidth plugin of the nodes' network; without it nothing is limited.
EGRESS_BANDWIDTH = "kubernetes.io/egress-bandwidth"


def build_deployment(blueprint: Blueprint) -> Manifest:
    """A rollout starts the new pod, lets it take the lead, and only then stops the old one."""
    return build_child(
        blueprint,
        DEPLOYMENT,
        blueprint.identity.name,
        spec={
            "replicas": blueprint.spec.replicas,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 300,
            "selector": {"matchLabels": build_selector(blueprint.identity)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {
                    "labels": build_labels(blueprint.identity),
                    "annotations": {EGRESS_BANDWIDTH: blueprint.spec.resources.egress_bandwidth},
                },
                "spec": _build_pod(blueprint),
            },
        },
    )


def _build_pod(blueprint: Blueprint) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_PERIOD_S,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "topologySpreadConstraints": [_build_spread(blueprint)],
        "containers": [build_container(blueprint, role) for role in ROLES],
        "volumes": build_volumes(blueprint),
    }
    if blueprint.aliases:
        # A resolver is demanded; nobody listens there, so a look-up fails at once.
        pod |= {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["127.0.0.1"]}}
        pod["hostAliases"] = _build_aliases(blueprint.aliases)
    if blueprint.runtime.runtime_class:
        pod["runtimeClassName"] = blueprint.runtime.runtime_class
    if blueprint.runtime.priority_class:
        pod["priorityClassName"] = blueprint.runtime.priority_class
    if blueprint.runtime.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in blueprint.runtime.pull_secrets]
    return pod


def _build_aliases(aliases: Aliases) -> list[dict[str, Any]]:
    addresses = sorted({address for address, _ in aliases})
    return [
        {"ip": address, "hostnames": sorted(name for at, name in aliases if at == address)}
        for address in addresses
    ]


def _build_spread(blueprint: Blueprint) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": blueprint.spec.topology_spread.value,
        "labelSelector": {"matchLabels": build_selector(blueprint.identity)},
    }
