"""Provisioned accounts and connections as their containers, for tests against a real nats-server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from smarttrade.bus.accounts import AccountPair, build_accounts
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.identity import AccountIdentity

PATIENCE_S = 60.0


def identity(name: str) -> AccountIdentity:
    return AccountIdentity("tests", name, name)


async def eventually(condition: Callable[[], Awaitable[bool] | bool], what: str) -> None:
    """Wait until the condition holds; fail with what was waited for."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = condition()
                if answer if isinstance(answer, bool) else await answer:
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE_S} s: {what}") from None


class Tenants:
    def __init__(self, server: LocalServer, keys: OperatorKeys, provisioner: Provisioner) -> None:
        self.server, self.keys, self.provisioner = server, keys, provisioner
        self.closed: list[str] = []
        self._connections: list[Connection] = []

    async def create(self, name: str) -> AccountPair:
        pair = build_accounts(self.keys, identity(name))
        await self.provisioner.push(pair)
        await self.provisioner.ensure_assets(identity(name))
        return pair

    async def connect(self, pair: AccountPair, role: str, *, as_role: str | None = None) -> Connection:
        async def on_closed() -> None:
            self.closed.append(f"{pair.identity.name}/{role}")

        connection = await connect(
            self.server.url,
            name=f"{pair.identity.name}-{role}",
            role=as_role or role,
            credentials=pair.credentials[role],
            on_closed=on_closed,
        )
        self._connections.append(connection)
        return connection

    async def close(self) -> None:
        for connection in self._connections:
            await connection.close()


class Ear:
    """What one subscription heard; `violations` of a connection are seen by `refused`."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []

    async def listen(self, connection: Connection, subject: str) -> "Ear":
        async def received(message: Any) -> None:
            self.heard.append((message.subject, message.data))

        await connection.subscribe(subject, cb=received)
        await connection.flush()
        return self
