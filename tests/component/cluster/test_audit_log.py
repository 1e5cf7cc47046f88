"""What docs/by-hand.md says of the API server's audit log: its policy and its command, as they stand."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.controlplane import ControlPlane
from cluster.node.system_packages import install_missing
from smarttrade.api.crds.document import NAME, build_crd
from tests.component.api.client import Client
from tests.component.operator.harness import Namespace, build_account, eventually

PAGE = (Path(__file__).parents[3] / "docs" / "by-hand.md").read_text(encoding="utf-8")
POLICY = re.search(r"```yaml\n(apiVersion: audit\.k8s\.io.*?)```", PAGE, re.DOTALL)
COMMAND = re.search(r"^    jq .*?audit\.log$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Of an API server that writes `audit.log` by the documented policy."""
    assert POLICY is not None
    (tmp_path / "policy.yaml").write_text(POLICY[1])
    flags = [f"--audit-policy-file={tmp_path / 'policy.yaml'}", f"--audit-log-path={tmp_path / 'audit.log'}"]
    with ControlPlane(controllers=False, api_server=flags) as running:
        client = Client(running.kubeconfig)
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{NAME}"
        assert client.apply(path, build_crd()).status == 201
        served = "/apis/smarttrade.io/v1alpha1/tradingaccounts"
        eventually(lambda: client.call("GET", served).status == 200, 60, "accounts are served")
        yield client


def test_the_documented_command_names_who_made_a_generation(client: Client, tmp_path: Path) -> None:
    install_missing({"jq": "jq"})
    assert client.call("POST", "/api/v1/namespaces", {"metadata": {"name": "alice"}}).status == 201
    place = Namespace(client, "alice")
    place.create("TradingAccount", build_account("alice"))
    for limit in ("201", "202", "203", "900"):
        changed = place.patch("TradingAccount", "alice", {"spec": {"risk": {"maxDailyLoss": limit}}})
    assert changed["metadata"]["generation"] == 5, "which the page asks for"
    place.patch("TradingAccount", "alice", {"status": {"openOrders": 1}}, status=True)

    def told() -> list[dict[str, object]]:
        assert COMMAND is not None
        run = subprocess.run(["sh", "-c", COMMAND[0]], cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        return [json.loads(line) for line in run.stdout.splitlines()]

    [row] = eventually(told, 30, "the audit log has the change")
    assert (row["user"], row["from"]) == ("admin", ["127.0.0.1"])
    assert "system:masters" in str(row["groups"])
    assert row["resourceVersion"] == changed["metadata"]["resourceVersion"]
