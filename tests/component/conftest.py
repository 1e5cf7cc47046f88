"""Real components, started once for all component tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import binaries
from cluster.controlplane import ControlPlane


@pytest.fixture(scope="session")
def nats_server_binary() -> Path:
    """The nats-server executable."""
    return binaries.ensure("nats-server")


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A bare Kubernetes API with garbage collection and namespace deletion, but no nodes.

    Tests share it: make a namespace of your own.
    """
    with ControlPlane(controllers=True) as running:
        yield running
