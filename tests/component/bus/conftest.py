from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from tests.component.bus.tenants import Tenants


@pytest.fixture
def keys() -> OperatorKeys:
    return OperatorKeys.generate()


@pytest_asyncio.fixture
async def server(keys: OperatorKeys, nats_server_binary: Path, tmp_path: Path) -> AsyncIterator[LocalServer]:
    async with LocalServer(keys, tmp_path / "nats", binary=nats_server_binary) as running:
        yield running


@pytest_asyncio.fixture
async def provisioner(server: LocalServer, keys: OperatorKeys) -> AsyncIterator[Provisioner]:
    provisioner = Provisioner(server.url, keys)
    await provisioner.connect()
    yield provisioner
    await provisioner.close()


@pytest_asyncio.fixture
async def tenants(
    server: LocalServer, keys: OperatorKeys, provisioner: Provisioner
) -> AsyncIterator[Tenants]:
    tenants = Tenants(server, keys, provisioner)
    yield tenants
    await tenants.close()
