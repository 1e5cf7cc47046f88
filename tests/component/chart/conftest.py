from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.controlplane import ControlPlane
from tests.component.chart import helm
from tests.component.chart.installation import Cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """An API server of these tests' own: Helm would not adopt a definition that others installed."""
    with ControlPlane(controllers=False) as control_plane:
        cluster = Cluster(control_plane.kubeconfig)
        for name in (helm.NAMESPACE, "alice", "bob"):
            cluster.add_namespace(name)
        yield cluster
