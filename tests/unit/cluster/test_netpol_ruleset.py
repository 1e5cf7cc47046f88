"""The rules as nftables text."""

from cluster.netpol.objects import Pod
from cluster.netpol.ruleset import build_ruleset
from cluster.netpol.translate import Isolated, Opening, Peer, Ports

POD = Pod("shop", "web", "10.244.0.2")


def rules(*openings: Opening) -> list[str]:
    text = build_ruleset([Isolated(POD, "Ingress", openings)])
    return [line.strip() for line in text.splitlines()]


def test_table_is_replaced_in_one_transaction() -> None:
    head = build_ruleset([]).splitlines()[:3]
    assert head == [
        "table inet smarttrade_netpol",
        "delete table inet smarttrade_netpol",
        "table inet smarttrade_netpol {",
    ]


def test_isolated_pod_drops_what_no_rule_returns_but_may_talk_to_itself() -> None:
    text = build_ruleset([Isolated(POD, "Egress", ())])
    assert "chain egress_10_244_0_2 {\n    ip daddr 10.244.0.2 return\n    drop\n  }" in text
    assert (
        "map egress { type ipv4_addr : verdict; elements = { 10.244.0.2 : jump egress_10_244_0_2 }; }" in text
    )


def test_established_connections_pass_before_any_policy() -> None:
    text = build_ruleset([])
    for hook in ("forward", "input"):
        chain = text.split(f"chain {hook} {{")[1]
        assert chain.index("ct state established,related accept") < chain.index("vmap @egress")


def test_ingress_is_not_checked_for_what_the_node_itself_sends() -> None:
    assert "@ingress" not in build_ruleset([]).split("chain input {")[1]


def test_opening_becomes_one_rule() -> None:
    peer = Peer(("10.0.0.0/8",), ("10.1.0.0/16", "10.2.0.0/16"))
    ports = Ports("TCP", 80, 90)
    assert (
        "ip saddr { 10.0.0.0/8 } ip saddr != { 10.1.0.0/16, 10.2.0.0/16 } tcp dport 80-90 return "
        'comment "shop/policy"'
    ) in rules(Opening("shop/policy", peer, ports))


def test_opening_without_peers_and_ports_lets_everything_pass() -> None:
    assert 'return comment "shop/policy"' in rules(Opening("shop/policy", Peer(), Ports()))


def test_protocol_without_port() -> None:
    assert 'meta l4proto udp return comment "shop/policy"' in rules(
        Opening("shop/policy", Peer(), Ports("UDP"))
    )
