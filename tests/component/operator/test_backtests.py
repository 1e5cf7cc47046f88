"""A Backtest's whole life on a real API server with the real Job controller.

There is no node: the test is the kubelet and runs each pod's own program, in the pod's own environment, with
its mounts as folders.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from smarttrade.api.backtest import BacktestStatus
from smarttrade.api.crds.backtest import NAME, build_crd
from smarttrade.bus.server import LocalServer
from smarttrade.sweep.parquet import read_outcomes
from tests.component.api.client import Client
from tests.component.operator.harness import (
    Manifest,
    Namespace,
    OperatorProcess,
    build_account,
    eventually,
)
from tests.unit.backtest.recordings import random_walk

BACKTESTS = "/apis/smarttrade.io/v1alpha1/namespaces/{}/backtests"


@pytest.fixture(scope="module")
def served(client: Client) -> None:
    """The definition of Backtest."""
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{NAME}"
    answer = client.apply(path, build_crd())
    assert answer.status in (200, 201), answer.message
    eventually(lambda: client.call("GET", "/apis/smarttrade.io/v1alpha1/backtests").status == 200, 60)


@pytest.fixture(scope="module")
def priority(client: Client) -> Iterator[str]:
    name = f"backtest-{uuid.uuid4().hex[:8]}"
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    body = {"metadata": {"name": name}, "value": -1000, "preemptionPolicy": "Never"}
    assert client.call("POST", path, body).status == 201
    yield name
    client.call("DELETE", f"{path}/{name}")


@pytest.fixture
def operator(
    served: None, priority: str, make_operator: Callable[..., OperatorProcess], nats: LocalServer
) -> OperatorProcess:
    """An operator with exactly the rights of the table, in the test's namespace."""
    return make_operator(nats, BACKTEST_PRIORITY_CLASS=priority, BACKTEST_QUOTA_PODS="7").start()


@dataclass
class Node:
    """Runs the pods of a namespace, as the kubelet of a node would."""

    namespace: Namespace
    folder: Path
    ran: list[str] = field(default_factory=list)

    def run_pods(self) -> None:
        """Run what waits, and tell how it ended."""
        for pod in self.namespace.items("Pod"):
            if (pod.get("status") or {}).get("phase") == "Pending" and pod["metadata"][
                "name"
            ] not in self.ran:
                self.ran.append(pod["metadata"]["name"])
                self._run(pod)

    def _run(self, pod: Manifest) -> None:
        (container,) = pod["spec"]["containers"]
        message = self.folder / f"{pod['metadata']['name']}.message"
        environment = {each["name"]: self._value(pod, each) for each in container["env"]}
        done = subprocess.run(
            container["command"],
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                **environment,
                "SMARTTRADE_BACKTEST_MESSAGE": str(message),
            },
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        told = message.read_text() if message.exists() else done.stderr[-2000:]
        ended = {"exitCode": done.returncode, "message": told, "startedAt": None, "finishedAt": None}
        status = {
            "phase": "Succeeded" if done.returncode == 0 else "Failed",
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "x",
                    "ready": False,
                    "restartCount": 0,
                    "state": {"terminated": ended},
                }
            ],
        }
        self.namespace.patch("Pod", pod["metadata"]["name"], {"status": status}, status=True)

    def _value(self, pod: Manifest, variable: dict[str, Any]) -> str:
        """The value, with a mount's path replaced by the folder that stands for it."""
        if "valueFrom" in variable:
            index: str = pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"]
            return index
        value: str = variable["value"]
        (container,) = pod["spec"]["containers"]
        for mount in container["volumeMounts"]:
            if value.startswith(mount["mountPath"]) and mount["name"] != "tmp":
                return value.replace(mount["mountPath"], str(self._mount(pod, mount)), 1)
        return value

    def _mount(self, pod: Manifest, mount: dict[str, Any]) -> Path:
        (volume,) = [each for each in pod["spec"]["volumes"] if each["name"] == mount["name"]]
        if "configMap" not in volume:
            return self.folder / volume["persistentVolumeClaim"]["claimName"] / mount.get("subPath", "")
        name = volume["configMap"]["name"]
        answer = self.namespace.client.call(
            "GET", f"/api/v1/namespaces/{self.namespace.name}/configmaps/{name}"
        )
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for key, text in answer.body["data"].items():
            (folder / key).write_text(text)
        return folder


