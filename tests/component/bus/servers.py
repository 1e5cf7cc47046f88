"""Several nats-servers that form a cluster."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.errors import BusError
from tests.component.bus.tenants import eventually


@asynccontextmanager
async def clustered(
    count: int, keys: OperatorKeys, binary: Path, folder: Path, tls: Path | None = None
) -> AsyncIterator[list[LocalServer]]:
    """`nats-0` and so on, with their data below the folder; `tls` is the folder with their certificate."""
    ports = free_ports(count)
    routes = ", ".join(f"{'tls' if tls else 'nats'}://127.0.0.1:{port}" for port in ports)
    async with AsyncExitStack() as stack:
        servers = [
            LocalServer(
                keys,
                folder / f"nats-{index}",
                binary=binary,
                server_name=f"nats-{index}",
                cluster=f"name: tests\nlisten: 127.0.0.1:{port}\nroutes: [{routes}]",
                tls=tls,
            )
            for index, port in enumerate(ports)
        ]
        await asyncio.gather(*(stack.enter_async_context(server) for server in servers))
        yield servers


async def know_each_other(provisioner: Provisioner, count: int) -> None:
    """Wait until the servers do."""

    async def complete() -> bool:
        try:
            return await provisioner._count_servers() == count
        except BusError:
            return False

    await eventually(complete, f"the {count} servers know each other")


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
