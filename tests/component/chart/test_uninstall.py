"""`helm uninstall` lets every account go, by a job that runs with the chart's own rights.

No kubelet runs here: a thread does for the hook what one would, with the job's command and service account.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from smarttrade_operator.finalizer import FINALIZER
from tests.component.chart import helm
from tests.component.chart.installation import Cluster, write_kubeconfig
from tests.component.chart.settings import TOGGLES
from tests.component.operator.harness import build_account, eventually

JOB = "smarttrade-release"
DEFINITION = "crd/tradingaccounts.smarttrade.io"
OTHERS = "example.com/keep"
MODES: dict[str, dict[str, Any]] = {
    "cluster-wide": {},
    "nothing cluster-wide": TOGGLES["namespaced, nothing cluster-wide"],
    # Last, since without controllers a namespace that is being deleted stays for ever.
    "namespaced, one is being deleted": {"watchNamespaces": ["alice", "bob", "carol"]},
}


def _create_account(cluster: Cluster, name: str, namespace: str, **labels: str) -> None:
    account = build_account(name)
    account["metadata"] |= {"namespace": namespace, "labels": labels, "finalizers": [FINALIZER, OTHERS]}
    cluster.kubectl("create", "-f", "-", manifests=[account])


def _finalizers(cluster: Cluster, name: str, namespace: str) -> list[str]:
    found = json.loads(cluster.kubectl("get", "ta", name, "-n", namespace, "-o", "json"))
    return list(found["metadata"].get("finalizers", []))


def _delete_account(cluster: Cluster, name: str, namespace: str) -> None:
    patch = '{"metadata": {"finalizers": null}}'
    cluster.kubectl("patch", "ta", name, "-n", namespace, "--type=merge", "-p", patch)
    cluster.kubectl("delete", "ta", name, "-n", namespace, "--timeout=20s")


def _run_release(cluster: Cluster, folder: Path, times: int = 1) -> str:
    """What the job's pod would run; what it says."""
    job = eventually(lambda: json.loads(_job(cluster)), 60, "helm makes the job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["smarttrade-operator", "release"]
    account = job["spec"]["template"]["spec"]["serviceAccountName"]
    token = cluster.kubectl("create", "token", account, "-n", helm.NAMESPACE).strip()
    environment = {**os.environ, "KUBECONFIG": str(write_kubeconfig(cluster, token, folder))}
    command = [sys.executable, "-m", "smarttrade_operator.main", "release", *container["args"]]
    said = ""
    for _ in range(times):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said += done.stdout
    return said


def _job(cluster: Cluster) -> str:
    return (
        cluster.kubectl("get", "job", JOB, "-n", helm.NAMESPACE, "--ignore-not-found", "-o", "json") or "null"
    )


def _complete(cluster: Cluster, *, failed: bool) -> None:
    now = "2026-01-01T00:00:00Z"
    kinds = ["FailureTarget", "Failed"] if failed else ["SuccessCriteriaMet", "Complete"]
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds]
    status: dict[str, Any] = {"startTime": now, "conditions": conditions}
    status |= {"failed": 1} if failed else {"succeeded": 1, "completionTime": now}
    patch = json.dumps({"status": status})
    cluster.kubectl(
        "patch", "job", JOB, "-n", helm.NAMESPACE, "--subresource=status", "--type=merge", "-p", patch
    )


@contextmanager
def _kubelet(cluster: Cluster, folder: Path) -> Iterator[Future[str]]:
    """Runs the job that appears meanwhile, twice as after a failure at its very end; what it has said."""

    def work() -> str:
        try:
            said = _run_release(cluster, folder, times=2)
        except BaseException:
            _complete(cluster, failed=True)
            raise
        _complete(cluster, failed=False)
        return said

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(work)


def _left(cluster: Cluster) -> list[str]:
    kinds = "serviceaccounts,roles,rolebindings,jobs,deployments,statefulsets,services"
    spread = cluster.kubectl("get", kinds, "-A", "-o", "name").split()
    wide = cluster.kubectl("get", "clusterroles,clusterrolebindings", "-o", "name").split()
    return [name for name in (*spread, *wide) if "smarttrade" in name and "smarttrade-keys" not in name]


@pytest.mark.parametrize("mode", MODES)
def test_uninstalling_lets_the_accounts_go(cluster: Cluster, mode: str, tmp_path: Path) -> None:
    cluster.add_namespace("carol")
    flags = helm.values_flags(MODES[mode])
    cluster.helm("install", "smarttrade", str(helm.CHART), "--no-hooks", *flags)
    if "carol" in MODES[mode].get("watchNamespaces", []):
        cluster.kubectl("delete", "namespace", "carol", "--wait=false")
    _create_account(cluster, "first", "alice")
    _create_account(cluster, "second", "bob")
    _create_account(cluster, "third", "bob", **{"smarttrade.io/installation": "another"})
    with _kubelet(cluster, tmp_path) as job:
        cluster.helm("uninstall", "smarttrade", "--wait", "--timeout=90s")
    said = job.result()
    assert [_finalizers(cluster, *name) for name in (("first", "alice"), ("second", "bob"))] == [[OTHERS]] * 2
    assert _finalizers(cluster, "third", "bob") == [FINALIZER, OTHERS]
    assert said.count("account released") == 2
    assert _left(cluster) == []
    for name in (("first", "alice"), ("second", "bob"), ("third", "bob")):
        _delete_account(cluster, *name)


def test_nothing_is_released_while_the_operator_is_installed(cluster: Cluster, tmp_path: Path) -> None:
    """As where the chart's manifests are applied without Helm, and the job is one among them."""
    manifests = helm.template().manifests
    wanted = [each for each in manifests if each["metadata"]["name"].endswith(("-release", "-operator"))]
    definition = helm.template().kind("CustomResourceDefinition")
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", manifests=definition)
    cluster.kubectl("wait", "--for=condition=Established", DEFINITION, "--timeout=30s")
    cluster.kubectl("apply", "-f", "-", manifests=wanted)
    try:
        _create_account(cluster, "first", "alice")
        assert "nothing released" in _run_release(cluster, tmp_path)
        assert _finalizers(cluster, "first", "alice") == [FINALIZER, OTHERS]
        _delete_account(cluster, "first", "alice")
    finally:
        cluster.kubectl("delete", "-f", "-", manifests=[*wanted, *definition])


def test_definitions_that_are_not_kept_go_with_their_accounts(cluster: Cluster, tmp_path: Path) -> None:
    flags = helm.values_flags({"crds.keep": False})
    cluster.helm("install", "smarttrade", str(helm.CHART), "--no-hooks", *flags)
    account = build_account("first")
    account["metadata"] |= {"namespace": "alice", "finalizers": [FINALIZER]}
    cluster.kubectl("create", "-f", "-", manifests=[account])
    with _kubelet(cluster, tmp_path) as job:
        cluster.helm("uninstall", "smarttrade")
    assert "account released" in job.result()
    cluster.kubectl("wait", "--for=delete", DEFINITION, "--timeout=30s")
