"""One pod's worth of real parts in the test's event loop: NATS, simulator, monitoring, evaluation."""

import asyncio
import contextlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from nats.errors import Error as NatsError

from smarttrade.api import TradingAccountSpec
from smarttrade.api.catalogue import Endpoint
from smarttrade.bus import subjects
from smarttrade.bus.accounts import AccountPair, build_accounts
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.identity import AccountIdentity
from smarttrade.messages import (
    AccountControl,
    AccountView,
    Answer,
    Decision,
    DecisionReply,
    EffectiveState,
    MarketBatch,
    MarketEvent,
    StrategyVersion,
    decode,
    encode,
)
from smarttrade.process.probes import Probes
from smarttrade.process.settings import Settings
from smarttrade.simulator.simulator import Simulator

PATIENCE_S = 60.0
IDENTITY = AccountIdentity("tests", "alice", "alice")


async def eventually(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until the condition holds; fail with what was waited for."""
    try:
        async with asyncio.timeout(patience_s):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {patience_s} s: {what}") from None


def build_spec(
    *symbols: str, timeframe: str = "1s", parameters: dict[str, Any] | None = None, **strategy: Any
) -> dict[str, Any]:
    written = {
        "exchange": {"name": "binance", "environment": "Simulator"},
        "markets": [{"symbol": symbol} for symbol in symbols or ("BTC/USDT",)],
        "strategy": {"timeframe": timeframe, "parameters": parameters or {}, "name": "ma-cross", **strategy},
        "capital": {"currency": "USDT", "allocation": "10000"},
        "risk": {
            "maxOrderNotional": "1000",
            "maxPositionNotional": "5000",
            "maxDailyLoss": "200",
            "maxDrawdown": "0.10",
        },
    }
    return TradingAccountSpec.model_validate(written).model_dump(mode="json", by_alias=True)


class Bus:
    """A nats-server with one provisioned account."""

    def __init__(self, server: LocalServer, keys: OperatorKeys, provisioner: Provisioner) -> None:
        self.server, self.keys, self.provisioner = server, keys, provisioner
        self.pair: AccountPair = build_accounts(keys, IDENTITY)
        self._connections: list[Connection] = []

    async def prepare(self) -> None:
        await self.provisioner.push(self.pair)
        await self.provisioner.ensure_assets(IDENTITY)

    async def control(
        self, generation: int, spec: dict[str, Any], strategy: StrategyVersion | None = None
    ) -> None:
        control = AccountControl(generation=generation, spec=spec, strategy=strategy)
        await self.provisioner.write_control(IDENTITY, control)

    async def connect(self, role: str) -> Connection:
        connection = await connect(
            self.server.url,
            name=f"test {role}",
            role=role,
            credentials=self.pair.credentials[role],
            on_closed=_ignore,
        )
        self._connections.append(connection)
        return connection

    def settings(self, role: str, pod: str, directory: Path, endpoint: str = "{}") -> Settings:
        credentials = directory / f"{role}.creds"
        credentials.write_text(self.pair.credentials[role])
        return Settings(
            role=role,
            identity=IDENTITY,
            pod=pod,
            nats_url=self.server.url,
            nats_credentials=credentials,
            endpoint=endpoint,
            exchange_credentials=directory,
            port=0,
            host="127.0.0.1",
            replicas=1,
            log_level="info",
        )

    async def close(self) -> None:
        for connection in self._connections:
            await connection.close()


async def _ignore() -> None:
    pass


class Running:
    """A service that runs until the test is over; an error of it fails the test at `stop`."""

    def __init__(self, service: Any, probes: Probes) -> None:
        self.service, self.probes = service, probes
        self.task = asyncio.create_task(service.run())

    async def ready(self) -> None:
        await eventually(lambda: self.probes.is_ready or self.task.done(), "the service is ready")
        if self.task.done():
            self.task.result()

    def metric(self, name: str, **labels: str) -> float:
        return self.probes.metrics.get_sample_value(name, labels) or 0.0

    async def stop(self) -> None:
        self.task.cancel()
        result = (await asyncio.gather(self.task, return_exceptions=True))[0]
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result


def start(service_class: Callable[[Settings, Probes], Any], settings: Settings) -> Running:
    probes = Probes(0, "127.0.0.1")
    return Running(service_class(settings, probes), probes)


def endpoint_of(exchange: Simulator) -> str:
    return Endpoint(
        rest=exchange.rest_url, websocket=exchange.ws_url, websocket_api=exchange.ws_url
    ).model_dump_json()


class Listener:
    """Every market event of a pod, as its evaluation would hear them."""

    def __init__(self) -> None:
        self.events: list[MarketEvent] = []
        self.batches: list[MarketBatch] = []

    async def listen(self, nc: Connection, pod: str) -> "Listener":
        async def received(message: Any) -> None:
            batch: MarketBatch = decode(message.data, MarketBatch)
            self.batches.append(batch)
            self.events += batch.events

        await nc.subscribe(subjects.market(pod, "*"), cb=received)
        await nc.flush()
        return self

    def of(self, kind: type[Any], **fields: Any) -> list[Any]:
        def fits(event: MarketEvent) -> bool:
            return all(getattr(event, name) == value for name, value in fields.items())

        return [event for event in self.events if isinstance(event, kind) and fits(event)]


class Execution:
    """What evaluation sees of execution: a view of the account, and an answer to every decision.

    `log` holds the account's decisions, of which the newest one's memory is in the view."""

    def __init__(self, nc: Connection, pod: str, log: list[Decision] | None = None) -> None:
        self._nc, self._pod = nc, pod
        self.log: list[Decision] = [] if log is None else log
        self.decisions: list[Decision] = []
        self.leading = False
        self.silent = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> "Execution":
        await self._nc.subscribe(subjects.decide(self._pod), cb=self._decide)
        self._task = asyncio.create_task(self._tell_views())
        return self

    async def _decide(self, message: Any) -> None:
        decision: Decision = decode(message.data, Decision)
        self.decisions.append(decision)
        if all(decision.id != logged.id for logged in self.log):
            self.log.append(decision)
        if not self.silent:
            await message.respond(encode(DecisionReply(id=decision.id, answer=Answer.ACCEPTED)))

    async def _tell_views(self) -> None:
        while True:
            with contextlib.suppress(NatsError):  # NATS may be gone: that is what a test is about
                await self._nc.publish(
                    subjects.position(self._pod), encode(build_view(self.leading, self._memory))
                )
            await asyncio.sleep(0.1)

    @property
    def _memory(self) -> str:
        return next((decision.memory for decision in reversed(self.log) if decision.memory), "")

    def stop(self) -> None:
        if self._task:
            self._task.cancel()


def build_view(leading: bool, memory: str = "") -> AccountView:
    return AccountView(
        leading=leading,
        epoch=1,
        effective_state=EffectiveState.ACTIVE,
        currency="USDT",
        equity=Decimal(10_000),
        available=Decimal(10_000),
        positions=[],
        time_ms=1,
        memory=memory,
    )