@pytest.fixture
def node(namespace: Namespace, tmp_path: Path) -> Node:
    (tmp_path / "candles").mkdir()
    rows = [f"{c.open_ms},{c.open},{c.high},{c.low},{c.close},{c.volume}" for c in random_walk(700)]
    (tmp_path / "candles/BTC-USDT.csv").write_text(
        "timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n"
    )
    return Node(namespace, tmp_path)


def build(namespace: Namespace, **spec: Any) -> Manifest:
    return {
        "apiVersion": "smarttrade.io/v1alpha1",
        "kind": "Backtest",
        "metadata": {"name": "sweep", "namespace": namespace.name},
        "spec": {
            "account": "alice",
            "data": {"volume": {"claimName": "candles"}},
            "results": {"claimName": "results", "path": "sweeps"},
            "parameters": ["fast=2,4", "slow=8,12"],
            "objective": "Return",
            "folds": 2,
            "shards": 2,
            **spec,
        },
    }


def create(namespace: Namespace, manifest: Manifest) -> str:
    path = BACKTESTS.format(namespace.name)
    answer = namespace.client.call("POST", path, manifest)
    assert answer.status == 201, answer.message
    return f"{path}/{manifest['metadata']['name']}"


def status_of(namespace: Namespace, path: str) -> Manifest:
    status: Manifest = namespace.client.call("GET", path).body.get("status") or {}
    return status


def test_a_backtest_runs_through_its_shards_to_a_verdict(
    namespace: Namespace, operator: OperatorProcess, node: Node, priority: str
) -> None:
    path = create(namespace, build(namespace))
    waiting = eventually(lambda: status_of(namespace, path).get("message"), what="it waits for the account")
    assert "there is no TradingAccount alice" in waiting

    namespace.create("TradingAccount", build_account("alice", state="Paused"))
    pods = eventually(lambda: len(found := namespace.items("Pod")) == 2 and found, 40, "two shards")
    assert {pod["spec"]["priorityClassName"] for pod in pods} == {priority}
    assert {pod["spec"]["priority"] for pod in pods} == {-1000}
    uid = namespace.client.call("GET", path).body["metadata"]["uid"]
    child = f"sweep-{uid[:8]}"
    policy = namespace.get("NetworkPolicy", child)
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    quota = namespace.client.call("GET", f"/api/v1/namespaces/{namespace.name}/resourcequotas/{child}").body
    assert quota["spec"]["hard"]["pods"] == "7"
    eventually(lambda: _counted(namespace, child) == "2", 40, "the quota counts the shards and nothing else")
    eventually(lambda: status_of(namespace, path)["progress"] == "0/2", 40, "the ended are counted")

    namespace.delete("NetworkPolicy", child)
    namespace.client.merge(path, {"metadata": {"annotations": {"look": "again"}}})
    eventually(lambda: namespace.find("NetworkPolicy", child), what="the policy is put back")
    namespace.delete("TradingAccount", "alice")
    eventually(lambda: namespace.find("TradingAccount", "alice") is None, 40, "the account is gone")
    node.run_pods()

    def verdict() -> Manifest | None:
        node.run_pods()
        status = status_of(namespace, path)
        return status if status.get("phase") in ("Succeeded", "Failed") else None

    status = eventually(verdict, 60, "the verdict")
    assert status["phase"] == "Succeeded", status
    assert (status["progress"], status["candidates"]) == ("2/2", 4)
    assert status["best"]["parameters"].startswith("fast=")
    assert status["results"] == "sweep.parquet"
    BacktestStatus.model_validate(status, extra="forbid", by_alias=True, by_name=False)
    outcomes = list(read_outcomes(node.folder / "results/sweeps/sweep.parquet"))
    assert len(outcomes) == 4 * 2
    assert (node.folder / "results/sweeps/sweep.html").is_file()
    assert sorted(each.name for each in (node.folder / "results/sweeps").iterdir()) == [
        "sweep.html",
        "sweep.parquet",
    ]
    assert _row(namespace)[1:7] == [
        "alice",
        "Succeeded",
        "2/2",
        status["best"]["parameters"],
        status["best"]["inSample"],
        status["best"]["outOfSample"],
    ]
    assert "forbidden" not in operator.log_path.read_text().lower()
    assert "Traceback" not in operator.log_path.read_text()


