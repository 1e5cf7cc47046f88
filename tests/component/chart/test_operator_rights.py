"""The operator's own process, with the environment and exactly the rights that the chart gives it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.server import LocalServer
from tests.component.chart import helm
from tests.component.chart.installation import (
    Cluster,
    await_answer,
    free_port,
    run_key_job,
    write_kubeconfig,
)

ACCOUNT = {
    "apiVersion": "smarttrade.io/v1alpha1",
    "kind": "TradingAccount",
    "metadata": {"name": "first", "namespace": "alice"},
    "spec": {
        "exchange": {"name": "binance"},
        "markets": [{"symbol": "BTC/USDT"}],
        "strategy": {"name": "ma-cross"},
        "capital": {"currency": "USDT", "allocation": "1000"},
        "risk": {"maxOrderNotional": "100", "maxPositionNotional": "500", "maxDailyLoss": "50"},
        "deletionTimeoutSeconds": 5,
    },
}
MODES: dict[str, dict[str, Any]] = {"cluster-wide": {}, "namespaced": {"watchNamespaces": ["alice"]}}


@pytest.mark.parametrize("values", MODES.values(), ids=MODES.keys())
async def test_the_charts_rights_are_enough_for_an_accounts_whole_life(
    cluster: Cluster, values: dict[str, Any], nats_server_binary: Path, tmp_path: Path
) -> None:
    cluster.helm("install", "smarttrade", str(helm.CHART), "--no-hooks", *helm.values_flags(values))
    try:
        run_key_job(cluster, values, tmp_path)
        keys = OperatorKeys.from_files(_write_files(cluster, "smarttrade-keys", tmp_path / "keys"))
        _write_files(cluster, "smarttrade-nats-tls", tmp_path / "tls")
        tls = tmp_path / "tls"
        async with LocalServer(keys, tmp_path / "nats", binary=nats_server_binary, tls=tls) as nats:
            log = _run_operator(cluster, values, tmp_path, nats.url)
    finally:
        cluster.helm("uninstall", "smarttrade", "--no-hooks")
    assert "forbidden" not in log.lower()
    assert "Traceback" not in log


def _write_files(cluster: Cluster, secret: str, folder: Path) -> dict[str, str]:
    """What a pod that mounts the Secret finds in the folder."""
    folder.mkdir()
    data = cluster.get("secret", secret)["data"]
    files = {name: b64decode(value).decode() for name, value in data.items()}
    for name, text in files.items():
        (folder / name).write_text(text)
    return files


def _run_operator(cluster: Cluster, values: dict[str, Any], folder: Path, nats_url: str) -> str:
    """Its log, after an account was created, hurt, changed and deleted."""
    path = folder / "operator.log"
    environment = _environment(cluster, values, folder, nats_url)
    address = f"http://127.0.0.1:{environment['SMARTTRADE_PORT']}"
    with path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "smarttrade_operator.main"],
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            _live(cluster, lambda: process.poll() is None)
            assert [await_answer(f"{address}{path}") for path in ("/livez", "/readyz")] == [200, 200]
            assert _unknown_metrics(f"{address}/metrics") == set()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        except AssertionError as error:
            raise AssertionError(f"{error}\n{path.read_text()[-4000:]}") from error
        finally:
            process.kill()
            process.wait()
    return path.read_text()


def _environment(cluster: Cluster, values: dict[str, Any], folder: Path, nats_url: str) -> dict[str, str]:
    rendering = helm.template(values)
    pod = rendering.one("Deployment", "smarttrade-operator")["spec"]["template"]["spec"]
    given = {each["name"]: each.get("value", "") for each in pod["containers"][0]["env"]}
    catalogue = folder / "catalogue.yaml"
    catalogue.write_text(rendering.one("ConfigMap", "smarttrade-catalogue")["data"]["catalogue.yaml"])
    token = cluster.kubectl("create", "token", pod["serviceAccountName"], "-n", helm.NAMESPACE).strip()
    # Nobody here knows the names of Services, which pods without DNS are told.
    here = {
        "SMARTTRADE_GATEWAYS": "",
        "KUBECONFIG": str(write_kubeconfig(cluster, token, folder)),
        "SMARTTRADE_OPERATOR_NAMESPACE": helm.NAMESPACE,
        "SMARTTRADE_OPERATOR_POD": "operator-0",
        "SMARTTRADE_KEYS": str(folder / "keys"),
        "SMARTTRADE_CATALOGUE": str(catalogue),
        "SMARTTRADE_NATS_URL": nats_url,
        "SMARTTRADE_NATS_TLS": str(folder / "tls"),
        "SMARTTRADE_PORT": str(free_port()),
        "SMARTTRADE_HOST": "127.0.0.1",
    }
    return {**os.environ, **given, **here}


def _live(cluster: Cluster, is_running: Callable[[], bool]) -> None:
    cluster.kubectl("apply", "-f", "-", manifests=[ACCOUNT])
    children = ("deployment/first", "networkpolicy/first", "pdb/first", "secret/first-nats")
    _await(lambda: all(_exists(cluster, child) for child in children), "its children", is_running)
    cluster.kubectl("delete", "networkpolicy", "first", "-n", "alice")
    _await(lambda: _exists(cluster, "networkpolicy/first"), "the return of a child", is_running)
    sidecar = '{"spec":{"template":{"spec":{"containers":[{"name":"miner","image":"miner:1"}]}}}}'
    cluster.kubectl("patch", "deployment", "first", "-n", "alice", "-p", sidecar)
    containers = "jsonpath={.spec.template.spec.containers[*].name}"
    _await(
        lambda: "miner" not in cluster.kubectl("get", "deploy", "first", "-n", "alice", "-o", containers),
        "the repair of an edit",
        is_running,
    )
    cluster.kubectl("patch", "ta", "first", "-n", "alice", "--type=merge", "-p", '{"spec":{"replicas":1}}')
    _await(lambda: not _exists(cluster, "pdb/first"), "the end of its budget", is_running)
    applied = "jsonpath={.status.observedGeneration}"
    _await(
        lambda: cluster.kubectl("get", "ta", "first", "-n", "alice", "-o", applied) == "2",
        "its status",
        is_running,
    )
    cluster.kubectl("delete", "ta", "first", "-n", "alice", "--wait=false")
    _await(lambda: not _exists(cluster, "ta/first"), "its release", is_running)


def _exists(cluster: Cluster, child: str) -> bool:
    return cluster.kubectl("get", child, "-n", "alice", "--ignore-not-found", "-o", "name") != ""


def _await(holds: Callable[[], bool], what: str, is_running: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 90
    while not holds():
        assert is_running(), f"the operator ended while waiting for {what}"
        assert time.monotonic() < give_up, f"no {what} in time"
        time.sleep(0.2)


def _unknown_metrics(url: str) -> set[str]:
    """Metrics that the chart's alerts ask for and the operator does not have."""
    exported = urllib.request.urlopen(url, timeout=10).read().decode()
    rules = yaml.safe_load((helm.CHART / "files/rules/operator.yaml").read_text())
    asked = {name for rule in rules for name in re.findall(r"smarttrade_\w+", rule["expr"])}
    assert asked
    return {name for name in asked if f"\n{name} " not in exported and f"\n{name}{{" not in exported}
