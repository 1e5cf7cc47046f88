"""A hostile strategy in its pod: attempts are refused while another account trades, and succeed unguarded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cluster.node.layout import DNS_ADDRESS
from smarttrade_operator.kinds import Manifest
from tests.attacks.latency import ENOUGH, judge_latency
from tests.attacks.matrix import Attempt, Outcome, Succeeded, judge
from tests.attacks.pods.attempts_pods import MATRIX
from tests.attacks.pods.stage import (
    Logs,
    build_modules,
    build_neighbour,
    build_node_port,
    build_opening,
    build_unguarded,
    make_namespace,
)
from tests.component.operator.harness import eventually
from tests.e2e.operator.conftest import Platform, build_own_strategy
from tests.e2e.operator.trail import event_to_fill_s

HOSTILE = {"source": {"configMapRef": {"name": "hostile"}, "class": "hostile.Hostile"}, "timeframe": "1s"}
FILLING = {"source": {"configMapRef": {"name": "hostile"}, "class": "hostile.Filling"}, "timeframe": "1s"}
# Half of what it then takes.
SMALL = {"evaluation": {"limits": {"memory": "300Mi"}}}


@dataclass
class Raid:
    """What came of it, in the hostile account and in the pod without guards, and how the victim fared."""

    guarded: dict[str, Outcome]
    unguarded: dict[str, Outcome]
    platform: Platform
    latency_before: list[float]
    latency_during: list[float]
    leader_before: str


@pytest.fixture(scope="module")
def raid(platform: Platform) -> Iterator[Raid]:
    cluster, image, users = platform.cluster, platform.images["runtime"], platform.users.name
    platform.provide_strategy("victims")
    platform.apply("victim", strategy=build_own_strategy("victims"))
    cluster.apply(build_neighbour(image), build_node_port(), namespace=users)
    cluster.wait_ready(users, "neighbour")
    platform.wait_fills("victim", ENOUGH)
    before = event_to_fill_s(platform.audit("victim"))
    leader = platform.status("victim")["leader"]
    modules = build_modules(_find_targets(platform))
    cluster.apply(modules, namespace=users)
    platform.apply("mallory", strategy=HOSTILE)
    platform.apply("oscar", strategy=FILLING, resources=SMALL)
    free = make_namespace(cluster)
    for opened in (users, platform.system.name):
        cluster.apply(build_opening(free), namespace=opened)
    cluster.apply(modules, *build_unguarded(image), namespace=free)
    pod, filling = _pod_of(platform, "mallory"), _pod_of(platform, "oscar")
    # First: what it filled stays, and the container that comes next may be killed before it tells anything.
    guarded = Logs(cluster, users, filling, "evaluation").fillings()
    guarded |= Logs(cluster, users, pod, "evaluation").outcomes()
    unguarded = Logs(cluster, free, "unguarded", "attacker").outcomes()
    during = event_to_fill_s(platform.audit("victim"))[len(before) :]
    yield Raid(guarded, unguarded, platform, before, during, leader)
    for opened in (users, platform.system.name):
        cluster("delete", "networkpolicy", free, f"--namespace={opened}")
    cluster("delete", "namespace", free, "--wait=false")
    for name in ("mallory", "oscar", "victim"):
        platform.remove(name)


def _pod_of(platform: Platform, account: str) -> str:
    return eventually(lambda: _name(platform.pods(account)[0]), 60, f"the pod of {account} is there")


def _find_targets(platform: Platform) -> dict[str, str]:
    cluster, system = platform.cluster, platform.system
    [subset] = cluster.get("endpoints", "kubernetes")["subsets"]
    node, port = subset["addresses"][0]["ip"], subset["ports"][0]["port"]
    [node_address] = [
        address["address"]
        for address in cluster.get("nodes")["items"][0]["status"]["addresses"]
        if address["type"] == "InternalIP"
    ]
    names = cluster.get("pods", "--all-namespaces", "--selector=k8s-app=kube-dns")["items"]

    def ip(name: str) -> str:
        pods = [p for p in system.items("Pod") if p["metadata"]["labels"]["app.kubernetes.io/name"] == name]
        return str(pods[0]["status"]["podIP"])

    neighbour = cluster.get("pod", "neighbour", f"--namespace={platform.users.name}")["status"]["podIP"]
    return {
        "api": f"{cluster.get('service', 'kubernetes')['spec']['clusterIP']}:443",
        "node api": f"{node}:{port}",
        "kubelet": f"{node_address}:10250",
        "etcd": f"{node_address}:2379",
        "victim": f"{platform.pods('victim')[0]['status']['podIP']}:8083",
        "neighbour": f"{neighbour}:8080",
        "dns elsewhere": f"{neighbour}:5353",
        "simulator admin": f"{ip('simulator')}:8090",
        "nats monitor": f"{ip('nats')}:8222",
        "nats routes": f"{ip('nats')}:6222",
        "operator": f"{ip('operator')}:8080",
        "dns": f"{DNS_ADDRESS}:53",
        "node port": f"{node_address}:{_node_port(platform)}",
        "dns readiness": f"{names[0]['status']['podIP']}:8181",
    }


def _node_port(platform: Platform) -> int:
    service = platform.cluster.get("service", "neighbour", f"--namespace={platform.users.name}")
    return int(service["spec"]["ports"][0]["nodePort"])


def _name(pod: Manifest) -> str:
    return str(pod["metadata"]["name"])


@pytest.mark.parametrize("attempt", MATRIX.attempts, ids=str)
def test_it_is_refused(raid: Raid, attempt: Attempt) -> None:
    judge(attempt, attempt.run(raid.guarded))  # type: ignore[arg-type]


@pytest.mark.parametrize(("attempt", "guard"), MATRIX.controls(), ids=str)
def test_without_its_guard_it_succeeds(raid: Raid, attempt: Attempt, guard: str) -> None:
    outcome = attempt.run(raid.unguarded)
    assert isinstance(outcome, Succeeded), f"without {guard}: {outcome}"


def test_the_victim_noticed_nothing(raid: Raid) -> None:
    platform = raid.platform
    fills = len(raid.latency_before) + len(raid.latency_during)
    assert len(raid.latency_during) >= ENOUGH
    judge_latency(raid.latency_before, raid.latency_during)
    platform.wait_fills("victim", fills + 2)
    assert platform.status("victim")["leader"] == raid.leader_before
    [pod] = platform.pods("victim")
    assert [container["restartCount"] for container in pod["status"]["containerStatuses"]] == [0, 0, 0]
