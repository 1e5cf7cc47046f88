"""What each part of a NetworkPolicy opens, pod by pod."""

from typing import Any

import pytest

from cluster.netpol.objects import Pod, World, read_pod
from cluster.netpol.translate import Direction, Isolated, translate

WEB = Pod("shop", "web", "10.244.0.2", {"app": "web"}, {"http": ("TCP", 8080), "dns": ("UDP", 53)})
DATABASE = Pod("shop", "database", "10.244.0.3", {"app": "database"}, {"http": ("TCP", 9090)})
OUTSIDER = Pod("bank", "outsider", "10.244.0.4", {"app": "web"})
NAMESPACES = {"shop": {"team": "red"}, "bank": {"team": "blue"}}


def build_policy(spec: dict[str, Any], namespace: str = "shop", name: str = "policy") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}, "spec": spec}


def translated(*policies: dict[str, Any]) -> list[Isolated]:
    return translate(World((WEB, DATABASE, OUTSIDER), NAMESPACES, policies))


def isolated(pod: Pod, direction: Direction, *policies: dict[str, Any]) -> Isolated:
    [found] = [each for each in translated(*policies) if each.pod == pod and each.direction == direction]
    return found


def peers_of(
    rule_peers: list[Any], direction: Direction = "Ingress"
) -> set[tuple[tuple[str, ...], tuple[str, ...]]]:
    """(addresses, excluded) of every opening of the web pod under one rule with these peers."""
    rules, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    spec = {
        "podSelector": {"matchLabels": {"app": "web"}},
        "policyTypes": [direction],
        rules: [{peers: rule_peers}],
    }
    return {
        (each.peer.addresses, each.peer.excluded)
        for each in isolated(WEB, direction, build_policy(spec)).openings
    }


def ports_of(
    ports: list[Any], direction: Direction
) -> set[tuple[str, int | None, int | None, tuple[str, ...]]]:
    rules = "ingress" if direction == "Ingress" else "egress"
    spec = {
        "podSelector": {"matchLabels": {"app": "web"}},
        "policyTypes": [direction],
        rules: [{"ports": ports}],
    }
    found = isolated(WEB, direction, build_policy(spec)).openings
    return {(each.ports.protocol, each.ports.first, each.ports.last, each.ports.receivers) for each in found}


def test_without_policies_nobody_is_isolated() -> None:
    assert translated() == []


def test_policy_isolates_the_selected_pods_of_its_own_namespace_only() -> None:
    policy = build_policy({"podSelector": {"matchLabels": {"app": "web"}}})
    assert [(each.pod, each.direction) for each in translated(policy)] == [(WEB, "Ingress")]


def test_empty_pod_selector_isolates_every_pod_of_the_namespace() -> None:
    assert [each.pod for each in translated(build_policy({"podSelector": {}}))] == [DATABASE, WEB]


@pytest.mark.parametrize(
    ("spec", "directions"),
    [
        ({}, ["Ingress"]),
        ({"ingress": []}, ["Ingress"]),
        ({"egress": []}, ["Ingress", "Egress"]),
        ({"policyTypes": ["Egress"]}, ["Egress"]),
        ({"policyTypes": ["Ingress", "Egress"]}, ["Ingress", "Egress"]),
        ({"policyTypes": ["Ingress"], "egress": []}, ["Ingress"]),
    ],
)
def test_directions_that_a_policy_isolates(spec: dict[str, Any], directions: list[str]) -> None:
    policy = build_policy({"podSelector": {"matchLabels": {"app": "web"}}, **spec})
    assert [each.direction for each in translated(policy)] == directions


def test_policies_add_up() -> None:
    first = build_policy({"podSelector": {}, "ingress": [{"ports": [{"port": 1}]}]}, name="first")
    second = build_policy({"podSelector": {}, "ingress": [{"ports": [{"port": 2}]}]}, name="second")
    openings = isolated(WEB, "Ingress", first, second).openings
    assert {each.ports.first for each in openings} == {1, 2}


def test_order_of_events_does_not_change_the_result() -> None:
    policies = [
        build_policy({"podSelector": {}, "ingress": [{"ports": [{"port": n}]}]}, name=f"p{n}") for n in (1, 2)
    ]
    assert translated(*policies) == translated(*reversed(policies))


