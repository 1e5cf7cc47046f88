"""What the chart renders: complete, hardened, and accepted by a real API server."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from smarttrade.api.catalogue import Catalogue
from smarttrade_operator import keyjob
from smarttrade_operator.keyjob import KeyJob
from smarttrade_operator.permissions import (
    ACCOUNT_PERMISSIONS,
    KEYS_JOB_PERMISSIONS,
    LETTING_GO_PERMISSIONS,
    OPERATOR_PERMISSIONS,
    RELEASE_JOB_OWN_PERMISSIONS,
    RELEASE_JOB_PERMISSIONS,
    Permission,
)
from smarttrade_operator.settings import Settings
from tests.component.chart import helm
from tests.component.chart.settings import NONSENSE, SIMULATOR, TOGGLES

OPERATOR_CLUSTER_ROLE = "smarttrade-system-smarttrade-operator"
RELEASE_CLUSTER_ROLE = "smarttrade-system-smarttrade-release"
TOGGLED = pytest.mark.parametrize("values", TOGGLES.values(), ids=TOGGLES.keys())


@TOGGLED
def test_the_chart_passes_the_strict_linter(values: dict[str, Any]) -> None:
    helm.run("lint", "--strict", str(helm.CHART), *helm.values_flags(values))


@pytest.mark.parametrize(("values", "words"), NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_is_refused_by_name(values: dict[str, Any], words: str) -> None:
    with pytest.raises(helm.Refused) as refusal:
        helm.template(values)
    assert words in str(refusal.value)


@TOGGLED
def test_no_object_is_there_twice(values: dict[str, Any]) -> None:
    found = Counter(
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in helm.template(values).manifests
    )
    assert [key for key, count in found.items() if count > 1] == []


@TOGGLED
def test_every_container_is_hardened_and_bounded(values: dict[str, Any]) -> None:
    for name, template in helm.pod_templates(helm.template(values)).items():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["runAsUser"] > 10000, name
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"], name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name
            assert container["resources"]["requests"]["cpu"], name


def test_what_is_scraped_of_an_account_is_bounded() -> None:
    monitors = helm.template({"metrics.podMonitor.enabled": True}).kind("PodMonitor")
    [accounts] = [each for each in monitors if each["metadata"]["name"].endswith("-accounts")]
    assert {"sampleLimit", "labelLimit", "bodySizeLimit"} <= accounts["spec"].keys()
    assert "evaluation" not in {endpoint["port"] for endpoint in accounts["spec"]["podMetricsEndpoints"]}


def test_only_who_calls_the_api_server_has_a_token() -> None:
    templates = helm.pod_templates(helm.template(SIMULATOR))
    with_token = {name for name, each in templates.items() if each["spec"].get("serviceAccountName")}
    without = {
        name for name, each in templates.items() if not each["spec"].get("automountServiceAccountToken", True)
    }
    assert with_token == {
        "Deployment/smarttrade-operator",
        "Job/smarttrade-keys",
        "Job/smarttrade-release",
    }
    assert with_token | without == set(templates)


@TOGGLED
def test_a_new_chart_alone_restarts_nothing(values: dict[str, Any]) -> None:
    for name, template in helm.pod_templates(helm.template(values)).items():
        if name.startswith(("Deployment", "StatefulSet")):
            assert "helm.sh/chart" not in template["metadata"]["labels"], name


def _rights(role: helm.Manifest) -> set[Permission]:
    """One permission a (group, resource), whatever names it is bound to."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs.setdefault((group, resource), set()).update(rule["verbs"])
    return {Permission(*key, tuple(sorted(value))) for key, value in verbs.items()}


def _expected(table: tuple[Permission, ...]) -> set[Permission]:
    return {rule._replace(verbs=tuple(sorted(rule.verbs))) for rule in table}


