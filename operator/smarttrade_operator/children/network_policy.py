"""Default deny around one account's pods, with exactly the openings that they need.

NetworkPolicy is additive: another policy in the namespace can open more, never less. Probes come from the
node itself, which the specification of NetworkPolicy always lets through, so they need no opening.
"""

from __future__ import annotations

from typing import Any

from smarttrade_operator.children.blueprint import Blueprint, build_child, build_selector
from smarttrade_operator.children.containers import PORTS
from smarttrade_operator.kinds import NETWORK_POLICY, Manifest
from smarttrade_operator.settings import Labels, Network

Rule = dict[str, Any]

# Private, link-local (cloud metadata), shared, multicast and reserved ranges: no exchange is there.
NOT_PUBLIC_V4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
# Of IPv6 only global unicast is opened, without documentation and 6to4, which could wrap a private address.
PUBLIC_V6 = "2000::/3"
NOT_PUBLIC_V6 = ("2001:db8::/32", "2002::/16")


def build_network_policy(blueprint: Blueprint) -> Manifest:
    """Egress to NATS and the account's exchange, straight or through the gateways, and to DNS where the pods
    have no other way to names; ingress for the scrape of metrics where configured."""
    network = blueprint.network
    return build_child(
        blueprint,
        NETWORK_POLICY,
        blueprint.identity.name,
        spec={
            "podSelector": {"matchLabels": build_selector(blueprint.identity)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": _build_scrape(network),
            "egress": [
                _build_nats(network),
                *([] if blueprint.aliases else [_build_dns(network)]),
                _build_gateways(blueprint) if blueprint.gateways else _build_exchange(blueprint),
            ],
        },
    )


def _build_scrape(network: Network) -> list[Rule]:
    if not network.metrics_namespace_labels:
        return []
    return [
        {
            "from": [{"namespaceSelector": {"matchLabels": dict(network.metrics_namespace_labels)}}],
            "ports": [_tcp(port) for port in PORTS.values()],
        }
    ]


def _build_nats(network: Network) -> Rule:
    inside = _pods({"kubernetes.io/metadata.name": network.nats_namespace}, network.nats_pod_labels)
    outside = [{"ipBlock": {"cidr": cidr}} for cidr in network.nats_cidrs]
    return {"to": outside or [inside], "ports": [_tcp(network.nats_port)]}


def _build_dns(network: Network) -> Rule:
    return {
        "to": [_pods(network.dns_namespace_labels, network.dns_pod_labels)],
        "ports": [{"protocol": "UDP", "port": 53}, _tcp(53)],
    }


def _build_gateways(blueprint: Blueprint) -> Rule:
    network = blueprint.network
    place = {"kubernetes.io/metadata.name": network.gateway_namespace}
    ports = sorted({int(gateway.rpartition(":")[2]) for gateway in blueprint.gateways})
    return {"to": [_pods(place, network.gateway_pod_labels)], "ports": [_tcp(port) for port in ports]}


def _build_exchange(blueprint: Blueprint) -> Rule:
    endpoint = blueprint.endpoint
    if endpoint.pods is not None:
        pods = endpoint.pods
        return {"to": [_pods(pods.namespace_labels, pods.pod_labels)], "ports": [_tcp(pods.port)]}
    if endpoint.cidrs:
        return {"to": [{"ipBlock": {"cidr": cidr}} for cidr in endpoint.cidrs], "ports": [_tcp(443)]}
    return {"to": _build_internet(blueprint.network.cluster_cidrs), "ports": [_tcp(443)]}


def _build_internet(cluster_cidrs: tuple[str, ...]) -> list[Rule]:
    v4 = [cidr for cidr in cluster_cidrs if ":" not in cidr]
    v6 = [cidr for cidr in cluster_cidrs if ":" in cidr]
    return [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": sorted({*NOT_PUBLIC_V4, *v4})}},
        {"ipBlock": {"cidr": PUBLIC_V6, "except": sorted({*NOT_PUBLIC_V6, *v6})}},
    ]


def _pods(namespace_labels: Labels, pod_labels: Labels) -> Rule:
    return {
        "namespaceSelector": {"matchLabels": dict(namespace_labels)},
        "podSelector": {"matchLabels": dict(pod_labels)},
    }


def _tcp(port: int) -> Rule:
    return {"protocol": "TCP", "port": port}
