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
from smarttrade.exchange.loading import prepare_ccxt
from tests.component.monitoring.pod import Bus

# Else each worker would execute every exchange that ccxt knows.
prepare_ccxt()

HERE = Path(__file__).parent
# In these folders each test starts its own processes, and waits for them most of the time.
ON_THEIR_OWN = ("execution", "cli", "lockstep", "bus", "monitoring")
LONG = ("execution", "operator", "chart", "cli", "lockstep", "bus", "monitoring")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """How parallel workers share the tests: long ones first, so that short ones fill the end.

    A file stays in one worker, whose tests share an API server or an operator; others need not.
    """
    for item in items:
        alone = _folder(item) in ON_THEIR_OWN and "control_plane" not in item.fixturenames  # type: ignore[attr-defined]
        if not (alone or item.get_closest_marker("xdist_group")):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    return LONG.index(_folder(item)) if _folder(item) in LONG else len(LONG)


def _folder(item: pytest.Item) -> str:
    """The folder below this one; empty for tests of other layers."""
    return item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""


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
