"""From policies to what may pass: which pods are isolated, and the openings each of them has.

Rules of the API that bite: policies only ever add openings; a pod is isolated in a direction as soon as
one policy selects it for that direction; a missing or empty peer list means everybody, a missing or empty
port list means every port; a pod may always talk to itself; named ports are those of the receiving pod.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cluster.netpol.objects import Document, Pod, World
from cluster.netpol.selectors import matches

Direction = Literal["Ingress", "Egress"]


@dataclass(frozen=True)
class Peer:
    """The other side: any of `addresses` and networks, but none of `excluded`. Empty means everybody."""

    addresses: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ports:
    """Ports `first`..`last` of a protocol; without `first` every port. `receivers` narrows the other side."""

    protocol: str = ""
    first: int | None = None
    last: int | None = None
    receivers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Opening:
    """What a policy lets pass: traffic with `peer` on `ports`."""

    policy: str
    peer: Peer
    ports: Ports


@dataclass(frozen=True)
class Isolated:
    """A pod of which only `openings` may pass in `direction`."""

    pod: Pod
    direction: Direction
    openings: tuple[Opening, ...]


def translate(world: World) -> list[Isolated]:
    """The isolated pods of `world`, in a stable order."""
    pods = sorted(world.pods, key=lambda pod: (pod.namespace, pod.name, pod.address))
    isolated = (_isolate(world, pod, direction) for pod in pods for direction in ("Ingress", "Egress"))
    return [each for each in isolated if each is not None]


def _isolate(world: World, pod: Pod, direction: Direction) -> Isolated | None:
    selecting = [policy for policy in world.policies if _selects(policy, pod, direction)]
    if not selecting:
        return None
    openings = [opening for policy in selecting for opening in _openings(world, policy, pod, direction)]
    # Pods of the same labels make the same opening many times; the order must not depend on the watch.
    return Isolated(pod, direction, tuple(sorted(set(openings), key=repr)))


def _selects(policy: Document, pod: Pod, direction: Direction) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    in_namespace = policy["metadata"]["namespace"] == pod.namespace
    return in_namespace and direction in types and matches(spec.get("podSelector") or {}, pod.labels)


def _openings(world: World, policy: Document, pod: Pod, direction: Direction) -> Iterator[Opening]:
    name = f"{policy['metadata']['namespace']}/{policy['metadata']['name']}"
    rules_field, peers_field = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    for rule in policy["spec"].get(rules_field) or []:
        peers = list(_peers(world, policy, rule.get(peers_field) or []))
        for ports in _ports(world, pod, direction, rule.get("ports") or []):
            yield from (Opening(name, peer, ports) for peer in peers)


def _peers(world: World, policy: Document, peers: Sequence[Document]) -> Iterator[Peer]:
    if not peers:
        yield Peer()
    pods: set[str] = set()
    for peer in peers:
        if "ipBlock" in peer:
            yield from _block(peer["ipBlock"])
        else:
            pods.update(_peer_pods(world, policy, peer))
    if pods:
        yield Peer(_sorted(pods))


def _block(block: Document) -> Iterator[Peer]:
    # The cluster has IPv4 only, so an IPv6 block opens nothing.
    if ipaddress.ip_network(block["cidr"], strict=False).version == 4:
        yield Peer((_network(block["cidr"]),), _sorted(_network(each) for each in block.get("except") or []))


def _peer_pods(world: World, policy: Document, peer: Document) -> Iterator[str]:
    for pod in world.pods:
        if "namespaceSelector" in peer:
            labels = world.namespaces.get(pod.namespace)
            namespace_fits = labels is not None and matches(peer["namespaceSelector"] or {}, labels)
        else:
            namespace_fits = pod.namespace == policy["metadata"]["namespace"]
        if namespace_fits and matches(peer.get("podSelector") or {}, pod.labels):
            yield pod.address


def _ports(world: World, pod: Pod, direction: Direction, ports: Sequence[Document]) -> Iterator[Ports]:
    if not ports:
        yield Ports()
    for port in ports:
        protocol, number = port.get("protocol") or "TCP", port.get("port")
        if number is None:
            yield Ports(protocol)
        elif isinstance(number, int):
            yield Ports(protocol, number, port.get("endPort") or number)
        elif direction == "Ingress":
            yield from (Ports(protocol, own, own) for own in _named([pod], number, protocol))
        else:
            yield from _named_receivers(world, number, protocol)


def _named_receivers(world: World, name: str, protocol: str) -> Iterator[Ports]:
    by_number = _named(world.pods, name, protocol)
    for number, receivers in sorted(by_number.items()):
        yield Ports(protocol, number, number, _sorted(receivers))


def _named(pods: Iterable[Pod], name: str, protocol: str) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for pod in pods:
        declared = pod.ports.get(name)
        if declared is not None and declared[0] == protocol:
            found.setdefault(declared[1], []).append(pod.address)
    return found


def _network(cidr: str) -> str:
    return str(ipaddress.ip_network(cidr, strict=False))


def _sorted(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(addresses), key=ipaddress.ip_network))
