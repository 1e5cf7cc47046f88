"""Egress gateways as plain processes, and the simulated exchange behind TLS, which only they should reach."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster import binaries
from cluster.pki import Authority
from smarttrade.bus.gateway import build_password
from smarttrade.exchange.route import Gateway
from tests.component.operator.harness import free_port

KEY = "0123456789abcdef" * 4
ISSUED = int(time.time()) - 60
USER = f"binance.Private.{ISSUED}.alice.alice"
LOOPBACK = "127.0.0.0/8"


@dataclass
class RunningGateway:
    """One process, and what an account needs to use it."""

    process: subprocess.Popen[bytes]
    port: int
    place: Path

    def opened_by(self, user: str = USER, password: str = "") -> Gateway:
        return Gateway("127.0.0.1", self.port, user, password or build_password(KEY, user))

    def withdraw(self, accounts: dict[str, int]) -> None:
        """As the operator writes it and the kubelet brings it: in one step."""
        written = self.place / "written"
        written.write_text(json.dumps(accounts))
        written.replace(self.place / "withdrawn.json")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def _start(words: list[str | Path], port: int, place: Path) -> RunningGateway:
    return RunningGateway(subprocess.Popen(words), port, place)


async def start_gateway(
    folder: Path,
    hosts: dict[str, list[str]],
    private: str = LOOPBACK,
    program: Sequence[str | Path] = (),
) -> RunningGateway:
    """Once it answers. `program`: another build of it, with the words that it needs first."""
    port = free_port()
    place = folder / str(port)
    place.mkdir()
    (place / "key").write_text(f"{KEY}\n")
    (place / "hosts.json").write_text(json.dumps(hosts))
    words = list(program) or [binaries.ensure("egress-gateway")]
    words += [f"--listen=127.0.0.1:{port}", f"--key={place / 'key'}", f"--hosts={place / 'hosts.json'}"]
    words.append(f"--withdrawn={place / 'withdrawn.json'}")
    words += [f"--allow-private={private}"] if private else []
    gateway = _start(words, port, place)
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return gateway
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def behind_tls(folder: Path, port: int) -> AsyncIterator[tuple[int, str]]:
    """(port, authority as PEM) of a TLS server that hands everything to the plain one on `port`."""
    authority = Authority(folder / "pki")
    pair = authority.serving("exchange", ["localhost", "127.0.0.1"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pipe(reader, inner_writer), _pipe(inner_reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], authority.pair.certificate.read_text()
    finally:
        server.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
    writer.close()


async def ask(gateway: RunningGateway, request: str) -> str:
    """The answer to a raw request: its head where a tunnel is opened, else all of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write(request.encode())
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            return (head if b" 200 " in head else head + await reader.read()).decode(errors="replace")
    finally:
        writer.close()
