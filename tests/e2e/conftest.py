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

import pytest

from cluster import clusters
from cluster.images import platform
from cluster.kubectl import Kubectl, build_namespace
from cluster.locks import exclusive
from cluster.paths import cache_folder
from cluster.target import Origin, Target, target
from tests.e2e.proxy import Proxy

os.environ.setdefault("CLUSTER_NAME", "smarttrade-test")

# A file is one process's. Those that take longest begin, the one that takes the platform away ends.
FIRST = ("test_demo", "test_attacks", "test_recordings", "test_life", "test_trouble")
FIRST += ("test_execution_under_faults", "test_own_strategy", "test_backtest", "test_lifecycle")
LAST = "test_uninstall"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order in which files are given out; within a file it stays as written."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    name = item.path.stem
    return FIRST.index(name) if name in FIRST else len(FIRST) + (name == LAST)


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
