"""The real cluster, shared by all end-to-end tests: what `cluster.target` chooses, under a name of its own.

A demonstration that is left running has an operator that serves every namespace, so these tests never share
its cluster. Several test processes share this one: the first starts it, and the last one removes it if it
was not there before.
"""

import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from cluster import clusters
from cluster.images import platform
from cluster.kubectl import Kubectl, build_namespace
from cluster.locks import exclusive
from cluster.paths import cache_folder
from cluster.target import Origin, Target, target
from tests.e2e.proxy import Proxy

os.environ.setdefault("CLUSTER_NAME", "smarttrade-test")

# What one process does, in this order: about as long for each. Files of one share have one platform. The one
# that takes its platform away comes last.
SHARES = (
    ("test_demo", "test_services", "test_images", "test_bandwidth"),
    ("test_recordings", "test_network_policy", "test_lifecycle"),
    ("test_attacks", "test_life"),
    ("test_backtest", "test_own_strategy", "test_gateway", "test_nats_cluster"),
    ("test_execution_under_faults", "test_trouble", "test_chart_release", "test_uninstall"),
)
PLACES = {name: (number, place) for number, share in enumerate(SHARES) for place, name in enumerate(share)}


class Sharing(LoadScopeScheduling):
    """Gives each worker a share."""

    def _split_scope(self, nodeid: str) -> str:
        return str(PLACES[Path(nodeid.partition("::")[0]).stem][0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    return Sharing(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order of the shares; within a file it stays as written."""
    items.sort(key=lambda item: PLACES[item.path.stem])


@contextmanager
def shared(where: Target) -> Iterator[None]:
    """Hold the cluster up; a process that dies lets go of it too."""
    gate = cache_folder() / "cluster" / f"{where.context}.tests.lock"
    users = gate.with_suffix(".users")
    gate.parent.mkdir(parents=True, exist_ok=True)
    with users.open("a+") as file:
        with exclusive(gate):
            if _is_alone(file.fileno()):
                users.write_text("keep" if clusters.is_ready(where) else "remove")
                clusters.up(where)
            fcntl.flock(file, fcntl.LOCK_SH)
        yield
        with exclusive(gate):
            last = _is_alone(file.fileno())
            if last and users.read_text() == "remove" and where.origin is not Origin.GIVEN:
                clusters.down(where)


def _is_alone(descriptor: int) -> bool:
    """Whether no other process holds the file; it is then held alone."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@pytest.fixture(scope="session")
def cluster() -> Iterator[Kubectl]:
    """kubectl on the cluster, which is started when it does not run."""
    where = target()
    with shared(where):
        yield Kubectl(where)


@pytest.fixture(scope="session")
def proxy(cluster: Kubectl) -> Iterator[Proxy]:
    """Plain HTTP to the API server, whatever the kubeconfig's way of logging in."""
    with Proxy(cluster) as running:
        yield running


@pytest.fixture(scope="session")
def images(cluster: Kubectl) -> dict[str, str]:
    """References of the platform's images (operator, runtime, research, nats), loaded into the cluster."""
    return platform.bring(cluster.target, research=True)


@pytest.fixture
def namespace(cluster: Kubectl) -> Iterator[Callable[..., str]]:
    """Makes namespaces, with labels if wanted, that are deleted after the test."""
    made: list[str] = []

    def make(labels: dict[str, str] | None = None) -> str:
        name = f"test-{uuid.uuid4().hex[:8]}"
        cluster.apply(build_namespace(name, labels))
        made.append(name)
        return name

    yield make
    for name in made:
        cluster("delete", "namespace", name, "--wait=false")
