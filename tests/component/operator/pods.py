"""Pods as the operator hears them: real connections with the credentials from the account's own Secret."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from smarttrade.bus import subjects
from smarttrade.bus.accounts import account_keys
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.control import ControlReader
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.identity import AccountIdentity
from smarttrade.messages import (
    AccountControl,
    Check,
    EffectiveState,
    EvaluationStatus,
    ExecutionReport,
    MonitoringReport,
    Position,
    Report,
    encode,
)
from tests.component.operator.harness import Manifest, Namespace

GOOD = (
    Check(type="Reconciled", ok=True, reason="Reconciled"),
    Check(type="WithinRisk", ok=True, reason="WithinLimits"),
    Check(type="CredentialsValid", ok=True, reason="Paper"),
)
FRESH = Check(type="DataFresh", ok=True, reason="Fresh")


async def _ignore() -> None:
    return None


@dataclass
class Pod:
    """Monitoring and execution of one pod."""

    namespace: Namespace
    account: str
    url: str
    name: str = "alice-pod-1"
    connections: dict[str, Connection] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        secret = self.namespace.wait("Secret", f"{self.account}-nats")
        for role in ("monitoring", "execution"):
            self.connections[role] = await self._connect(secret, role)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self.connections.values():
            await connection.close()

    async def _connect(self, secret: Manifest, role: str) -> Connection:
        credentials = b64decode(secret["data"][f"{role}.creds"]).decode()
        return await connect(self.url, name=self.name, role=role, credentials=credentials, on_closed=_ignore)

    async def control(self) -> AccountControl | None:
        return await ControlReader(self.connections["execution"]).current()

    async def report(
        self, generation: int, *, monitoring: dict[str, Any] | None = None, **execution: Any
    ) -> None:
        """Report as both containers; keywords replace fields of the good reports."""
        await self._send("execution", build_execution_report(self.name, generation, **execution))
        await self._send("monitoring", build_monitoring_report(self.name, generation, **(monitoring or {})))

    async def _send(self, role: str, report: Report) -> None:
        await self.connections[role].publish(subjects.report(role), encode(report))
        await self.connections[role].flush()


def build_execution_report(pod: str, generation: int, **fields: Any) -> ExecutionReport:
    values: dict[str, Any] = {
        "leading": True,
        "epoch": 1,
        "effective_state": EffectiveState.ACTIVE,
        "equity": Decimal("10000"),
        "realized_pnl": Decimal(0),
        "unrealized_pnl": Decimal(0),
        "open_orders": 0,
        "unknown_orders": 0,
        "fills": 0,
        "positions": [],
        "checks": list(GOOD),
        "as_of_ms": 1_800_000_000_000,
    }
    return ExecutionReport(pod=pod, generation=generation, **(values | fields))


def build_monitoring_report(pod: str, generation: int, **fields: Any) -> MonitoringReport:
    evaluation = EvaluationStatus(
        pod=pod, generation=generation, ready=True, leading=True, decisions=0, divergences=0
    )
    values: dict[str, Any] = {"checks": [FRESH], "evaluation": evaluation, "as_of_ms": 1_800_000_000_000}
    return MonitoringReport(pod=pod, generation=generation, **(values | fields))


def holding(quantity: str) -> Position:
    return Position(
        market="BTC/USDT",
        quantity=Decimal(quantity),
        average_price=Decimal("60000"),
        realized_pnl=Decimal(0),
        unrealized_pnl=Decimal("1.5"),
    )


async def stored_accounts(server: LocalServer, keys: OperatorKeys, namespace: Namespace) -> set[bool]:
    """Whether NATS holds each of the accounts of the account `alice`."""
    identity = AccountIdentity(namespace.installation, namespace.name, "alice")
    provisioner = Provisioner(server.url, keys)
    await provisioner.connect()
    try:
        publics = [key.public for key in account_keys(keys, identity)]
        return {await provisioner.lookup(public) is not None for public in publics}
    finally:
        await provisioner.close()