def test_cluster_wide_the_operators_rights_are_the_table() -> None:
    rendering = helm.template()
    cluster = rendering.one("ClusterRole", OPERATOR_CLUSTER_ROLE)
    assert _rights(cluster) == _expected(ACCOUNT_PERMISSIONS)
    assert _rights(rendering.one("Role", "smarttrade-operator")) == _expected(OPERATOR_PERMISSIONS)
    assert _rights(rendering.one("Role", "smarttrade-keys")) == _expected(KEYS_JOB_PERMISSIONS)
    bound = {each["metadata"]["name"] for each in rendering.kind("ClusterRoleBinding")}
    assert bound == {OPERATOR_CLUSTER_ROLE, RELEASE_CLUSTER_ROLE}


def _in_each_namespace(rendering: helm.Rendering, name: str, table: tuple[Permission, ...]) -> list[str]:
    roles = [role for role in rendering.kind("Role") if role["metadata"]["name"] == name]
    assert all(_rights(role) == _expected(table) for role in roles)
    bound = [
        b["metadata"]["namespace"] for b in rendering.kind("RoleBinding") if b["metadata"]["name"] == name
    ]
    assert bound == [role["metadata"]["namespace"] for role in roles]
    return bound


def test_namespaced_the_operators_rights_are_the_table_in_each_namespace() -> None:
    rendering = helm.template(TOGGLES["namespaced"])
    assert _in_each_namespace(rendering, "smarttrade-accounts", ACCOUNT_PERMISSIONS) == ["alice", "bob"]
    assert _in_each_namespace(rendering, "smarttrade-operator", OPERATOR_PERMISSIONS) == [helm.NAMESPACE]


def test_namespaced_only_letting_accounts_go_is_a_cluster_wide_right() -> None:
    rendering = helm.template(TOGGLES["namespaced"])
    letting_go = rendering.one("ClusterRole", OPERATOR_CLUSTER_ROLE)
    assert _rights(letting_go) == _expected(LETTING_GO_PERMISSIONS)
    names = [rule.get("resourceNames") for rule in letting_go["rules"] if "namespaces" in rule["resources"]]
    assert names == [["alice", "bob"]]
    assert _rights(rendering.one("ClusterRole", RELEASE_CLUSTER_ROLE)) == _expected(RELEASE_JOB_PERMISSIONS)
    assert len(rendering.kind("ClusterRole", "ClusterRoleBinding")) == 4


def test_even_that_can_be_done_without() -> None:
    rendering = helm.template(TOGGLES["namespaced, nothing cluster-wide"])
    assert rendering.kind("ClusterRole", "ClusterRoleBinding") == []
    assert _in_each_namespace(rendering, "smarttrade-release-accounts", RELEASE_JOB_PERMISSIONS) == [
        "alice",
        "bob",
    ]


@TOGGLED
def test_the_release_job_waits_for_the_operator_to_be_gone(values: dict[str, Any]) -> None:
    rendering = helm.template(values)
    (container,) = rendering.one("Job", "smarttrade-release")["spec"]["template"]["spec"]["containers"]
    namespace, _, name = next(a for a in container["args"] if "--operator=" in a)[11:].partition("/")
    assert rendering.one("Deployment", name)["metadata"]["namespace"] == namespace
    own = rendering.one("Role", "smarttrade-release")
    assert _rights(own) == _expected(RELEASE_JOB_OWN_PERMISSIONS)
    assert [rule["resourceNames"] for rule in own["rules"]] == [[name]]


@TOGGLED
def test_the_operator_may_not_read_secrets(values: dict[str, Any]) -> None:
    for role in helm.template(values).kind("Role", "ClusterRole"):
        for rule in role["rules"]:
            if "secrets" in rule["resources"] and set(rule["verbs"]) & {"get", "list", "watch", "*"}:
                assert role["metadata"]["name"] == "smarttrade-keys"
                assert rule["resourceNames"]


def _environment(rendering: helm.Rendering) -> dict[str, str]:
    pod = rendering.one("Deployment", "smarttrade-operator")["spec"]["template"]["spec"]
    return {each["name"]: each.get("value", "from-the-pod") for each in pod["containers"][0]["env"]}


