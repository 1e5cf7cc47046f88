"""What keeps an account from trading shows on the object, with a kubelet's own words."""

from __future__ import annotations

from collections.abc import Callable

from tests.component.operator.harness import Manifest, eventually
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


def test_an_account_that_finds_no_room_puts_off_nothing_that_others_depend_on(
    platform: Platform, account: MakeAccount
) -> None:
    """It asks for all that is free and nearly all that the platform's own pods hold of the node."""
    (node, *_) = platform.cluster.get("nodes")["items"]
    every = [p for p in platform.cluster.get("pods", "--all-namespaces")["items"] if _is_on(p, node)]
    others = [pod for pod in every if not _makes_room(pod, platform)]
    room = _milli(node["status"]["allocatable"]["cpu"]) - sum(_requested(pod) for pod in others)
    ours = sum(_requested(pod) for pod in every if pod not in others)
    before = _lasting(platform)
    assert ours > 100
    name = account("trudy", resources={"execution": {"requests": {"cpu": f"{room - 110}m"}}})

    def is_judged() -> bool:
        """It finds no room, or another test has just made some."""
        placed = any(pod["spec"].get("nodeName") for pod in platform.pods(name))
        return placed or platform.users.condition(name, "PodsHealthy")["reason"] == "Unschedulable"

    eventually(is_judged, 120, "the scheduler has judged it")
    assert _lasting(platform) == before


def _makes_room(pod: Manifest, platform: Platform) -> bool:
    """A Backtest's does for every account; the platform's must not."""
    return pod["spec"].get("priority", 0) < 0 or pod["metadata"]["namespace"] == platform.system.name


def _lasting(platform: Platform) -> set[str]:
    """The pods that run for all accounts and are not ending, each with its own id."""
    metadata = [p["metadata"] for p in platform.system.items("Pod")]
    metadata = [each for each in metadata if "deletionTimestamp" not in each]
    owners = {each["uid"]: (each.get("ownerReferences") or [{"kind": ""}])[0]["kind"] for each in metadata}
    return {uid for uid, kind in owners.items() if kind in ("ReplicaSet", "StatefulSet")}


def _is_on(pod: Manifest, node: Manifest) -> bool:
    ended = pod["status"].get("phase") in ("Succeeded", "Failed")
    return not ended and pod["spec"].get("nodeName") == node["metadata"]["name"]


def _requested(pod: Manifest) -> int:
    requests = [c.get("resources", {}).get("requests", {}).get("cpu", "0") for c in pod["spec"]["containers"]]
    return sum(_milli(each) for each in requests)


def _milli(cpu: str) -> int:
    return int(cpu.removesuffix("m")) if cpu.endswith("m") else int(cpu) * 1000


def test_a_container_out_of_memory_is_named(platform: Platform, account: MakeAccount) -> None:
    tiny = {"requests": {"memory": "32Mi"}, "limits": {"memory": "32Mi"}}
    # Its execution lives too seldom to settle anything, so its deletion takes all the time that it may.
    name = account("carol", resources={"execution": tiny}, deletionTimeoutSeconds=5)

    def is_named() -> bool:
        reason = platform.users.condition(name, "PodsHealthy")["reason"]
        return reason in ("OOMKilled", "CrashLoopBackOff")

    eventually(is_named, 120, "OOMKilled or CrashLoopBackOff")
    assert "execution" in platform.users.condition(name, "PodsHealthy")["message"]
