"""Settings, rights, the key job and the command line."""

from __future__ import annotations

from base64 import b64decode

import pytest

from smarttrade.bus.keys import OperatorKeys
from smarttrade.errors import ConfigurationError
from smarttrade_operator.keyjob import KeyJob, build_secret, build_server_config
from smarttrade_operator.kinds import DEPLOYMENT, LEASE, POD, TRADING_ACCOUNT
from smarttrade_operator.main import build_parser
from smarttrade_operator.permissions import ACCOUNT_PERMISSIONS, is_granted
from smarttrade_operator.settings import Settings

REQUIRED = {"SMARTTRADE_RUNTIME_IMAGE": "runtime:1", "SMARTTRADE_NATS_URL": "nats://a:4333,nats://b:4333"}


def test_two_variables_are_enough() -> None:
    settings = Settings.from_environment(REQUIRED)
    assert settings.installation == "smarttrade"
    assert settings.network.nats_port == 4333
    assert settings.network.nats_namespace == "smarttrade-system"
    assert settings.watch_namespaces == ()


def test_lists_and_labels_are_read() -> None:
    settings = Settings.from_environment(
        REQUIRED
        | {
            "SMARTTRADE_WATCH_NAMESPACES": "a, b",
            "SMARTTRADE_NATS_POD_LABELS": "app=nats,tier=bus",
            "SMARTTRADE_CLUSTER_CIDRS": "203.0.113.0/24",
        }
    )
    assert settings.watch_namespaces == ("a", "b")
    assert settings.network.nats_pod_labels == {"app": "nats", "tier": "bus"}
    assert settings.network.cluster_cidrs == ("203.0.113.0/24",)


def test_dedicated_servers_are_read_and_have_ways_of_their_own() -> None:
    own = '{"url": "tls://own.system.svc:4999", "namespaces": ["alice"], "pod_labels": {"app": "own"}}'
    settings = Settings.from_environment(REQUIRED | {"SMARTTRADE_BUSES": f'{{"own": {own}}}'})
    way = settings.network_of("own")
    assert (way.nats_url, way.nats_port) == ("tls://own.system.svc:4999", 4999)
    assert way.nats_pod_labels == {"app": "own"}
    assert way.nats_namespace == settings.network.nats_namespace
    admitted = [settings.admits(*each) for each in (("alice", "own"), ("bob", "own"), ("bob", ""))]
    assert admitted == [True, False, True]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUNTIME_IMAGE", ""),
        ("NATS_URL", " "),
        ("RESYNC_SECONDS", "soon"),
        ("LEASE_SECONDS", "0"),
        ("RUNTIME_PULL_POLICY", "Sometimes"),
        ("NATS_POD_LABELS", "nats"),
        ("BUSES", "own"),
        ("BUSES", '{"own": {"url": "nats://a"}}'),
        ("BUSES", '{"shared": {"url": "nats://a", "namespaces": [], "pod_labels": {}}}'),
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"SMARTTRADE_{name}"):
        Settings.from_environment(REQUIRED | {f"SMARTTRADE_{name}": value})


def test_tenants_secrets_are_never_read() -> None:
    verbs = {verb for rule in ACCOUNT_PERMISSIONS if rule.resource == "secrets" for verb in rule.verbs}
    assert verbs == {"create", "patch", "delete"}


def test_pods_are_only_looked_at() -> None:
    assert is_granted("", "pods", "list")
    assert not any(is_granted("", "pods", verb) for verb in ("create", "delete", "patch", "update"))
    assert not is_granted("", "pods/exec", "create")


def test_paths_of_the_api() -> None:
    assert TRADING_ACCOUNT.path("ns", "a", "status") == (
        "/apis/smarttrade.io/v1alpha1/namespaces/ns/tradingaccounts/a/status"
    )
    assert POD.path(None) == "/api/v1/pods"
    assert DEPLOYMENT.path("ns") == "/apis/apps/v1/namespaces/ns/deployments"
    assert LEASE.api_version == "coordination.k8s.io/v1"


def test_the_server_configuration_is_made_from_the_keys() -> None:
    keys = OperatorKeys.generate()
    alone = build_server_config(keys, KeyJob(namespace="ns"))
    assert keys.operator_jwt in alone
    assert "cluster {" not in alone
    routes = ("nats://n-0:6222", "nats://n-1:6222")
    together = build_server_config(keys, KeyJob(namespace="ns", routes=routes))
    assert "routes: [nats://n-0:6222, nats://n-1:6222]" in together
    for secret in (keys.signing.seed, keys.master.hex()):
        assert secret not in together


def test_the_secrets_survive_the_release() -> None:
    secret = build_secret("ns", "smarttrade-keys", {"a": "b"})
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert b64decode(secret["data"]["a"]) == b"b"


def test_running_is_the_default_command() -> None:
    assert build_parser().parse_args([]).command is None
    assert build_parser().parse_args(["keys", "--namespace", "ns"]).namespace == "ns"
