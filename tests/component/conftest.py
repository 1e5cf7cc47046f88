"""Real components, started once for all component tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from cluster import binaries
from cluster.controlplane import ControlPlane
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from tests.component.monitoring.pod import Bus


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


@pytest_asyncio.fixture
async def bus(nats_server_binary: Path, tmp_path: Path) -> AsyncIterator[Bus]:
    """One account's pair of NATS accounts on a server of the test's own."""
    keys = OperatorKeys.generate()
    async with LocalServer(keys, tmp_path / "nats", binary=nats_server_binary) as server:
        provisioner = Provisioner(server.url, keys)
        await provisioner.connect()
        made = Bus(server, keys, provisioner)
        await made.prepare()
        yield made
        await made.close()
        await provisioner.close()
