"""Metrics are for the platform's scrapers; the pod's own containers, strategy code among them, get probes."""

import asyncio

import pytest

from smarttrade.process.http_server import is_neighbour
from smarttrade.process.probes import Probes


async def get(address: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    status = int((await reader.readline()).split()[1])
    writer.close()
    return status


@pytest.mark.parametrize(
    ("host", "exposes", "metrics"), [(None, True, 403), ("127.0.0.1", True, 200), (None, False, 404)]
)
async def test_who_gets_the_metrics(
    host: str | None, exposes: bool, metrics: int, unused_tcp_port: int
) -> None:
    probes = Probes(unused_tcp_port, host, exposes=exposes)
    probes.ready("it", ok=True)
    await probes.start()
    try:
        asked = [
            await get("127.0.0.1", probes.bound_port, path) for path in ("/livez", "/readyz", "/metrics")
        ]
    finally:
        await probes.stop()
    assert asked == [200, 200, metrics]


@pytest.mark.parametrize(
    ("caller", "called", "neighbour"),
    [
        ("127.0.0.1", "127.0.0.2", True),
        ("::1", "::1", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.4", "10.1.2.3", False),
        ("fd00::7", "fd00::8", False),
    ],
)
def test_who_is_a_neighbour(caller: str, called: str, neighbour: bool) -> None:
    assert is_neighbour(caller, called) is neighbour