def _counted(namespace: Namespace, name: str) -> str:
    path = f"/api/v1/namespaces/{namespace.name}/resourcequotas/{name}"
    used: str = namespace.client.call("GET", path).body["status"]["used"]["pods"]
    return used


def _row(namespace: Namespace) -> list[Any]:
    """What `kubectl get backtests` shows."""
    accept = "application/json;as=Table;g=meta.k8s.io;v=v1"
    answer = namespace.client.call("GET", BACKTESTS.format(namespace.name), accept=accept)
    cells: list[Any] = answer.body["rows"][0]["cells"]
    return cells


def test_a_mistake_fails_at_once_in_the_words_of_the_program(
    namespace: Namespace, operator: OperatorProcess, node: Node
) -> None:
    namespace.create("TradingAccount", build_account("alice", state="Paused"))
    path = create(namespace, build(namespace, parameters=["fats=1:3"], shards=1))

    def failed() -> Manifest | None:
        node.run_pods()
        status = status_of(namespace, path)
        return status if status.get("phase") == "Failed" else None

    status = eventually(failed, 60, "the failure")
    assert "the strategy has no parameter 'fats'" in status["message"]
    assert len(node.ran) == 1


def test_a_job_that_may_not_make_pods_says_why(namespace: Namespace, operator: OperatorProcess) -> None:
    quotas = f"/api/v1/namespaces/{namespace.name}/resourcequotas"
    full = {"metadata": {"name": "full"}, "spec": {"hard": {"pods": "0"}}}
    assert namespace.client.call("POST", quotas, full).status == 201
    eventually(lambda: namespace.client.call("GET", f"{quotas}/full").body["status"].get("hard"), 20)
    namespace.create("TradingAccount", build_account("alice", state="Paused"))
    path = create(namespace, build(namespace))

    def refused() -> str:
        status = status_of(namespace, path)
        return str(status.get("message") or "") if status.get("phase") == "Running" else ""

    message = eventually(refused, 40, "why no pod is made")
    assert "exceeded quota: full, requested: pods=1, used: pods=0, limited: pods=0" in message
    assert status_of(namespace, path)["conditions"][0]["reason"] == "FailedCreate"


def test_what_is_asked_cannot_be_changed_and_nonsense_is_refused(namespace: Namespace, served: None) -> None:
    path = create(namespace, build(namespace))
    answer = namespace.client.call("PATCH", path, {"spec": {"folds": 5}}, "application/merge-patch+json")
    assert answer.status == 422
    assert "a Backtest cannot be changed: create another one" in answer.message
    nonsense = [
        ({"data": {}}, "set exactly one of data.volume and data.configMap"),
        ({"results": {"claimName": "x", "path": "../up"}}, "write a path within the volume"),
        ({"parameters": ["fast = 3"]}, "write NAME, or NAME=LOW:HIGH"),
        ({"shards": 0}, "should be greater than or equal to 1"),
    ]
    for number, (change, words) in enumerate(nonsense):
        manifest = build(namespace, **change)
        manifest["metadata"]["name"] = f"bad-{number}"
        answer = namespace.client.call("POST", BACKTESTS.format(namespace.name), manifest)
        assert (answer.status, words in answer.message) == (422, True), answer.message


def test_no_pod_runs_under_a_policy_that_is_not_the_backtests(
    namespace: Namespace, operator: OperatorProcess, node: Node
) -> None:
    """An account that is named like the policy comes first, and would leave the pods without one."""
    path = create(namespace, build(namespace))
    uid = namespace.client.call("GET", path).body["metadata"]["uid"]
    squatter = build_account(f"sweep-{uid[:8]}", state="Paused")
    squatter["metadata"]["labels"] = {"smarttrade.io/installation": namespace.name}
    namespace.create("TradingAccount", squatter)
    namespace.wait("NetworkPolicy", f"sweep-{uid[:8]}")
    namespace.create("TradingAccount", build_account("alice", state="Paused"))

    def refused() -> bool:
        return "does not belong to this Backtest" in status_of(namespace, path).get("message", "")

    eventually(refused, 40, "it says whose the policy is")
    labels = [pod["metadata"]["labels"] for pod in namespace.items("Pod")]
    assert [each for each in labels if "smarttrade.io/backtest" in each] == [], "the account's own run"
