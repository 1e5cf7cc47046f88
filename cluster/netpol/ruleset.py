"""The rules as text for `nft -f`: one transaction that replaces the agent's own table.

Traffic between pods and to the outside is routed (forward); traffic to this node's own addresses, such as
the API server, is delivered (input), where only the pods' egress is checked: a node may always reach its
pods. Service addresses are already translated when these chains run.
"""

from collections.abc import Iterable, Sequence

from cluster.netpol.translate import Isolated, Opening, Peer, Ports

TABLE = "inet smarttrade_netpol"


def build_ruleset(isolated: Sequence[Isolated]) -> str:
    """The whole table; equal input gives equal text."""
    chains = [_chain(each) for each in isolated]
    egress = _verdicts(each for each in isolated if each.direction == "Egress")
    ingress = _verdicts(each for each in isolated if each.direction == "Ingress")
    return "\n".join(
        [
            # Declared first so that the deletion cannot fail.
            f"table {TABLE}",
            f"delete table {TABLE}",
            f"table {TABLE} {{",
            *chains,
            f"  map egress {{ type ipv4_addr : verdict; {egress} }}",
            f"  map ingress {{ type ipv4_addr : verdict; {ingress} }}",
            "  chain forward {",
            "    type filter hook forward priority filter - 5; policy accept;",
            "    ct state established,related accept",
            "    ip saddr vmap @egress",
            "    ip daddr vmap @ingress",
            "  }",
            "  chain input {",
            "    type filter hook input priority filter - 5; policy accept;",
            "    ct state established,related accept",
            "    ip saddr vmap @egress",
            "  }",
            "}",
            "",
        ]
    )


def _verdicts(isolated: Iterable[Isolated]) -> str:
    elements = ", ".join(f"{each.pod.address} : jump {_name(each)}" for each in isolated)
    return f"elements = {{ {elements} }};" if elements else ""


def _name(isolated: Isolated) -> str:
    return f"{isolated.direction.lower()}_{isolated.pod.address.replace('.', '_')}"


def _chain(isolated: Isolated) -> str:
    other = "saddr" if isolated.direction == "Ingress" else "daddr"
    to_itself = f"    ip {other} {isolated.pod.address} return"
    rules = [f"    {_rule(opening, other)}" for opening in isolated.openings]
    return "\n".join([f"  chain {_name(isolated)} {{", to_itself, *rules, "    drop", "  }"])


def _rule(opening: Opening, other: str) -> str:
    parts = [*_peer(opening.peer, other), *_ports(opening.ports, other)]
    return " ".join([*parts, "return", f'comment "{opening.policy[:120]}"'])


def _peer(peer: Peer, other: str) -> list[str]:
    wanted = [f"ip {other} {_set(peer.addresses)}"] if peer.addresses else []
    return [*wanted, *([f"ip {other} != {_set(peer.excluded)}"] if peer.excluded else [])]


def _ports(ports: Ports, other: str) -> list[str]:
    receivers = [f"ip {other} {_set(ports.receivers)}"] if ports.receivers else []
    if ports.first is None:
        return [*receivers, *([f"meta l4proto {ports.protocol.lower()}"] if ports.protocol else [])]
    span = f"{ports.first}" if ports.first == ports.last else f"{ports.first}-{ports.last}"
    return [*receivers, f"{ports.protocol.lower()} dport {span}"]


def _set(addresses: Sequence[str]) -> str:
    return "{ " + ", ".join(addresses) + " }"
