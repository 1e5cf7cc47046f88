"""Keeps voluntary disruptions from taking both replicas at once."""

from __future__ import annotations

from smarttrade_operator.children.blueprint import Blueprint, build_child, build_selector
from smarttrade_operator.kinds import DISRUPTION_BUDGET, Manifest


def build_pod_disruption_budget(blueprint: Blueprint) -> Manifest | None:
    """None for a single replica: a budget of one would only block the draining of nodes.

    Broken pods may always be evicted; otherwise a crash-looping account would hold a node for ever.
    """
    if blueprint.spec.replicas < 2:
        return None
    return build_child(
        blueprint,
        DISRUPTION_BUDGET,
        blueprint.identity.name,
        spec={
            "maxUnavailable": 1,
            "selector": {"matchLabels": build_selector(blueprint.identity)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    )
