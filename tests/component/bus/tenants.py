"""Provisioned accounts and connections as their containers, for tests against a real nats-server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from smarttrade.bus import jetstream, jwt, subjects
from smarttrade.bus.accounts import AccountLimits, AccountPair, build_accounts
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.errors import BusError
from smarttrade.identity import AccountIdentity

PATIENCE_S = 60.0


def identity(name: str) -> AccountIdentity:
    return AccountIdentity("tests", name, name)


async def eventually(
    condition: Callable[[], Awaitable[bool] | bool], what: str, within_s: float = PATIENCE_S
) -> None:
    """Wait until the condition holds; fail with what was waited for."""
    try:
        async with asyncio.timeout(within_s):
            while True:
                answer = condition()
                if answer if isinstance(answer, bool) else await answer:
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s: {what}") from None


class Tenants:
    def __init__(self, server: LocalServer, keys: OperatorKeys, provisioner: Provisioner) -> None:
        self.server, self.keys, self.provisioner = server, keys, provisioner
        self.closed: list[str] = []
        self._connections: list[Connection] = []

    async def create(self, name: str, limits: AccountLimits | None = None) -> AccountPair:
        pair = build_accounts(self.keys, identity(name), limits)
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

    async def keep_trail(self, pair: AccountPair) -> Connection:
        """More than anybody has: every right within the account of the trail."""
        connection = await keep_trail(self.server.url, self.keys, pair)
        self._connections.append(connection)
        return connection

    async def close(self) -> None:
        for connection in self._connections:
            await connection.close()


async def keep_trail(url: str, keys: OperatorKeys, pair: AccountPair) -> Connection:
    async def on_closed() -> None:
        return None

    user = keys.user("keeper", pair.identity.key)
    claims = jwt.build_user_claims(pair.trail_public, [">"], [">"])
    signer = keys.account_signing("trail", pair.identity.key)
    token = jwt.encode(signer, user.public, "keeper", claims, keys.created - 60)
    return await connect(
        url,
        name="keeper",
        role="operator",
        credentials=jwt.format_credentials(token, user.seed),
        on_closed=on_closed,
    )


def trail_has(keeper: Connection, number: int) -> Callable[[], Awaitable[bool]]:
    """Whether so many records are in the trail itself."""

    async def has() -> bool:
        try:
            answer = await jetstream.api(keeper, f"STREAM.INFO.{subjects.TRAIL_STREAM}", {})
        except BusError:
            return False
        return bool(answer["state"]["messages"] == number)

    return has


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
