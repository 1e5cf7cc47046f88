"""The chart on a real API server: accepted, restricted, and its keys made once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from smarttrade.api import load_account
from tests.component.chart import helm
from tests.component.chart.installation import Cluster, is_hook, run_key_job
from tests.component.chart.settings import SIMULATOR, TOGGLES

# Of kinds that the cluster's own add-ons define.
_FOREIGN = ("PodMonitor", "PrometheusRule", "Certificate", "Issuer")


@pytest.mark.parametrize("values", TOGGLES.values(), ids=TOGGLES.keys())
def test_the_api_server_accepts_every_object(cluster: Cluster, values: dict[str, Any]) -> None:
    rendering = helm.template(values)
    manifests = [each for each in rendering.manifests if each["kind"] not in _FOREIGN]
    strictly = ("--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts")
    applied = cluster.kubectl("apply", *strictly, "-f", "-", manifests=manifests)
    assert len(applied.splitlines()) == len(manifests)


@pytest.mark.parametrize("name", ["defaults", "three servers", "no persistence", "simulator"])
def test_every_pod_satisfies_the_restricted_standard(cluster: Cluster, name: str) -> None:
    rendering = helm.template(TOGGLES[name])
    pods = [_build_pod(*each) for each in helm.pod_templates(rendering).items()]
    with _applied(cluster, rendering.kind("PriorityClass")):
        made = cluster.kubectl("create", "--dry-run=server", "-f", "-", manifests=pods)
    assert len(made.splitlines()) == len(pods)


def _build_pod(workload: str, template: dict[str, Any]) -> dict[str, Any]:
    spec = {key: value for key, value in template["spec"].items() if key != "serviceAccountName"}
    if workload.startswith("StatefulSet") and "data" not in {each["name"] for each in spec["volumes"]}:
        spec["volumes"] = [*spec["volumes"], {"name": "data", "emptyDir": {}}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "try-", "namespace": helm.NAMESPACE},
        "spec": {**spec, "automountServiceAccountToken": False},
    }


@contextmanager
def _applied(cluster: Cluster, manifests: list[dict[str, Any]]) -> Iterator[None]:
    """There for a block; what is left would not be Helm's."""
    cluster.kubectl("apply", "-f", "-", manifests=manifests)
    try:
        yield
    finally:
        cluster.kubectl("delete", "-f", "-", manifests=manifests)


@pytest.mark.parametrize("name", ["defaults", "simulator", "namespaced"])
def test_the_notes_begin_with_an_account_that_is_valid(cluster: Cluster, name: str) -> None:
    values = helm.values_flags(TOGGLES[name])
    text = cluster.helm("install", "smarttrade", str(helm.CHART), "--dry-run=server", *values)
    manifest = text.split("<<MANIFEST\n")[1].split("\nMANIFEST\n")[0]
    account = load_account(manifest + "\n")
    assert account.namespace == "alice"
    assert account.spec.mode == "Paper"


def test_keys_are_made_once_and_outlive_upgrades_and_the_release(cluster: Cluster, tmp_path: Path) -> None:
    flags = helm.values_flags(SIMULATOR)
    cluster.helm("install", "smarttrade", str(helm.CHART), "--no-hooks", *flags)
    run_key_job(cluster, SIMULATOR, tmp_path)
    first = cluster.get("secret", "smarttrade-keys")
    assert {"operator.jwt", "signing.seed", "master.seed"} <= first["data"].keys()
    admin = cluster.get("secret", "smarttrade-simulator")["data"]["adminToken"]
    configuration = cluster.get("secret", "smarttrade-nats-config")["data"]

    larger = SIMULATOR | {"nats.replicas": 3, "nats.persistence.enabled": False}
    cluster.kubectl("delete", "statefulset", "smarttrade-nats", "-n", helm.NAMESPACE)
    cluster.helm("upgrade", "smarttrade", str(helm.CHART), "--no-hooks", *helm.values_flags(larger))
    run_key_job(cluster, larger, tmp_path)
    assert cluster.get("secret", "smarttrade-keys") == first
    assert cluster.get("secret", "smarttrade-simulator")["data"]["adminToken"] == admin
    assert cluster.get("secret", "smarttrade-nats-config")["data"] != configuration

    cluster.helm("uninstall", "smarttrade", "--no-hooks")
    assert cluster.get("secret", "smarttrade-keys") == first
    assert cluster.get("crd", "tradingaccounts.smarttrade.io")["metadata"]["name"]
    left = cluster.kubectl("get", "deployments,statefulsets,services", "-n", helm.NAMESPACE, "-o", "name")
    assert "smarttrade" not in left


def test_the_key_job_may_read_its_own_secrets_only(cluster: Cluster) -> None:
    hooks = [each for each in helm.template().kind("ServiceAccount", "Role", "RoleBinding") if is_hook(each)]
    cluster.kubectl("apply", "-f", "-", manifests=hooks)
    user = f"system:serviceaccount:{helm.NAMESPACE}:smarttrade-keys"
    can = [_can_get(cluster, name, user) for name in ("smarttrade-keys", "smarttrade-nats-config", "alice")]
    assert can == [True, True, False]


def _can_get(cluster: Cluster, secret: str, user: str) -> bool:
    attributes = {"namespace": helm.NAMESPACE, "verb": "get", "resource": "secrets", "name": secret}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes},
    }
    answer = cluster.kubectl("create", "-o", "json", "-f", "-", manifests=[review])
    return bool(json.loads(answer)["status"]["allowed"])