@TOGGLED
def test_the_operator_understands_its_environment(values: dict[str, Any]) -> None:
    settings = Settings.from_environment(_environment(helm.template(values)))
    assert settings.watch_namespaces == tuple(values.get("watchNamespaces", ()))
    assert settings.nats_replicas == values.get("nats.replicas", 1)
    assert settings.network.nats_cidrs == tuple(values.get("nats.externalCidrs", ()))
    assert settings.network.cluster_cidrs == tuple(values.get("network.clusterCidrs", ()))


def test_external_servers_leave_nothing_of_nats_in_the_chart() -> None:
    values = TOGGLES["external servers"] | {"nats.replicas": 3, "egressGateway.enabled": False}
    rendering = helm.template(values)
    names = [each["metadata"]["name"] for each in rendering.manifests]
    assert [name for name in names if "nats" in name] == []
    assert "smarttrade-keys" not in {each["metadata"]["name"] for each in rendering.kind("Job")}
    settings = Settings.from_environment(_environment(rendering))
    assert settings.network.nats_url == values["nats.url"]
    assert settings.nats_replicas == 3
    volumes = rendering.one("Deployment", "smarttrade-operator")["spec"]["template"]["spec"]["volumes"]
    assert [each["secret"]["secretName"] for each in volumes if "secret" in each] == ["our-keys"]


def test_the_accounts_way_to_nats_leads_to_its_pods() -> None:
    rendering = helm.template()
    settings = Settings.from_environment(_environment(rendering))
    labels = rendering.one("StatefulSet", "smarttrade-nats")["spec"]["template"]["metadata"]["labels"]
    assert settings.network.nats_pod_labels.items() <= labels.items()
    assert settings.network.nats_namespace == helm.NAMESPACE
    service = rendering.one("Service", "smarttrade-nats")
    assert settings.network.nats_url.startswith(f"tls://{service['metadata']['name']}.{helm.NAMESPACE}.svc.")


