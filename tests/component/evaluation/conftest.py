from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from tests.component.monitoring.pod import Bus


@pytest_asyncio.fixture
async def bus(nats_server_binary: Path, tmp_path: Path) -> AsyncIterator[Bus]:
    keys = OperatorKeys.generate()
    async with LocalServer(keys, tmp_path / "nats", binary=nats_server_binary) as server:
        provisioner = Provisioner(server.url, keys)
        await provisioner.connect()
        made = Bus(server, keys, provisioner)
        await made.prepare()
        yield made
        await made.close()
        await provisioner.close()
