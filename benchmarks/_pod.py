"""The containers of one pod as processes, on a real nats-server, for benchmarks of the whole of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from benchmarks._account import spawn
from cluster import binaries
from smarttrade.bus.accounts import AccountLimits, build_accounts
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.execution.keys import ORDERS_KEY
from smarttrade.identity import AccountIdentity
from smarttrade.messages import AccountControl, StrategyVersion
from smarttrade.simulator.testing import Simulator
from smarttrade.source import pack, read_folder

ROLES = ("monitoring", "evaluation", "execution")
PATIENCE_S = 240
_LOOK_S = 0.02
_IDENTITY = AccountIdentity("bench", "bench", "pod")
_POD = "pod-0"


class Pod:
    """One account with `spec`; REST and user streams by `exchange`, market streams by `streams`."""

    def __init__(
        self,
        folder: Path,
        exchange: Simulator,
        streams: str,
        spec: dict[str, Any],
        roles: Sequence[str] = ROLES,
    ) -> None:
        self._folder, self._exchange, self._streams, self._spec = folder, exchange, streams, spec
        self._ports = {role: _free_port() for role in roles}
        self._stack = contextlib.AsyncExitStack()
        self.pids: dict[str, int] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def __aenter__(self) -> Self:
        keys = OperatorKeys.generate()
        server = LocalServer(keys, self._folder / "nats", binary=binaries.ensure("nats-server"))
        await self._stack.enter_async_context(server)
        provisioner = Provisioner(server.url, keys)
        await provisioner.connect()
        self._stack.push_async_callback(provisioner.close)
        pair = build_accounts(keys, _IDENTITY, AccountLimits(pods=1))
        await provisioner.push(pair)
        await provisioner.ensure_assets(_IDENTITY)
        control = AccountControl(
            generation=1,
            spec=self._spec,
            written_ms=int(time.time() * 1000),
            strategy=self._pack_strategy(),
        )
        await provisioner.write_control(_IDENTITY, control)
        self._bus, self._credentials = server.url, pair.credentials
        (self._folder / ORDERS_KEY).write_text(pair.order_key)
        self._stack.push_async_callback(self._end)
        for role in self._ports:
            await self._start(role)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def restart(self, role: str) -> None:
        """Kill one container and start it again; it is not ready yet."""
        self._processes[role].kill()
        await self._processes[role].wait()
        await self._start(role)

    async def _end(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in self._processes.values():
            await process.wait()

    async def _start(self, role: str) -> None:
        exchange, mounted = self._exchange, self._folder / f"{role}.creds"
        mounted.write_text(self._credentials[role])
        endpoint = {
            "rest": exchange.rest_url,
            "websocket": self._streams,
            "websocketApi": exchange.websocket_api_url,
        }
        process = await spawn(
            f"smarttrade.{role}",
            SMARTTRADE_INSTALLATION=_IDENTITY.installation,
            SMARTTRADE_NAMESPACE=_IDENTITY.namespace,
            SMARTTRADE_ACCOUNT=_IDENTITY.name,
            SMARTTRADE_POD=_POD,
            SMARTTRADE_NATS_URL=self._bus,
            SMARTTRADE_NATS_CREDENTIALS=str(mounted),
            SMARTTRADE_EXCHANGE_CREDENTIALS=str(self._exchange_key()),
            SMARTTRADE_ENDPOINT="{}" if role == "evaluation" else json.dumps(endpoint),
            SMARTTRADE_COMMAND_SOCKET=str(self._folder / "execution.sock"),
            SMARTTRADE_PORT=str(self._ports[role]),
            SMARTTRADE_HOST="127.0.0.1",
            SMARTTRADE_LOG_LEVEL="warning",
        )
        self.pids[role], self._processes[role] = process.pid, process

    def _pack_strategy(self) -> StrategyVersion | None:
        source = self._spec["strategy"].get("source")
        return pack(source["configMapRef"]["name"], read_folder(self._folder)) if source else None

    def _exchange_key(self) -> Path:
        folder = self._folder / "exchange"
        folder.mkdir(exist_ok=True)
        (folder / "apiKey").write_text("alice-key")
        (folder / "secret").write_text("alice-secret")
        return folder

    async def ready(self, *roles: str) -> None:
        """Wait until these containers, or all, say so."""
        async with asyncio.timeout(PATIENCE_S):
            for role in roles or self._ports:
                while not await _says_ready(self._ports[role]):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(_LOOK_S)

    async def counted(self, what: str) -> int:
        """Events or decisions of evaluation, by its last heartbeat."""
        for line in (await _get(self._ports["monitoring"], "/metrics")).decode().splitlines():
            name, _, value = line.partition(" ")
            if name == f"smarttrade_evaluation_{what}":
                return int(float(value))
        return 0


async def _says_ready(port: int) -> bool:
    return b" 200 " in (await _get(port, "/readyz")).partition(b"\r\n")[0]


async def _get(port: int, path: str) -> bytes:
    """The whole answer; nothing from one who is not there."""
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n".encode())
        try:
            return await reader.read()
        finally:
            writer.close()
    return b""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