def test_dedicated_servers_are_servers_of_their_own_for_their_namespaces_alone() -> None:
    rendering = helm.template(TOGGLES["dedicated servers"] | {"network.policies": True})
    settings, job = Settings.from_environment(_environment(rendering)), _keys_arguments(rendering)
    assert {name: bus.namespaces for name, bus in settings.buses.items()} == {
        "own": ("alice",),
        "small": ("bob", "carol"),
    }
    configured = {bus.cluster: bus for bus in job.buses}
    role = rendering.one("Role", "smarttrade-keys")
    for name, bus in settings.buses.items():
        part = f"smarttrade-bus-{name}"
        servers = rendering.one("StatefulSet", part)["spec"]
        assert bus.pod_labels.items() <= servers["template"]["metadata"]["labels"].items()
        assert bus.pod_labels != settings.network.nats_pod_labels
        assert bus.replicas == servers["replicas"] == max(1, len(configured[name].routes))
        assert configured[name].secret in _secrets(rendering, "StatefulSet", part)
        assert any(configured[name].secret in rule.get("resourceNames", ()) for rule in role["rules"])
        assert urlsplit(bus.url).hostname in job.names
        admitted = rendering.one("NetworkPolicy", part)["spec"]["ingress"][0]["from"][0]
        (expression,) = admitted["namespaceSelector"]["matchExpressions"]
        assert tuple(expression["values"]) == bus.namespaces
    own, small = (rendering.one("StatefulSet", f"smarttrade-bus-{name}")["spec"] for name in ("own", "small"))
    claim = own["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]
    assert (claim, small["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]) == (
        "2Gi",
        "10Gi",
    )
    assert small["template"]["spec"]["containers"][0]["resources"]["limits"] == {"memory": "256Mi"}
    assert rendering.one("PodDisruptionBudget", "smarttrade-bus-own")


def _secrets(rendering: helm.Rendering, kind: str, name: str) -> set[str]:
    volumes = rendering.one(kind, name)["spec"]["template"]["spec"]["volumes"]
    return {each["secret"]["secretName"] for each in volumes if "secret" in each}


def _keys_arguments(rendering: helm.Rendering) -> KeyJob:
    (container,) = rendering.one("Job", "smarttrade-keys")["spec"]["template"]["spec"]["containers"]
    parser = argparse.ArgumentParser()
    keyjob.add_arguments(parser)
    return keyjob.from_arguments(parser.parse_args(container["args"]))


def test_servers_operator_and_job_mean_the_same_certificate_for_the_same_names() -> None:
    rendering = helm.template(TOGGLES["three servers"])
    settings, job = Settings.from_environment(_environment(rendering)), _keys_arguments(rendering)
    assert job.certificate_secret == settings.nats_certificate == "smarttrade-nats-tls"
    assert job.names == settings.nats_names
    assert "smarttrade-nats-tls" in _secrets(rendering, "StatefulSet", "smarttrade-nats")
    assert "smarttrade-nats-tls" in _secrets(rendering, "Deployment", "smarttrade-operator")
    assert urlsplit(settings.network.nats_url).hostname in job.names
    for route in job.routes:
        _, _, rest = str(urlsplit(route).hostname).partition(".")
        assert f"*.{rest}" in job.names
    (patched,) = [
        rule
        for rule in rendering.one("Role", "smarttrade-operator")["rules"]
        if "secrets" in rule["resources"]
    ]
    assert patched["resourceNames"] == [settings.nats_certificate]


@pytest.mark.parametrize("toggle", ["cert-manager", "an issuer of cert-manager", "an own certificate"])
def test_a_certificate_of_somebody_elses_is_used_and_not_issued(toggle: str) -> None:
    rendering = helm.template(TOGGLES[toggle])
    settings, job = Settings.from_environment(_environment(rendering)), _keys_arguments(rendering)
    assert (settings.nats_certificate, job.certificate_secret) == ("", "")
    assert job.tls == "/etc/nats-tls"
    made = {each["spec"]["secretName"] for each in rendering.kind("Certificate")}
    (used,) = _secrets(rendering, "StatefulSet", "smarttrade-nats") - {"smarttrade-nats-config"}
    assert used in _secrets(rendering, "Deployment", "smarttrade-operator")
    assert used in (made or {"our-certificate"})
    if toggle == "an issuer of cert-manager":
        (certificate,) = rendering.kind("Certificate")
        assert certificate["spec"]["issuerRef"]["name"] == "company"


def test_without_tls_nothing_speaks_of_it() -> None:
    rendering = helm.template(TOGGLES["no TLS"])
    settings = Settings.from_environment(_environment(rendering))
    assert settings.network.nats_url.startswith("nats://")
    assert settings.network.nats_tls is None
    assert _keys_arguments(rendering).tls is None
    assert _secrets(rendering, "StatefulSet", "smarttrade-nats") == {"smarttrade-nats-config"}


@TOGGLED
def test_the_catalogue_is_one_that_the_operator_reads(values: dict[str, Any], tmp_path: Path) -> None:
    text = helm.template(values).one("ConfigMap", "smarttrade-catalogue")["data"]["catalogue.yaml"]
    (tmp_path / "catalogue.yaml").write_text(text)
    catalogue = Catalogue.load(tmp_path / "catalogue.yaml")
    assert catalogue.find("binance", "Testnet").sandbox
    assert ("Simulator" in catalogue.root["binance"]) == values.get("simulator.enabled", False)


def test_the_catalogues_simulator_is_the_charts(tmp_path: Path) -> None:
    rendering = helm.template(SIMULATOR)
    (tmp_path / "catalogue.yaml").write_text(
        rendering.one("ConfigMap", "smarttrade-catalogue")["data"]["catalogue.yaml"]
    )
    endpoint = Catalogue.load(tmp_path / "catalogue.yaml").find("binance", "Simulator")
    assert endpoint.pods is not None
    pods = rendering.one("Deployment", "smarttrade-simulator")["spec"]["template"]
    assert endpoint.pods.pod_labels.items() <= pods["metadata"]["labels"].items()
    assert {"containerPort": endpoint.pods.port, "name": "http"} in pods["spec"]["containers"][0]["ports"]
    assert endpoint.rest == f"http://smarttrade-simulator.{helm.NAMESPACE}.svc.cluster.local:8080"


def test_the_definitions_are_the_generated_ones_and_are_kept() -> None:
    rendered = {each["metadata"]["name"]: each for each in helm.template().kind("CustomResourceDefinition")}
    generated = [
        yaml.safe_load(path.read_text()) for path in (helm.CHART.parents[1] / "crds").glob("smarttrade.io_*")
    ]
    assert {each["metadata"]["name"]: each["spec"] for each in generated} == {
        name: each["spec"] for name, each in rendered.items()
    }
    for each in rendered.values():
        assert each["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def _operator_settings(values: dict[str, Any]) -> Settings:
    return Settings.from_environment(_environment(helm.template(values)))


def test_backtests_rank_below_everything_and_a_quota_is_bound_to_their_class() -> None:
    rendering = helm.template()
    priority = rendering.one("PriorityClass", "smarttrade-system-smarttrade-backtest")
    assert (priority["value"] < 0, priority["preemptionPolicy"]) == (True, "Never")
    assert _operator_settings({}).backtests.priority_class == priority["metadata"]["name"]
    without = {"backtests": {"createPriorityClass": False}}
    classes = [each["metadata"]["name"] for each in helm.template(without).kind("PriorityClass")]
    assert priority["metadata"]["name"] not in classes
    assert _operator_settings(without).backtests.priority_class == ""


def test_no_account_puts_what_all_depend_on_off_a_node() -> None:
    rendering = helm.template(SIMULATOR | {"nats.dedicated": [{"name": "own", "namespaces": ["alice"]}]})
    classes = {each["metadata"]["name"]: each for each in rendering.kind("PriorityClass")}
    account = classes[_operator_settings({}).runtime.priority_class]
    for kind, number in (("Deployment", 2), ("StatefulSet", 3)):
        lasting = rendering.kind(kind)
        assert len(lasting) == number
        for each in lasting:
            ranked = classes[each["spec"]["template"]["spec"]["priorityClassName"]]
            assert ranked["value"] > account["value"] > 0
    assert _operator_settings({"runtime.createPriorityClass": False}).runtime.priority_class == ""
    without = helm.template({"platform.createPriorityClass": False})
    assert not any("platform" in each["metadata"]["name"] for each in without.kind("PriorityClass"))
    for hook in (each for each in rendering.kind("Job")):
        assert "priorityClassName" not in hook["spec"]["template"]["spec"]


def test_backtests_may_have_an_image_of_their_own() -> None:
    image = {"backtests": {"image": {"repository": "registry/research", "tag": "7"}}}
    assert _operator_settings(image).backtests.image == "registry/research:7"
    assert _operator_settings({}).backtests.image.startswith("smarttrade-research:")
    plain = {"backtests": {"image": {"repository": ""}}}
    assert _operator_settings(plain).backtests.image == ""


def _undescribed(path: str, schema: dict[str, Any]) -> list[str]:
    found = [] if "description" in schema else [path]
    for name, value in schema.get("properties", {}).items():
        if name not in ("requests", "limits"):
            found += _undescribed(f"{path}.{name}", value)
    return found


def test_no_repository_of_strategies_images_is_allowed_unless_it_is_named() -> None:
    assert _operator_settings({}).runtime.strategy_images == ()
    named = ["registry.example/acme", "localhost:5000/mine"]
    assert _operator_settings({"runtime.strategyImages": named}).runtime.strategy_images == tuple(named)


def test_every_value_is_described_and_has_a_default() -> None:
    schema = json.loads((helm.CHART / "values.schema.json").read_text())
    assert _undescribed("values", schema) == []
    assert _missing("values", schema, yaml.safe_load((helm.CHART / "values.yaml").read_text())) == []


def _missing(path: str, schema: dict[str, Any], values: dict[str, Any]) -> list[str]:
    if "additionalProperties" not in schema or schema["additionalProperties"] is not False:
        return []
    found = []
    for name, value in schema["properties"].items():
        if name in ("global", "requests", "limits"):
            continue
        if name not in values:
            found.append(f"{path}.{name}")
        elif isinstance(values[name], dict):
            found += _missing(f"{path}.{name}", value, values[name])
    return found
