"""The builders against golden files, and what must hold of every manifest.

`UPDATE_GOLDEN=1 pytest tests/unit/operator` writes the files anew: read the difference before committing it.
"""

from __future__ import annotations

import os
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from smarttrade_operator.children import (
    build_children,
    build_credentials_secret,
    build_deployment,
    build_network_policy,
    build_pod_disruption_budget,
)
from smarttrade_operator.children.credentials import GATEWAY
from smarttrade_operator.settings import Network, Runtime
from tests.unit.operator.accounts import (
    ALIASES,
    GATEWAYS,
    NETWORK,
    build_blueprint,
    build_live,
    build_manifest,
)

GOLDEN = Path(__file__).parent / "golden"
WITH_EVERYTHING = Network(
    nats_url=NETWORK.nats_url,
    nats_cidrs=("192.0.2.0/24",),
    cluster_cidrs=("203.0.113.0/24", "2001:db9::/32"),
    metrics_namespace_labels={"name": "monitoring"},
)

WITH_GATEWAYS = replace(
    NETWORK,
    gateways=GATEWAYS,
    gateway_namespace="smarttrade-system",
    gateway_pod_labels={"app.kubernetes.io/name": "egress-gateway"},
)

CASES: dict[str, Any] = {
    "deployment-paper": lambda: build_deployment(build_blueprint()),
    "deployment-live": lambda: build_deployment(build_blueprint(build_live(replicas=1, logLevel="Debug"))),
    "network-policy-simulator": lambda: build_network_policy(build_blueprint()),
    "network-policy-internet": lambda: build_network_policy(
        build_blueprint(endpoint={}, network=WITH_EVERYTHING)
    ),
    "network-policy-cidrs": lambda: build_network_policy(
        build_blueprint(endpoint={"cidrs": ["198.51.100.0/24"]})
    ),
    "network-policy-gateway": lambda: build_network_policy(
        build_blueprint(endpoint={}, network=WITH_GATEWAYS, aliases=ALIASES)
    ),
    "deployment-gateway": lambda: build_deployment(
        build_blueprint(build_live(replicas=1), endpoint={}, network=WITH_GATEWAYS, aliases=ALIASES)
    ),
    "pod-disruption-budget": lambda: build_pod_disruption_budget(build_blueprint()),
    "credentials": lambda: build_credentials_secret(
        build_blueprint(),
        {"monitoring": "m", "evaluation": "v", "execution": "x"},
        mark_key="f",
        order_key="o",
        renew_at_s=1_800_000_000,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_manifest_equals_its_golden_file(case: str) -> None:
    manifest, path = CASES[case](), GOLDEN / f"{case}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    assert manifest == yaml.safe_load(path.read_text())


def _containers(**spec: Any) -> dict[str, dict[str, Any]]:
    deployment = build_deployment(build_blueprint(build_live(**spec)))
    return {c["name"]: c for c in deployment["spec"]["template"]["spec"]["containers"]}


def test_containers_run_as_different_users_that_are_not_root() -> None:
    users = [c["securityContext"]["runAsUser"] for c in _containers().values()]
    assert users == [10011, 10012, 10013]


def test_with_tls_every_container_has_the_authority_beside_its_own_credentials() -> None:
    network = replace(NETWORK, nats_url="tls://nats:4222", nats_tls=Path("/etc/smarttrade/nats-tls"))
    pod = build_deployment(build_blueprint(network=network))["spec"]["template"]["spec"]
    for container in pod["containers"]:
        role, environment = container["name"], {e["name"]: e.get("value") for e in container["env"]}
        (volume,) = [each for each in pod["volumes"] if each["name"] == f"nats-{role}"]
        assert {each["key"] for each in volume["secret"]["items"]} == {f"{role}.creds", "ca.crt"}
        assert environment["SMARTTRADE_NATS_AUTHORITY"] == "/etc/smarttrade/nats/ca.crt"
        assert environment["SMARTTRADE_NATS_URL"] == "tls://nats:4222"


def test_only_the_execution_of_a_live_account_has_the_keys_of_its_marks_and_order_ids() -> None:
    def seen(manifest: Any) -> dict[str, set[str]]:
        pod = build_deployment(build_blueprint(manifest))["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume.get("secret", {}).get("items", ()) for volume in pod["volumes"]}
        return {
            container["name"]: {
                item["path"]
                for mount in container["volumeMounts"]
                for item in volumes[mount["name"]]
                if item["path"].endswith(".key")
            }
            for container in pod["containers"]
        }

    keys = {"fingerprint.key", "orders.key"}
    assert seen(build_live()) == {"monitoring": set(), "evaluation": set(), "execution": keys}
    assert set().union(*seen(build_manifest()).values()) == set()


def test_only_execution_sees_the_exchange_key() -> None:
    seen = {name: {m["name"] for m in c["volumeMounts"]} for name, c in _containers().items()}
    assert [name for name, mounts in seen.items() if "exchange" in mounts] == ["execution"]


def test_a_paper_account_mounts_no_exchange_key() -> None:
    exchange = {
        "name": "binance",
        "environment": "Simulator",
        "credentialsSecretRef": {"name": "alice-binance"},
    }
    pod = build_deployment(build_blueprint(build_manifest(exchange=exchange)))["spec"]["template"]["spec"]
    assert "exchange" not in {volume["name"] for volume in pod["volumes"]}


def test_evaluation_has_nothing_that_opens_the_gateways() -> None:
    blueprint = build_blueprint(build_live(), endpoint={}, network=WITH_GATEWAYS, aliases=ALIASES)
    secret = build_credentials_secret(
        blueprint, {"execution": "x"}, mark_key="f", order_key="o", renew_at_s=1, gateway_key="key"
    )
    assert GATEWAY in secret["data"]
    pod = build_deployment(blueprint)["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for container in pod["containers"]:
        mounted = [volumes[mount["name"]] for mount in container["volumeMounts"]]
        files = {item["path"] for volume in mounted for item in volume.get("secret", {}).get("items", ())}
        told = {variable["name"] for variable in container["env"]}
        may = container["name"] != "evaluation"
        assert (GATEWAY in files, "SMARTTRADE_GATEWAYS" in told) == (may, may)


def test_an_exchange_in_the_cluster_is_reached_straight_and_without_dns() -> None:
    policy = build_network_policy(build_blueprint(network=WITH_GATEWAYS, aliases=ALIASES))
    ports = [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]]
    assert ports == [4222, 8080]


def test_pods_are_the_same_whichever_strategy_they_run() -> None:
    strategies = [{"name": "ma-cross"}] + [
        {"source": {"configMapRef": {"name": name}, "class": "mine.Mine"}} for name in ("mine", "mine-2")
    ]
    one, *others = (
        build_deployment(build_blueprint(build_manifest(strategy={**strategy, "timeframe": "1m"})))
        for strategy in strategies
    )
    assert others == [one, one]


def test_each_container_sees_its_own_nats_credentials_only() -> None:
    pod = build_deployment(build_blueprint())["spec"]["template"]["spec"]
    files = {v["name"]: [i["key"] for i in v["secret"]["items"]] for v in pod["volumes"] if "secret" in v}
    for container in pod["containers"]:
        mounted = [files[m["name"]] for m in container["volumeMounts"] if m["name"] in files]
        assert mounted == [[f"{container['name']}.creds"]]


def test_evaluation_does_not_learn_the_endpoint() -> None:
    told = {name: {e["name"] for e in c["env"]} for name, c in _containers().items()}
    assert "SMARTTRADE_ENDPOINT" not in told["evaluation"]
    assert "SMARTTRADE_ENDPOINT" in told["monitoring"] & told["execution"]


@pytest.mark.parametrize("change", [{"state": "Paused"}, {"strategy": {"name": "rsi", "timeframe": "5m"}}])
def test_what_travels_by_nats_never_rolls_the_pods(change: dict[str, Any]) -> None:
    before = build_deployment(build_blueprint(build_manifest()))
    assert build_deployment(build_blueprint(build_manifest(**change))) == before


def test_every_child_carries_the_labels_and_the_owner() -> None:
    for child in build_children(build_blueprint()):
        assert child["metadata"]["labels"]["smarttrade.io/account"] == "alice"
        assert child["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "smarttrade-operator"
        assert child["metadata"]["ownerReferences"][0]["uid"] == "3e1b"


def test_a_single_replica_has_no_budget_that_would_block_a_drain() -> None:
    blueprint = build_blueprint(build_manifest(replicas=1))
    assert [child["kind"] for child in build_children(blueprint)] == ["NetworkPolicy", "Deployment"]


def test_the_policy_comes_before_the_pods_that_it_confines() -> None:
    kinds = [child["kind"] for child in build_children(build_blueprint())]
    assert kinds.index("NetworkPolicy") < kinds.index("Deployment")


def test_the_open_internet_excludes_private_and_metadata_addresses() -> None:
    policy = build_network_policy(build_blueprint(endpoint={}))
    block = policy["spec"]["egress"][2]["to"][0]["ipBlock"]
    assert {"10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16", "127.0.0.0/8"} <= set(block["except"])


def test_credentials_are_stored_as_they_are() -> None:
    secret = CASES["credentials"]()
    assert b64decode(secret["data"]["execution.creds"]) == b"x"


def test_a_sandbox_and_a_priority_are_the_platforms_choice() -> None:
    plain = build_deployment(build_blueprint())["spec"]["template"]["spec"]
    assert not {"runtimeClassName", "priorityClassName"} & plain.keys()
    runtime = Runtime(image="smarttrade-runtime:1", runtime_class="gvisor", priority_class="account")
    chosen = build_deployment(replace(build_blueprint(), runtime=runtime))["spec"]["template"]["spec"]
    assert (chosen["runtimeClassName"], chosen["priorityClassName"]) == ("gvisor", "account")


def test_an_image_of_the_strategy_s_own_is_evaluation_s_and_no_other_container_s() -> None:
    image = f"registry.example/mine@sha256:{'0' * 64}"
    source = {"image": image, "class": "mine.Mine"}
    before, after = _containers(), _containers(strategy={"source": source, "timeframe": "1m"})
    assert {role: container["image"] for role, container in after.items()} == {
        "monitoring": "smarttrade-runtime:1",
        "evaluation": image,
        "execution": "smarttrade-runtime:1",
    }
    own = after["evaluation"]
    assert {"name": "SMARTTRADE_STRATEGY_IMAGE", "value": image} in own.pop("env")
    del own["image"], before["evaluation"]["image"], before["evaluation"]["env"]
    assert own == before["evaluation"], "it is confined as any other"
    assert [after[role] for role in ("monitoring", "execution")] == [
        before[role] for role in ("monitoring", "execution")
    ]
