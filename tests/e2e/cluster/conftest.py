"""Two namespaces with pods that talk, shared by the tests of one module."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cluster.kubectl import Kubectl, build_namespace
from tests.e2e.cluster.talking import Caller, address, build_caller, build_listener


@dataclass(frozen=True)
class Stage:
    """`home` has a listener and callers alice and bob; `away` (labelled `place: away`) has a caller carol."""

    cluster: Kubectl
    home: str
    away: str
    listener: str
    alice: Caller
    bob: Caller
    carol: Caller
    addresses: dict[str, str]


@pytest.fixture(scope="module")
def stage(cluster: Kubectl, images: dict[str, str]) -> Iterator[Stage]:
    """The pods are ready and no policy is in force."""
    suffix, image = uuid.uuid4().hex[:6], images["runtime"]
    home, away = f"home-{suffix}", f"away-{suffix}"
    cluster.apply(build_namespace(home), build_namespace(away, {"place": "away"}))
    cluster.apply(
        build_listener("listener", image, {"role": "listener"}),
        build_caller("alice", image, {"role": "caller", "who": "alice"}),
        build_caller("bob", image, {"role": "caller", "who": "bob"}),
        namespace=home,
    )
    cluster.apply(build_caller("carol", image, {"role": "caller", "who": "carol"}), namespace=away)
    cluster.wait_ready(home, "listener", "alice", "bob")
    cluster.wait_ready(away, "carol")
    addresses = {name: address(cluster, home, name) for name in ("listener", "alice", "bob")}
    addresses["carol"] = address(cluster, away, "carol")
    callers = [Caller(cluster, home, "alice"), Caller(cluster, home, "bob"), Caller(cluster, away, "carol")]
    yield Stage(cluster, home, away, addresses["listener"], *callers, addresses)
    cluster("delete", "namespace", home, away, "--wait=false")


@pytest.fixture(autouse=True)
def no_policy_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test of a stage starts without policies."""
    yield
    if "stage" in request.fixturenames:
        stage = request.getfixturevalue("stage")
        for namespace in (stage.home, stage.away):
            stage.cluster("delete", "networkpolicy", "--all", f"--namespace={namespace}")
