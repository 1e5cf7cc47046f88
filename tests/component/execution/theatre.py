"""Execution pods as real processes, on a real nats-server and the simulated exchange.

The test itself plays what stands around them: monitoring (quotes of the simulator's book, to every pod),
evaluation (decisions, to whoever accepts them) and the operator (control). The exchange's journal is the
truth against which everything is asserted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import aiohttp
from nats.errors import Error as NatsError

from smarttrade import messages
from smarttrade.api import RISK_ACKNOWLEDGEMENT, TradingAccountSpec
from smarttrade.bus import subjects
from smarttrade.bus.accounts import AccountLimits, AccountPair, build_accounts
from smarttrade.bus.connection import Connection, connect
from smarttrade.bus.keys import OperatorKeys
from smarttrade.bus.provision import Provisioner
from smarttrade.bus.server import LocalServer
from smarttrade.errors import BusError
from smarttrade.execution.keys import ORDERS_KEY
from smarttrade.identity import AccountIdentity, decision_id
from smarttrade.matching import BUY, OrderRequest, OrderType
from smarttrade.simulator.testing import Simulator, build_test_user, manual_config
from tests.component.bus.servers import free_ports

BTC, ETH = "BTC/USDT", "ETH/USDT"
PATIENCE_S = 120.0
_BESIDE = ("deleting", "kill", "cleared", "shared")


async def eventually(
    condition: Callable[[], Awaitable[Any] | Any], what: str, patience_s: float = PATIENCE_S
) -> Any:
    """Wait until the condition gives something true, and return it."""
    try:
        async with asyncio.timeout(patience_s):
            while True:
                answer = condition()
                value = await answer if isinstance(answer, Awaitable) else answer
                if value:
                    return value
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {patience_s} s: {what}") from None


class Pod:
    """One execution process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, output: Path, port: int) -> None:
        self.name = name
        self.process = process
        self._output = output
        self._port = port

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def terminate(self) -> int:
        self.process.terminate()
        return await self.process.wait()

    @property
    def output(self) -> str:
        return self._output.read_text()

    async def probe(self, page: str) -> int:
        """The HTTP status that the kubelet would see."""
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self._port}/{page}") as told:
            return told.status


