"""Real components, started once for all component tests."""

import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from xdist.scheduler import LoadScopeScheduling

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
# In these folders each test starts its own processes, and waits for them most of the time; but for the files
# whose tests share an API server.
ON_THEIR_OWN = ("execution", "cli", "lockstep", "bus", "monitoring")
TOGETHER = ("cli/test_objects.py", "execution/test_by_hand.py")
FIRST = (*TOGETHER, "bus/test_cluster.py")
COMPUTING = ("operator", "chart")
# Whose tests ask for `control_plane`, of which each worker makes its own.
ON_AN_API_SERVER = (
    "operator/",
    "admission/",
    "api/",
    "cli/test_objects.py",
    "cluster/test_audit_log.py",
    "cluster/test_control_plane.py",
    "cluster/test_namespaces.py",
)
API_SERVERS = 2
PHASES = {"first": 0, "computes": 1, "waits": 1, "short": 2}


class Sharing(LoadScopeScheduling):
    """Gives a file to one worker, whose tests share an API server or an operator; where they share nothing,
    each test to whoever is free. What needs an API server goes to two workers, as long as the others have
    something else: to start and to idle, it computes more than for the tests of many a file.

    xdist's own groups are marks, which it writes where this pytest does not look.
    """

    def _split_scope(self, nodeid: str) -> str:
        below = _below(nodeid)
        alone = below.partition("/")[0] in ON_THEIR_OWN and below not in TOGETHER
        return nodeid if alone else nodeid.partition("::")[0]

    def _assign_work_unit(self, node: Any) -> None:
        suiting = next((scope for scope in self.workqueue if self._suits(scope, node)), None)
        if suiting is not None:
            self.workqueue.move_to_end(suiting, last=False)
        super()._assign_work_unit(node)

    def _suits(self, scope: str, node: Any) -> bool:
        having = [each for each, units in self.assigned_work.items() if any(map(_is_on_an_api_server, units))]
        return len(having) < API_SERVERS or (node in having) == _is_on_an_api_server(scope)


def _is_on_an_api_server(scope: str) -> bool:
    return _below(scope).startswith(ON_AN_API_SERVER)


def _below(nodeid: str) -> str:
    """Its file, as seen from this folder."""
    return nodeid.partition("::")[0].rpartition("tests/component/")[2]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    return Sharing(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first, so that short ones fill the end; those that compute evenly among those that wait."""
    items.sort(key=lambda item: _folder(item) not in COMPUTING[:1])
    groups = [_group(item) for item in items]
    sizes, seen, turns = Counter(groups), Counter[int](), {}
    for item, group in zip(items, groups, strict=True):
        seen[group] += 1
        turns[item] = (PHASES[group], seen[group] / sizes[group])
    items.sort(key=turns.__getitem__)


def _group(item: pytest.Item) -> str:
    folder = _folder(item)
    if f"{folder}/{item.path.name}" in FIRST:
        return "first"
    return "computes" if folder in COMPUTING else "waits" if folder in ON_THEIR_OWN else "short"


def _folder(item: pytest.Item) -> str:
    """Below this one; of other layers' tests the path outside it."""
    return os.path.relpath(item.path.parent, HERE)


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
