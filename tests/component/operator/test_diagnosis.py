"""What keeps an account from running shows in its conditions.

No kubelet runs here: the tests write the pods' status as a kubelet does. The e2e tests use a real one.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.component.operator.harness import Manifest, Namespace, OperatorProcess, build_account, eventually

ROLES = ("monitoring", "evaluation", "execution")


def _container(role: str, **state: Any) -> Manifest:
    return {
        "name": role,
        "image": "smarttrade-runtime:test",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": "ContainerCreating"}},
        **state,
    }


def _waiting(reason: str, message: str) -> Manifest:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def _crashed(reason: str, code: int, message: str) -> Manifest:
    ended = {"exitCode": code, "reason": reason, "message": message}
    return {"state": {"running": {}}, "lastState": {"terminated": ended}, "restartCount": 4}


CASES: dict[str, tuple[Manifest, str, str]] = {
    "wrong image": (_waiting("ErrImagePull", "no such image x:1"), "ImagePullBackOff", "no such image x:1"),
    "crash loop": (
        _crashed("Error", 2, '{"event": "SMARTTRADE_ENDPOINT is not set"}'),
        "CrashLoopBackOff",
        "SMARTTRADE_ENDPOINT is not set",
    ),
    "out of memory": (_crashed("OOMKilled", 137, ""), "OOMKilled", "exited with 137"),
    "bad configuration": (
        _waiting("CreateContainerConfigError", "container has runAsNonRoot"),
        "CreateContainerConfigError",
        "runAsNonRoot",
    ),
}


@pytest.fixture
def pod(operator: OperatorProcess, namespace: Namespace) -> str:
    """The name of the one pod of an account."""
    namespace.create("TradingAccount", build_account("alice", replicas=1))
    return str(eventually(lambda: namespace.items("Pod"))[0]["metadata"]["name"])


@pytest.mark.parametrize("case", CASES)
def test_a_pod_that_does_not_run_says_why(namespace: Namespace, pod: str, case: str) -> None:
    state, reason, told = CASES[case]
    statuses = [_container(role, **(state if role == "execution" else {})) for role in ROLES]
    namespace.patch("Pod", pod, {"status": {"phase": "Pending", "containerStatuses": statuses}}, status=True)

    condition = namespace.wait_condition("alice", "PodsHealthy", reason)
    assert condition["status"] == "False"
    assert told in condition["message"]
    assert pod in condition["message"]
    namespace.wait_condition("alice", "Ready", reason)
    assert namespace.get("TradingAccount", "alice")["status"]["phase"] == "Failed"


def test_a_pod_without_a_node_says_why(namespace: Namespace, pod: str) -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient memory",
    }
    namespace.patch("Pod", pod, {"status": {"conditions": [condition]}}, status=True)
    shown = namespace.wait_condition("alice", "PodsHealthy", "Unschedulable")
    assert "Insufficient memory" in shown["message"]


def test_an_evicted_pod_says_why(namespace: Namespace, pod: str) -> None:
    status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    namespace.patch("Pod", pod, {"status": status}, status=True)
    shown = namespace.wait_condition("alice", "PodsHealthy", "Evicted")
    assert "low on resource" in shown["message"]


def test_a_missing_secret_is_read_from_the_pods_events(namespace: Namespace, pod: str) -> None:
    statuses = [_container(role) for role in ROLES]
    namespace.patch("Pod", pod, {"status": {"phase": "Pending", "containerStatuses": statuses}}, status=True)
    _warn(namespace, pod, 'MountVolume.SetUp failed for volume "exchange" : secret "alice-binance" not found')
    shown = namespace.wait_condition("alice", "PodsHealthy", "FailedMount", 40)
    assert 'secret "alice-binance" not found' in shown["message"]


def test_a_credentials_secret_that_a_pod_misses_is_written_again(namespace: Namespace, pod: str) -> None:
    namespace.delete("Secret", "alice-nats")
    statuses = [_container(role) for role in ROLES]
    namespace.patch("Pod", pod, {"status": {"phase": "Pending", "containerStatuses": statuses}}, status=True)
    _warn(
        namespace, pod, 'MountVolume.SetUp failed for volume "nats-execution" : secret "alice-nats" not found'
    )
    namespace.wait("Secret", "alice-nats", 40)


def test_pods_that_may_not_be_made_say_why(operator: OperatorProcess, namespace: Namespace) -> None:
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    path = f"/api/v1/namespaces/{namespace.name}/resourcequotas"
    assert namespace.client.call("POST", path, quota).status == 201
    eventually(lambda: namespace.client.call("GET", f"{path}/none").body["status"].get("hard"))
    namespace.create("TradingAccount", build_account("alice"))
    shown = namespace.wait_condition("alice", "PodsHealthy", "FailedCreate")
    assert "exceeded quota" in shown["message"]


def test_an_environment_outside_the_catalogue_is_named(
    operator: OperatorProcess, namespace: Namespace
) -> None:
    exchange = {"name": "binance", "environment": "Moon"}
    namespace.create("TradingAccount", build_account("alice", exchange=exchange))
    shown = namespace.wait_condition("alice", "ConfigApplied", "UnknownEnvironment")
    assert "Moon" in shown["message"]
    assert "Production, Simulator" in shown["message"]
    namespace.wait_condition("alice", "Ready", "UnknownEnvironment")
    assert namespace.find("Deployment", "alice") is None


def test_a_recovered_pod_clears_the_condition(namespace: Namespace, pod: str) -> None:
    waiting = [_container(role, **_waiting("ErrImagePull", "none")) for role in ROLES]
    namespace.patch("Pod", pod, {"status": {"phase": "Pending", "containerStatuses": waiting}}, status=True)
    namespace.wait_condition("alice", "PodsHealthy", "ImagePullBackOff")
    running = [_container(role, state={"running": {}}, ready=True) for role in ROLES]
    ready = {"type": "Ready", "status": "True"}
    status = {"phase": "Running", "containerStatuses": running, "conditions": [ready]}
    namespace.patch("Pod", pod, {"status": status}, status=True)
    namespace.wait_condition("alice", "PodsHealthy", "AllReady")
    reasons = [
        event["reason"]
        for event in namespace.items("Event")
        if event["regarding"]["kind"] == "TradingAccount"
    ]
    assert reasons.count("ImagePullBackOff") <= 2


def _warn(namespace: Namespace, pod: str, message: str) -> None:
    """A Warning event as the kubelet writes it."""
    event = {
        "metadata": {"generateName": f"{pod}-"},
        "type": "Warning",
        "reason": "FailedMount",
        "message": message,
        "involvedObject": {"kind": "Pod", "namespace": namespace.name, "name": pod, "apiVersion": "v1"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    path = f"/api/v1/namespaces/{namespace.name}/events"
    assert namespace.client.call("POST", path, event).status == 201