class Theatre:
    """One account with its exchange; `async with` starts and stops it all."""

    def __init__(self, binary: Path, directory: Path, *, replicas: int = 2, mode: str = "Live") -> None:
        self.identity = AccountIdentity("tests", "alice", "alice")
        self._binary, self._directory = binary, directory
        self._replicas, self._mode = replicas, mode
        self._keys = OperatorKeys.generate()
        self.pods: dict[str, Pod] = {}
        self.exchange = self.build_exchange()
        self.replies: dict[str, messages.DecisionReply] = {}
        self.heard: list[Any] = []
        self.views: dict[str, messages.AccountView] = {}
        self.reports: list[messages.ExecutionReport] = []
        self.key, self.secret = "alice-key", "alice-secret"
        self.hung: set[str] = set()
        self.blind: set[str] = set()
        self.detours: dict[str, int] = {}
        """The port on which a pod finds the exchange, where it is another one."""
        self._sockets = Path(tempfile.mkdtemp(prefix="smarttrade-"))
        self._event = 0
        self._generation = 0
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._start_bus()
        await self._stack.enter_async_context(self.exchange)
        await self._provision()
        await self._provisioner.serve_reports(self._on_report)
        self.monitoring = await self._connect("monitoring")
        self.evaluation = await self._connect("evaluation")
        await self.evaluation.subscribe("fill.>", cb=self._on_news)
        await self.evaluation.subscribe("position.>", cb=self._on_view)
        await self.evaluation.flush()
        self.price(BTC, "60000")
        self.price(ETH, "3000")
        ticking = asyncio.create_task(self._publish_market())
        self._stack.callback(ticking.cancel)
        return self

    async def __aexit__(self, *_: object) -> None:
        for pod in self.pods.values():
            with contextlib.suppress(ProcessLookupError):
                pod.signal(signal.SIGCONT)
            await pod.kill()
        await self._stack.aclose()
        shutil.rmtree(self._sockets, ignore_errors=True)

    async def _start_bus(self) -> None:
        self.server = await self._stack.enter_async_context(
            LocalServer(self._keys, self._directory / "nats", binary=self._binary)
        )
        self.bus_url = self.server.url

    @staticmethod
    def build_exchange() -> Simulator:
        alice = build_test_user("alice", USDT="1000000", BTC="10", ETH="10")
        return Simulator(manual_config(alice, symbols=(BTC, ETH), seed=1))

    # --- the operator ---

    async def _provision(self, copies: int = 1) -> None:
        """Give the account its two NATS accounts and its streams, of which there are `copies`."""
        self._provisioner = Provisioner(self.bus_url, self._keys)
        await self._provisioner.connect()
        self._stack.push_async_callback(self._provisioner.close)
        limits = AccountLimits(copies=copies)
        self._pair: AccountPair = build_accounts(self._keys, self.identity, limits)
        await self._provisioner.push(self._pair)
        await self._provisioner.ensure_assets(self.identity, copies)

    async def control(self, **spec: Any) -> None:
        """Write the account's specification; what the operator says beside it is not part of it."""
        self._generation += 1
        flags = {key: spec.pop(key) for key in _BESIDE if key in spec}
        full = self.build_spec(**spec).model_dump(mode="json", by_alias=True)
        await self._provisioner.write_control(
            self.identity, messages.AccountControl(generation=self._generation, spec=full, **flags)
        )

    def build_spec(self, **more: Any) -> TradingAccountSpec:
        declared: dict[str, Any] = {
            "mode": self._mode,
            "riskAcknowledgement": RISK_ACKNOWLEDGEMENT if self._mode == "Live" else "",
            "exchange": {
                "name": "binance",
                "environment": "Simulator",
                "credentialsSecretRef": {"name": "alice-binance"},
            },
            "markets": [{"symbol": BTC}, {"symbol": ETH}],
            "strategy": {"name": "ma-cross"},
            "capital": {"currency": "USDT", "allocation": "500000", "perMarket": "400000"},
            "risk": {
                "maxOrderNotional": "200000",
                "maxPositionNotional": "400000",
                "maxDailyLoss": "100000",
                "maxDrawdown": "0.9",
                "maxOrdersPerMinute": 6000,
            },
            "replicas": self._replicas,
        }
        return TradingAccountSpec.model_validate({**declared, **more})

    async def start(self, name: str, *, module: str = "smarttrade.execution") -> Pod:
        """Start a pod's execution container."""
        credentials, keys = self._directory / "execution.creds", self._directory / "exchange"
        credentials.write_text(self._pair.credentials["execution"])
        (self._directory / ORDERS_KEY).write_text(self._pair.order_key)
        keys.mkdir(exist_ok=True)
        self.mount_key()
        [port] = free_ports(1)
        environment = {
            **os.environ,
            **self.environment(),
            "SMARTTRADE_INSTALLATION": self.identity.installation,
            "SMARTTRADE_NAMESPACE": self.identity.namespace,
            "SMARTTRADE_ACCOUNT": self.identity.name,
            "SMARTTRADE_POD": name,
            "SMARTTRADE_NATS_URL": self._bus_of(name),
            "SMARTTRADE_NATS_CREDENTIALS": str(credentials),
            "SMARTTRADE_ENDPOINT": json.dumps(self._endpoint_of(name)),
            "SMARTTRADE_EXCHANGE_CREDENTIALS": str(keys),
            "SMARTTRADE_PORT": str(port),
            "SMARTTRADE_HOST": "127.0.0.1",
            "SMARTTRADE_REPLICAS": str(self._replicas),
            "SMARTTRADE_COMMAND_SOCKET": str(self.socket_of(name)),
        }
        output = self._directory / f"{name}.log"
        with output.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", module, env=environment, stdout=sink, stderr=sink
            )
        self.pods[name] = Pod(name, process, output, port)
        return self.pods[name]

    def mount_key(self) -> None:
        """What is in the pods' mounted Secret of the exchange."""
        for name, content in (("apiKey", self.key), ("secret", self.secret)):
            (self._directory / "exchange" / name).write_text(content)

    def environment(self) -> dict[str, str]:
        """What a pod's process finds in its environment beyond the usual."""
        return {}

    def socket_of(self, pod: str) -> Path:
        """Where the pod takes commands by hand; the path of such a socket may not be long."""
        return self._sockets / f"{pod}.sock"

    def _bus_of(self, pod: str) -> str:
        return self.bus_url

    def _endpoint_of(self, pod: str) -> dict[str, Any]:
        exchange, port = self.exchange, str(self.exchange_port)
        own = {
            "rest": exchange.rest_url,
            "websocket": exchange.ws_url,
            "websocketApi": exchange.websocket_api_url,
        }
        return {key: url.replace(port, str(self.detours.get(pod, port)), 1) for key, url in own.items()}

    @property
    def exchange_port(self) -> int:
        return int(self.exchange.rest_url.rsplit(":", 1)[1])

    async def leader(self, *, other_than: str = "") -> Pod:
        """Wait until a living pod says that it leads."""

        def found() -> Pod | None:
            for name, view in self.views.items():
                if view.leading and name != other_than and self.pods[name].process.returncode is None:
                    return self.pods[name]
            return None

        leader: Pod = await eventually(found, f"a leader; {self._logs()}")
        return leader

    # --- monitoring ---

    def price(self, market: str, price: str) -> None:
        self.exchange.set_price(market, price)
        middle = Decimal(price)
        self._prices = {**getattr(self, "_prices", {}), market: middle}

    async def _publish_market(self) -> None:
        sequence = 0
        while True:
            for pod in list(self.pods):
                if pod in self.blind:
                    continue
                for market, price in self._prices.items():
                    sequence += 1
                    now = self.exchange.clock.now_ms()
                    quote = messages.Quote(
                        market=market,
                        bid=price - Decimal("0.01"),
                        bid_quantity=Decimal(1000),
                        ask=price + Decimal("0.01"),
                        ask_quantity=Decimal(1000),
                        time_ms=now,
                        update_id=sequence,
                    )
                    batch = messages.MarketBatch(feed="test", seq=sequence, events=[quote])
                    with contextlib.suppress(NatsError):  # away: the next one comes at once
                        await self.monitoring.publish(subjects.market(pod, "quote"), messages.encode(batch))
                if pod not in self.hung:
                    await self._publish_pulse(pod)
            await asyncio.sleep(0.1)

    async def _publish_pulse(self, pod: str) -> None:
        pulse = messages.StreamStatus(
            market="", stream="evaluation", verdict=messages.Verdict.FRESH, since_ms=0
        )
        batch = messages.MarketBatch(feed="test", seq=0, events=[pulse])
        with contextlib.suppress(NatsError):
            await self.monitoring.publish(subjects.market(pod, "status"), messages.encode(batch))

    # --- evaluation ---

    async def target(self, quantity: str, market: str = BTC, *, ttl_ms: int = 120_000, **more: Any) -> str:
        """Decide on a target."""
        until_ms = self.exchange.clock.now_ms() + ttl_ms
        return await self._want(
            messages.Target(quantity=Decimal(quantity), valid_until_ms=until_ms, **more), market
        )

    async def rest(self, key: str, side: messages.Side, price: str, quantity: str, market: str = BTC) -> str:
        """Decide on a set of one resting order."""
        order = messages.RestingOrder(key=key, side=side, price=Decimal(price), quantity=Decimal(quantity))
        until_ms = self.exchange.clock.now_ms() + 120_000
        return await self._want(messages.RestingOrders(orders=[order], valid_until_ms=until_ms), market)

    async def _want(self, want: messages.Target | messages.RestingOrders, market: str) -> str:
        """Offer a decision to every pod until one has accepted it."""
        self._event += 1
        key = f"1s:{self._event}"
        decision = messages.Decision(
            id=decision_id(self.identity, "test", market, key, 0),
            strategy="test",
            market=market,
            event_key=key,
            event_time_ms=self._event,
            event_ordinal=0,
            index=0,
            generation=self._generation,
            want=want,
        )
        await eventually(lambda: self._offer(decision), f"acceptance of {decision.id}; {self._logs()}")
        return decision.id

    async def _offer(self, decision: messages.Decision) -> bool:
        for pod in self.pods.values():
            if pod.process.returncode is not None:
                continue
            reply = await self._ask(pod.name, decision)
            if reply is not None and reply.answer is not messages.Answer.DENIED:
                self.replies[decision.id] = reply
                return True
        return False

    async def _ask(self, pod: str, decision: messages.Decision) -> messages.DecisionReply | None:
        try:
            answer = await self.evaluation.request(
                subjects.decide(pod), messages.encode(decision), timeout=0.5
            )
            reply: messages.DecisionReply = messages.decode(answer.data, messages.DecisionReply)
        except (BusError, Exception):  # noqa: BLE001  no responder, or no answer in time: another pod may
            return None
        return reply

    def outcomes(self, decision: str) -> set[tuple[str, str]]:
        """How a decision ended, as told by any pod."""
        return {
            (str(message.outcome), message.code)
            for message in self.heard
            if isinstance(message, messages.DecisionOutcome) and message.id == decision
        }

    async def outcome(self, decision: str, patience_s: float = PATIENCE_S) -> tuple[str, str]:
        await eventually(
            lambda: self.outcomes(decision), f"outcome of {decision}; {self._logs()}", patience_s
        )
        [outcome] = self.outcomes(decision)
        return outcome

    # --- the truth ---

    def bought(self, market: str = BTC) -> Decimal:
        """Net base quantity by the exchange's journal, fees in the base asset taken off."""
        total, base = Decimal(0), market.partition("/")[0]
        for fill in self.exchange.journal.fills("alice", market):
            total += Decimal(fill.last_quantity) * (1 if fill.side == "BUY" else -1)
            total -= Decimal(fill.commission) if fill.commission_asset == base else 0
        return total

    def orders(self) -> list[str]:
        """Client ids of the orders that the exchange accepted."""
        return [entry.client_order_id for entry in self.exchange.journal.entries("alice", kind="NEW")]

    def open_orders(self) -> list[str]:
        """Client ids of what rests on the exchange."""
        return [order.client_order_id for order in self.exchange.account("alice").open_orders.values()]

    async def place_by_hand(self, market: str, price: str, quantity: str) -> str:
        """An order of the user's own, which nobody else may touch."""
        account = self.exchange.account("alice")
        request = OrderRequest(
            symbol=market,
            side=BUY,
            type=OrderType.LIMIT,
            client_order_id="by-hand",
            quantity=Decimal(quantity),
            price=Decimal(price),
        )
        self.exchange.venue.engine.place(account, request, self.exchange.clock.now_ms())
        return "by-hand"

    # --- inside ---

    async def _connect(self, role: str) -> Connection:
        async def closed() -> None: ...

        connection = await connect(
            self.bus_url,
            name=f"test-{role}",
            role=role,
            credentials=self._pair.credentials[role],
            on_closed=closed,
        )
        self._stack.push_async_callback(connection.close)
        return connection

    async def _on_news(self, message: Any) -> None:
        self.heard.append(messages.decode(message.data, messages.Fill | messages.DecisionOutcome))

    async def _on_view(self, message: Any) -> None:
        self.views[message.subject.split(".")[1]] = messages.decode(message.data, messages.AccountView)

    async def _on_report(self, token: str, role: str, report: Any) -> None:
        self.reports.append(report)

    def _logs(self) -> str:
        return "\n".join(f"--- {pod.name}\n{pod.output[-3000:]}" for pod in self.pods.values())
