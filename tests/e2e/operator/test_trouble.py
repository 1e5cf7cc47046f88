"""What keeps an account from trading shows on the object, with a kubelet's own words."""

from __future__ import annotations

from collections.abc import Callable

from tests.component.operator.harness import eventually
from tests.e2e.operator.conftest import Platform

MakeAccount = Callable[..., str]
RUNTIME_IMAGE = "SMARTTRADE_RUNTIME_IMAGE"


def test_a_missing_exchange_secret_is_named(platform: Platform, account: MakeAccount) -> None:
    reference = {"name": "binance", "environment": "Simulator", "credentialsSecretRef": {"name": "nowhere"}}
    name = account("grace", exchange=reference)
    condition = platform.users.wait_condition(name, "PodsHealthy", "FailedMount", 120)
    assert '"nowhere" not found' in condition["message"]
    assert platform.users.condition(name, "Ready")["reason"] == "FailedMount"
    assert platform.status(name)["phase"] == "Failed"


def test_a_lost_credentials_secret_is_written_again_for_a_new_pod(
    platform: Platform, account: MakeAccount
) -> None:
    name = account("heidi")
    platform.wait_fills(name, 1)
    platform.users.delete("Secret", f"{name}-nats")
    pod = platform.pods(name)[0]["metadata"]["name"]
    platform.users.delete("Pod", pod)
    platform.users.wait("Secret", f"{name}-nats", 120)
    eventually(lambda: platform.status(name).get("leader") not in (None, pod), 180, "the new pod leads")


def test_a_wrong_strategy_parameter_is_named(platform: Platform, account: MakeAccount) -> None:
    strategy = {"name": "no-such-strategy", "timeframe": "1s", "parameters": {}}
    name = account("grace", strategy=strategy)

    def is_named() -> bool:
        conditions = platform.status(name)["conditions"]
        texts = [c["message"] for c in conditions if c["status"] == "False"]
        return any("no-such-strategy" in text for text in texts)

    eventually(is_named, 120, "a condition names the strategy")


def test_a_wrong_image_is_named(platform: Platform, account: MakeAccount) -> None:
    operator = ["deployment/smarttrade-operator", f"--namespace={platform.system.name}"]
    wrong = "docker.io/library/smarttrade-runtime:no-such-tag"
    right = platform.images["runtime"]
    platform.cluster("set", "env", *operator, f"{RUNTIME_IMAGE}={wrong}")
    try:
        platform.scale_operator(1)
        name = account("kim")
        condition = platform.users.wait_condition(name, "PodsHealthy", "ImagePullBackOff", 120)
        assert "no-such-tag" in condition["message"]
    finally:
        platform.cluster("set", "env", *operator, f"{RUNTIME_IMAGE}={right}")
        platform.scale_operator(1)
    platform.wait_fills("kim", 1, 180)


def test_an_unschedulable_pod_is_named(platform: Platform, account: MakeAccount) -> None:
    huge = {"requests": {"cpu": "900", "memory": "128Mi"}}
    name = account("bob", resources={"execution": huge})
    condition = platform.users.wait_condition(name, "PodsHealthy", "Unschedulable", 60)
    assert "Insufficient cpu" in condition["message"]


def test_a_container_out_of_memory_is_named(platform: Platform, account: MakeAccount) -> None:
    tiny = {"requests": {"memory": "32Mi"}, "limits": {"memory": "32Mi"}}
    # Its execution lives too seldom to settle anything, so its deletion takes all the time that it may.
    name = account("carol", resources={"execution": tiny}, deletionTimeoutSeconds=5)

    def is_named() -> bool:
        reason = platform.users.condition(name, "PodsHealthy")["reason"]
        return reason in ("OOMKilled", "CrashLoopBackOff")

    eventually(is_named, 120, "OOMKilled or CrashLoopBackOff")
    assert "execution" in platform.users.condition(name, "PodsHealthy")["message"]
