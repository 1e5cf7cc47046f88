"""The real cluster, shared by all end-to-end tests: what `cluster.target` chooses, under a name of its own.

A demonstration that is left running has an operator that serves every namespace, so these tests never share
its cluster. The cluster is removed afterwards if it was started here.
"""

import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from cluster import clusters
from cluster.images import platform
from cluster.kubectl import Kubectl, build_namespace
from cluster.target import Origin, target

os.environ.setdefault("CLUSTER_NAME", "smarttrade-test")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Kubectl]:
    """kubectl on the cluster, which is started when it does not run."""
    where = target()
    was_there = clusters.is_ready(where)
    clusters.up(where)
    yield Kubectl(where)
    if not was_there and where.origin is not Origin.GIVEN:
        clusters.down(where)


@pytest.fixture(scope="session")
def images(cluster: Kubectl) -> dict[str, str]:
    """References of the platform's images (operator, runtime, nats), loaded into the cluster."""
    return platform.bring(cluster.target)


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