@pytest.mark.parametrize(
    ("peers", "expected"),
    [
        ([], {((), ())}),
        ([{"podSelector": {}}], {(("10.244.0.2", "10.244.0.3"), ())}),
        ([{"podSelector": {"matchLabels": {"app": "database"}}}], {(("10.244.0.3",), ())}),
        ([{"namespaceSelector": {"matchLabels": {"team": "blue"}}}], {(("10.244.0.4",), ())}),
        ([{"namespaceSelector": {}}], {(("10.244.0.2", "10.244.0.3", "10.244.0.4"), ())}),
        (
            [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}],
            {(("10.244.0.2", "10.244.0.4"), ())},
        ),
        ([{"podSelector": {"matchLabels": {"app": "absent"}}}], set()),
        (
            [
                {"podSelector": {"matchLabels": {"app": "database"}}},
                {"namespaceSelector": {"matchLabels": {"team": "blue"}}},
            ],
            {(("10.244.0.3", "10.244.0.4"), ())},
        ),
        (
            [{"ipBlock": {"cidr": "192.168.0.0/16", "except": ["192.168.9.0/24", "192.168.1.0/24"]}}],
            {(("192.168.0.0/16",), ("192.168.1.0/24", "192.168.9.0/24"))},
        ),
        ([{"ipBlock": {"cidr": "fd00::/8"}}], set()),
        (
            [{"ipBlock": {"cidr": "192.168.0.0/16"}}, {"podSelector": {"matchLabels": {"app": "database"}}}],
            {(("192.168.0.0/16",), ()), (("10.244.0.3",), ())},
        ),
    ],
)
@pytest.mark.parametrize("direction", ["Ingress", "Egress"])
def test_peers(peers: list[Any], expected: set[Any], direction: Direction) -> None:
    assert peers_of(peers, direction) == expected


@pytest.mark.parametrize(
    ("ports", "direction", "expected"),
    [
        ([], "Ingress", {("", None, None, ())}),
        ([{"port": 80}], "Ingress", {("TCP", 80, 80, ())}),
        ([{"port": 53, "protocol": "UDP"}], "Egress", {("UDP", 53, 53, ())}),
        ([{"protocol": "UDP"}], "Egress", {("UDP", None, None, ())}),
        ([{"port": 80, "endPort": 90}], "Egress", {("TCP", 80, 90, ())}),
        ([{"port": "http"}], "Ingress", {("TCP", 8080, 8080, ())}),
        (
            [{"port": "http"}],
            "Egress",
            {("TCP", 8080, 8080, ("10.244.0.2",)), ("TCP", 9090, 9090, ("10.244.0.3",))},
        ),
        ([{"port": "http", "protocol": "UDP"}], "Ingress", set()),
        ([{"port": "absent"}], "Egress", set()),
    ],
)
def test_ports(ports: list[Any], direction: Direction, expected: set[Any]) -> None:
    assert ports_of(ports, direction) == expected


@pytest.mark.parametrize(
    ("change", "is_read"),
    [
        ({}, True),
        ({"spec": {"hostNetwork": True}}, False),
        ({"status": {"phase": "Succeeded", "podIP": "10.244.0.9"}}, False),
        ({"status": {}}, False),
    ],
)
def test_pods_without_an_address_of_their_own_are_no_peers(change: dict[str, Any], is_read: bool) -> None:
    metadata = {"namespace": "shop", "name": "pod"}
    document = {"metadata": metadata, "spec": {"containers": []}, "status": {"podIP": "10.244.0.9"}, **change}
    assert (read_pod(document, None) is not None) is is_read


def test_address_told_by_the_network_plugin_wins_over_the_status() -> None:
    document = {"metadata": {"namespace": "shop", "name": "pod"}, "spec": {"containers": []}}
    pod = read_pod(document, "10.244.0.7")
    assert pod is not None
    assert pod.address == "10.244.0.7"


def test_ports_of_sidecars_are_known_by_name() -> None:
    sidecar = {"ports": [{"name": "metrics", "containerPort": 9100}]}
    document = {
        "metadata": {"namespace": "shop", "name": "pod"},
        "spec": {"containers": [{}], "initContainers": [sidecar]},
        "status": {"podIP": "10.244.0.9"},
    }
    pod = read_pod(document, None)
    assert pod is not None
    assert pod.ports == {"metrics": ("TCP", 9100)}
