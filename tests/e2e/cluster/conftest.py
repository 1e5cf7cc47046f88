"""Two namespaces with pods that talk, shared by the tests of one module."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cluster.kubectl import Document, Kubectl, build_namespace
from tests.e2e.cluster.talking import Caller, address, build_caller, build_listener
from tests.e2e.proxy import Proxy

POLICIES = "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies"


@dataclass(frozen=True)
class Stage:
    """`home` has two listeners and callers alice and bob; `away` (labelled `place: away`) a listener and a
    caller carol. `listener` is what most policies are about; `second` and `distant` are the others."""

    cluster: Kubectl
    proxy: Proxy
    home: str
    away: str
    listener: str
    second: str
    distant: str
    alice: Caller
    bob: Caller
    carol: Caller
    addresses: dict[str, str]

    @property
    def callers(self) -> tuple[Caller, ...]:
        return self.alice, self.bob, self.carol

    def apply(self, policy: Document) -> None:
        """Make or change a policy of `home`; the API server has it when this returns."""
        path = f"{POLICIES.format(self.home)}/{policy['metadata']['name']}"
        answer = self.proxy.apply(path, policy)
        assert answer.status in (200, 201), answer.message

    def remove(self, name: str = "") -> None:
        """Delete one policy of `home`, or all; the API server has done it when this returns."""
        answer = self.proxy.call("DELETE", f"{POLICIES.format(self.home)}/{name}".rstrip("/"))
        assert answer.status == 200, answer.message

    def label(self, pod: str, **labels: str | None) -> None:
        """Change labels of a pod of `home`; None removes one."""
        path = f"/api/v1/namespaces/{self.home}/pods/{pod}"
        answer = self.proxy.merge(path, {"metadata": {"labels": labels}})
        assert answer.status == 200, answer.message


@pytest.fixture(scope="module")
def stage(cluster: Kubectl, proxy: Proxy, images: dict[str, str]) -> Iterator[Stage]:
    """The pods are ready and no policy is in force."""
    suffix, image = uuid.uuid4().hex[:6], images["runtime"]
    home, away = f"home-{suffix}", f"away-{suffix}"
    cluster.apply(build_namespace(home), build_namespace(away, {"place": "away"}))
    cluster.apply(
        build_listener("listener", image, {"role": "listener"}),
        build_listener("second", image, {"role": "second"}),
        build_caller("alice", image, {"role": "caller", "who": "alice"}),
        build_caller("bob", image, {"role": "caller", "who": "bob"}),
        namespace=home,
    )
    cluster.apply(
        build_listener("distant", image, {"role": "distant"}),
        build_caller("carol", image, {"role": "caller", "who": "carol"}),
        namespace=away,
    )
    cluster.wait_ready(home, "listener", "second", "alice", "bob")
    cluster.wait_ready(away, "distant", "carol")
    addresses = {name: address(cluster, home, name) for name in ("listener", "second", "alice", "bob")}
    addresses |= {name: address(cluster, away, name) for name in ("distant", "carol")}
    callers = [Caller(cluster, home, "alice"), Caller(cluster, home, "bob"), Caller(cluster, away, "carol")]
    listeners = [addresses[name] for name in ("listener", "second", "distant")]
    yield Stage(cluster, proxy, home, away, *listeners, *callers, addresses)
    for caller in callers:
        caller.close()
    cluster("delete", "namespace", home, away, "--wait=false")


@pytest.fixture(autouse=True)
def no_policy_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test of a stage starts without policies."""
    yield
    if "stage" in request.fixturenames:
        stage = request.getfixturevalue("stage")
        stage.remove()
        for caller in stage.callers:
            caller.settles(stage.listener, reachable=True)
