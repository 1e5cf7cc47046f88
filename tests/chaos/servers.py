"""One nats-server or a cluster of three, every connection of which goes through a proxy.

Between two servers there is a proxy for each direction of dialling, so that one server can be parted from the
others. What servers tell about addresses is switched off: they and the clients would go round the proxies.

The store may lie on a small disk of its own: a tmpfs in a mount namespace that ends with its holder.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.server import LocalServer, die_with_parent
from tests.chaos.proxy import Proxy
from tests.component.bus.servers import free_ports

_DISK_BYTES = 96 * 1024 * 1024
_BLOCK = bytes(65_536)
_NOWHERE = "127.0.0.1:1"


class NoDiskError(Exception):
    """This machine lets us mount nothing."""


class SmallDisk:
    """A file system that can be filled, seen at `path` by the processes that `wrap` starts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._holder: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._path.mkdir(parents=True)
        mount = f"mount -t tmpfs -o size={_DISK_BYTES} chaos {self._path} && echo up && exec sleep infinity"
        self._holder = await asyncio.create_subprocess_exec(
            "unshare",
            *self._flags(),
            "sh",
            "-c",
            mount,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        assert self._holder.stdout is not None
        if await self._holder.stdout.readline() != b"up\n":
            raise NoDiskError("a tmpfs can be mounted by root only, or where user namespaces are allowed")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._holder is not None:
            with contextlib.suppress(ProcessLookupError):
                self._holder.kill()
            await self._holder.wait()

    def wrap(self, binary: Path, script: Path) -> Path:
        """A program that runs `binary` where the disk is."""
        command = f"exec nsenter --target {self._pid} {' '.join(self._flags(entering=True))} -- {binary}"
        script.write_text(f'#!/bin/sh\n{command} "$@"\n')
        script.chmod(0o755)
        return script

    def fill(self) -> None:
        """Leave not a byte."""
        with self._ballast.open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(_BLOCK)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    @property
    def _pid(self) -> int:
        assert self._holder is not None
        return self._holder.pid

    @property
    def _ballast(self) -> Path:
        return Path(f"/proc/{self._pid}/root{self._path}/ballast")

    @staticmethod
    def _flags(*, entering: bool = False) -> list[str]:
        if os.geteuid() == 0:
            return ["--mount"]
        return ["--mount", "--user", "--preserve-credentials" if entering else "--map-root-user"]


class Servers:
    """`count` servers; `async with` starts and stops them."""

    def __init__(self, count: int, keys: OperatorKeys, directory: Path, binary: Path) -> None:
        self._count, self._keys, self._directory, self._binary = count, keys, directory, binary
        self._stack = contextlib.AsyncExitStack()
        self.servers: list[LocalServer] = []
        self.disk: SmallDisk | None = None
        self._routes: dict[tuple[int, int], Proxy] = {}

    async def __aenter__(self) -> Self:
        binary = await self._small_disk()
        if self._count == 1:
            self.servers = [LocalServer(self._keys, self._store(0), binary=binary)]
        else:
            self.servers = await self._cluster()
        await asyncio.gather(*(self._stack.enter_async_context(server) for server in self.servers))
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self.servers:
            if server.running:
                os.kill(server.pid, signal.SIGCONT)
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """Every server, past the proxies: for those who only watch."""
        return ",".join(server.url for server in self.servers)

    def part(self, index: int, *, silently: bool) -> None:
        """Cut one server's ways to the others."""
        for proxy in self._ways(index):
            if silently:
                proxy.silence()
            else:
                proxy.cut()

    def join(self) -> None:
        for proxy in self._routes.values():
            proxy.restore()

    def _ways(self, index: int) -> Iterator[Proxy]:
        return (proxy for pair, proxy in self._routes.items() if index in pair)

    def _store(self, index: int) -> Path:
        return self._directory / f"nats-{index}"

    async def _small_disk(self) -> Path:
        """The first server's disk, where it is the only one: of three, one may fail unnoticed."""
        if self._count > 1:
            return self._binary
        disk = SmallDisk(self._store(0) / "jetstream")
        try:
            self.disk = await self._stack.enter_async_context(disk)
        except (NoDiskError, FileNotFoundError):
            return self._binary
        return self.disk.wrap(self._binary, self._store(0) / "nats-server-on-small-disk")

    async def _cluster(self) -> list[LocalServer]:
        ports = free_ports(self._count)
        for one in range(self._count):
            for other in range(self._count):
                if one != other:
                    proxy = await self._stack.enter_async_context(Proxy(ports[other]))
                    self._routes[one, other] = proxy
        return [
            LocalServer(
                self._keys,
                self._store(index),
                binary=self._binary,
                server_name=f"nats-{index}",
                cluster=self._cluster_block(index, port),
            )
            for index, port in enumerate(ports)
        ]

    def _cluster_block(self, index: int, port: int) -> str:
        routes = [f"nats://127.0.0.1:{p.port}" for (one, _), p in self._routes.items() if one == index]
        return (
            f"name: chaos\nlisten: 127.0.0.1:{port}\nadvertise: {_NOWHERE}\nno_advertise: true\n"
            f"routes: [{', '.join(routes)}]"
        )
